"""The routes that are put to the test: orders of a shop become lines, totals and invoices."""

import os

from pydantic import BaseModel

from routekit import Flow, Policy, Retry, from_

IN_FLIGHT = 50
DURABLE = os.environ.get("CHAOS_DURABLE") == "store"
"""Whether messages are journaled when they arrive, and go on from there after a crash."""


class Item(BaseModel):
    """One line of an order, as the shop sends it."""

    sku: str
    quantity: int
    cents: int


class Order(BaseModel):
    """An order, as the shop sends it; `promised` is the sum that the customer has seen."""

    number: int
    customer: str
    trial: bool
    promised: int
    items: list[Item]


class Line(BaseModel):
    """A row of the table `lines`, which knows how many others there are of its order."""

    id: str
    number: int
    customer: str
    sku: str
    quantity: int
    cents: int
    of: int


class Total(BaseModel):
    """A row of the table `totals`, and an invoice."""

    number: int
    customer: str
    lines: int
    cents: int


def real(order: Order) -> bool:
    """Whether a customer, and not the shop's own staff, has ordered."""
    return not order.trial


def as_promised(order: Order) -> str | None:
    """A reason to refuse the order, if its items do not cost what the customer has seen."""
    found = sum(item.quantity * item.cents for item in order.items)
    return None if found == order.promised else f"promised {order.promised}, found {found}"


def lines(order: Order) -> list[Line]:
    """The lines of an order, numbered."""
    return [
        Line(
            id=f"{order.number}-{place}",
            number=order.number,
            customer=order.customer,
            of=len(order.items),
            **dict(item),
        )
        for place, item in enumerate(order.items, 1)
    ]


def total(of: list[Line]) -> Total:
    """What all lines of an order make together."""
    cents = sum(line.quantity * line.cents for line in of)
    return Total(number=of[0].number, customer=of[0].customer, lines=len(of), cents=cents)


def accepted(good: Flow[Order]) -> Flow[Order]:
    """Good orders, which need not be judged again after a crash, if the route is durable."""
    return good.checkpoint("accepted", Order) if DURABLE else good


retry = Retry(1000, first=0.05, most=1.0)
patient = Policy(concurrency=IN_FLIGHT, retry=retry, durable="store" if DURABLE else None)

orders = (
    from_(f"rabbitmq:orders?prefetch={IN_FLIGHT}", Order, policy=patient)
    .filter(real)
    .validate(as_promised)
    .apply(accepted)
    .idempotent("orders-seen", key=lambda order: order.number)
    .split(lines)
    .to("sql:shop/lines?mode=upsert&key=id&columns=id,number,customer,sku,quantity,cents")
    .aggregate("order-totals", Line, key=lambda line: line.number, size=lambda line: line.of)
    .transform(total)
    .to("sql:shop/totals?mode=upsert&key=number")
    .to("rabbitmq:?exchange=invoices")
)
