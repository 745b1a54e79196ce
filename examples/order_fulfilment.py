"""An order is split into its lines, each is checked by the right inventory, and the answers make one order again.

    python examples/order_fulfilment.py

    widgets were asked for: ['W1', 'W9', 'W1']
    gadgets were asked for: ['G1']
    order 1: all there
    order 2: missing W9
    dead letter: order 3: an item of no inventory: 'X1'

What to learn: `gather` runs a branch for each part, here a `choice`, and goes on with the list of the results.
The example is Hohpe and Woolf's composed message processor, "Enterprise Integration Patterns", chapter 7.
"""

from dataclasses import dataclass, replace

import anyio

from routekit import Flow, Rejected, from_
from routekit.testing import Feed, Sink, run_routes


@dataclass(frozen=True)
class Line:
    item: str
    quantity: int
    there: bool = False


@dataclass(frozen=True)
class Order:
    id: int
    lines: tuple[Line, ...]


STOCK = {"W1": 10, "G1": 1}


def in_stock(line: Line) -> Line:
    return replace(line, there=STOCK.get(line.item, 0) >= line.quantity)


def unknown(line: Line) -> Line:
    raise Rejected(f"an item of no inventory: '{line.item}'")


def told(lines: list[Line]) -> str:
    missing = [line.item for line in lines if not line.there]
    return f"missing {', '.join(missing)}" if missing else "all there"


async def main() -> None:
    """Three orders, of which one cannot be filled and one cannot be understood."""
    widgets, gadgets, done = Sink(), Sink(), Sink()

    def checked(line: Flow[Line]) -> Flow[Line]:
        return (
            line.choice()
            .when(lambda line: line.item.startswith("W"), lambda widget: widget.to(widgets).transform(in_stock))
            .when(lambda line: line.item.startswith("G"), lambda gadget: gadget.to(gadgets).transform(in_stock))
            .otherwise(lambda rest: rest.transform(unknown))
        )

    incoming = [
        Order(1, (Line("W1", 2), Line("G1", 1))),
        Order(2, (Line("W9", 1), Line("W1", 1))),
        Order(3, (Line("X1", 1),)),
    ]
    orders = (
        from_(Feed(incoming), Order)
        .set_header("order", lambda order: order.id)
        .gather(lambda order: order.lines, checked)
        .transform(told)
        .to(done)
    )
    run = await run_routes(orders)
    print(f"widgets were asked for: {[line.item for line in widgets.bodies]}")
    print(f"gadgets were asked for: {[line.item for line in gadgets.bodies]}")
    for message in done.messages:
        print(f"order {message.headers['order']}: {message.body}")
    for letter in run.letters:
        print(f"dead letter: order {letter.body['id']}: {letter.reason}")


if __name__ == "__main__":
    anyio.run(main)
