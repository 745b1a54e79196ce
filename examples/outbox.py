"""Orders are booked and announced as one, though the broker is away and one order comes twice.

    python examples/outbox.py

    the broker is away; booked: ['order 1', 'order 2', 'order 3'], announced: [], acknowledged: 4
    it is back, and all orders come again; booked: 3, announced: ['order 1', 'order 2', 'order 3']

A database in memory stands for `sql:shop`, whose tables would be made by the route.
What to learn: in a `transaction` rows, the mark of the message and what it sends are committed as one, and sent later.
"""

import anyio

from routekit import Flow, Message, Unavailable, from_
from routekit.testing import Feed, Ledger, Sink, run_routes

ORDERS = [Message(f"order {number}", id=f"order-{number}") for number in (1, 2, 2, 3)]


async def main() -> None:
    """Run the orders through a shop whose broker is away, and start it again when that is back."""
    orders, feed = Sink(), Feed(ORDERS)
    shop = Ledger(sinks=[orders])
    away = Sink(fail={number: Unavailable("no broker") for number in range(1, 100)})
    back = Sink()

    def placing(source: Feed, broker: Sink) -> Flow[str]:
        return from_(source, str).transaction(shop, lambda t: t.to(orders).to(broker), name="placing")

    await run_routes(placing(feed, away))
    told = f"booked: {orders.bodies}, announced: {away.bodies}, acknowledged: {len(feed.acknowledged)}"
    print(f"the broker is away; {told}")
    await run_routes(placing(Feed(ORDERS), back))
    print(f"it is back, and all orders come again; booked: {len(orders.bodies)}, announced: {back.bodies}")


if __name__ == "__main__":
    anyio.run(main)
