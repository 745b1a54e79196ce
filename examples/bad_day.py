"""What becomes of orders on a bad day: one is tried again, one is rescued, one is a dead letter, and none is lost.

    python examples/bad_day.py

    booked: ['order 1', 'order 2', 'order 4']
    by hand: ['order 3']
    dead letter: 'order five' at tap > parse(int): input should be a valid integer, ...
    acknowledged: 5, refused: 0

The booking system fails at its second send for a moment, and at its fourth for good.
What to learn: `retry`, `rescue` and the dead letters each take what the one before them cannot deal with.
"""

import anyio

from routekit import Flow, Rejected, Retry, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes

SOON = Retry(3, first=0.01, on=Unavailable)


def number(text: str) -> str:
    """The number of an order, as text."""
    return text.removeprefix("order ")


async def main() -> None:
    """Run five orders through a booking system that has a bad day."""
    feed = Feed([f"order {word}" for word in ("1", "2", "3", "4", "five")])
    booking = Sink(fail={2: Unavailable("restarting"), 4: Rejected("this customer is closed")})
    by_hand = Sink()

    def booked(orders: Flow[str]) -> Flow[str]:
        return orders.to(booking, retry=SOON)

    orders = (
        from_(feed, str)
        .tap(lambda order: order.transform(number).parse(int))
        .attempt(booked, rescue={Rejected: lambda order: order.to(by_hand)})
    )
    run = await run_routes(orders)
    print(f"booked: {booking.bodies}\nby hand: {by_hand.bodies}")
    for letter in run.letters:
        print(f"dead letter: {letter.body!r} at {letter.step}: {letter.reason}")
    print(f"acknowledged: {len(feed.acknowledged)}, refused: {len(feed.refused)}")


if __name__ == "__main__":
    anyio.run(main)
