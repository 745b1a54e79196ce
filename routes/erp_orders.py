"""Orders: a deal that is won in the CRM becomes one confirmed sale in the ERP, and the deal is told how that goes on.

A saga makes sure of the customer, makes the sale by the deal's id, confirms it, and stamps the deal. What fails before
the sale is confirmed is undone: the sale is cancelled. A deal with a product that the ERP does not know becomes a dead
letter as a whole. Whatever is killed in between goes on where it stopped: there is one sale, or none.

Needs the connections `erp` (Tryton) and `crm` (BottleCRM, whose deals have the custom fields `sku`, `quantity`, `order`
and `order_state`); see docs/routes/erp-orders.md.
"""

import os
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from routekit import Act, BodyError, Flow, Policy, Retry, Sensitive, Unavailable, from_
from routekit.remotes import Remote
from routekit_connectors import bottlecrm, tryton
from routekit_sync import RecordSink, RecordSource

AWAY = Retry(10, first=1.0, most=300.0, on=Unavailable)
STATE = {
    "draft": "offered",
    "quotation": "offered",
    "confirmed": "ordered",
    "processing": "ordered",
    "done": "delivered",
}
"""States of a sale, as the CRM's people call them; all others are called as they are."""


class Deal(BaseModel):
    """A deal of the CRM, as far as the ERP is told of it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    name: str
    stage: str
    amount: Decimal | None = None
    contacts: list[str] = Field(default_factory=list[str])
    sku: str | None = None
    quantity: str | None = None


class Buyer(BaseModel):
    """A contact of the CRM."""

    model_config = ConfigDict(extra="ignore")

    email: Annotated[str, Sensitive("email")]
    first_name: Annotated[str, Sensitive("name")] | None = None
    last_name: Annotated[str, Sensitive("name")] | None = None
    street: Annotated[str, Sensitive("address")] | None = None
    postcode: str | None = None
    city: str | None = None
    country: str | None = None


class Made(BaseModel):
    """A record that was written; of a sale its number and state."""

    model_config = ConfigDict(extra="ignore")

    id: str
    number: str | None = None
    state: str | None = None


class Order(BaseModel):
    """What the saga knows; it grows with each action."""

    deal: str
    name: str
    contact: str
    sku: str
    quantity: Decimal
    unit_price: Decimal
    email: Annotated[str, Sensitive("email")] = ""
    buyer: Annotated[str, Sensitive("name")] = ""
    address: Annotated[dict[str, str | None], Sensitive("address")] = Field(default_factory=dict[str, "str | None"])
    party: str = ""
    sale: str = ""
    number: str | None = None
    state: str | None = None


class Sale(BaseModel):
    """A sale of the ERP, as far as the CRM is told of it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    reference: str | None = None
    state: str
    shipment_state: str | None = None


def as_order(deal: Deal) -> Order:
    """A deal as an order; raises BodyError for one that nobody could deliver."""
    missing = [name for name in ("amount", "sku", "quantity") if getattr(deal, name) in (None, "")]
    missing += [] if deal.contacts else ["contacts"]
    if missing or deal.amount is None or deal.quantity is None or deal.sku is None:
        raise BodyError(f"is won without {' and '.join(missing)}", column=missing[0])
    if not deal.quantity.isascii() or not deal.quantity.isdecimal() or int(deal.quantity) == 0:
        raise BodyError(f"{deal.quantity} is no number of pieces", column="quantity")
    quantity = Decimal(deal.quantity)
    price = deal.amount / quantity
    if price != price.quantize(Decimal("0.0001")):
        raise BodyError(f"{deal.amount} is not {quantity} times a price", column="amount")
    return Order(
        deal=deal.id, name=deal.name, contact=deal.contacts[0], sku=deal.sku, quantity=quantity, unit_price=price
    )


def with_buyer(order: Order, buyer: Buyer) -> Order:
    """The order, with who buys."""
    name = " ".join(part for part in (buyer.first_name, buyer.last_name) if part)
    place = {"street": buyer.street, "postal_code": buyer.postcode, "city": buyer.city, "country": buyer.country}
    return order.model_copy(update={"email": buyer.email, "buyer": name or buyer.email, "address": place})


def with_party(order: Order, made: Made) -> Order:
    """The order, with the customer in the ERP."""
    return order.model_copy(update={"party": made.id})


def with_sale(order: Order, made: Made) -> Order:
    """The order, with its sale."""
    return order.model_copy(update={"sale": made.id, "number": made.number, "state": made.state})


def party_of(order: Order) -> dict[str, Any]:
    """The customer, as the ERP takes one that is new: with an address, to which the sale goes."""
    return {"email": order.email, "name": order.buyer, **order.address}


def sale_of(order: Order) -> dict[str, Any]:
    """The sale: by its reference it is found again."""
    line = {"product": order.sku, "quantity": float(order.quantity), "unit_price": str(order.unit_price)}
    return {"reference": order.deal, "party": order.party, "description": order.name, "lines": [line]}


def told(state: str | None) -> str:
    """A state of a sale, as the CRM's people call it."""
    return STATE.get(state or "", state or "")


def orders(deals: Remote, contacts: Remote, parties: Remote, sales: Remote, *, every: float = 30.0) -> Flow[Order]:
    """The route from won deals to confirmed sales, between these systems."""

    def newcomer(order: Flow[Order]) -> Flow[Order]:
        sink = RecordSink(remote=parties, mode="create")
        return order.enrich(sink, answer=Made, merge=with_party, fields=party_of)

    def customer(order: Flow[Order]) -> Flow[Order]:
        sink = RecordSink(remote=parties, mode="find", by="email")
        known = order.enrich(sink, answer=list[Made], merge=_first_party, value=lambda order: order.email)
        return known.choice().when(lambda order: not order.party, newcomer).otherwise(lambda rest: rest)

    made = RecordSink(remote=sales, mode="upsert", by="reference")
    moved = RecordSink(remote=sales, mode="update")
    stamped = RecordSink(remote=deals, mode="update")
    return (
        from_(RecordSource(remote=deals, name="won-deals", every=every), Deal, policy=Policy(concurrency=4))
        .filter(lambda deal: deal.stage == "CLOSED_WON")
        .idempotent("ordered-deals", key=lambda deal: deal.id)
        .transform(as_order)
        .enrich(RecordSink(remote=contacts, mode="get"), answer=Buyer, merge=with_buyer, id=lambda order: order.contact)
        .saga(
            "orders",
            Order,
            [
                Act("customer", do=customer, undo=None),
                Act(
                    "sale",
                    do=lambda order: order.enrich(made, answer=Made, merge=with_sale, fields=sale_of),
                    undo=lambda order: order.filter(lambda order: bool(order.sale)).to(
                        moved, id=lambda order: order.sale, fields=lambda order: {"state": "cancelled"}
                    ),
                ),
                Act(
                    "confirm",
                    do=lambda order: order.enrich(
                        moved,
                        answer=Made,
                        merge=with_sale,
                        id=lambda order: order.sale,
                        fields=lambda order: {"state": "confirmed"},
                    ),
                    pivot=True,
                ),
                Act(
                    "stamp",
                    do=lambda order: order.to(
                        stamped,
                        id=lambda order: order.deal,
                        fields=lambda order: {"order": order.number, "order_state": told(order.state)},
                    ),
                ),
            ],
            retry=AWAY,
            key=lambda order: order.deal,
        )
        .log("deal {body.deal}: sale {body.number}, {body.state}")
    )


def _first_party(order: Order, found: list[Made]) -> Order:
    return with_party(order, found[0]) if found else order


def states(sales: Remote, deals: Remote, *, every: float = 30.0) -> Flow[Sale]:
    """The route that tells deals how their sales go on."""
    return (
        from_(RecordSource(remote=sales, name="sale-states", every=every), Sale)
        .filter(lambda sale: bool(sale.reference))
        .to(
            RecordSink(remote=deals, mode="update"),
            id=lambda sale: sale.reference,
            fields=lambda sale: {"order_state": told(sale.state)},
            retry=AWAY,
        )
    )


_EVERY = float(os.environ.get("ORDERS_EVERY", "30"))
"""Seconds between two looks."""
_deals = bottlecrm.deals("crm", custom=["sku", "quantity", "order", "order_state"])
_sales = tryton.sales("erp")

won = orders(_deals, bottlecrm.contacts("crm"), tryton.parties("erp"), _sales, every=_EVERY)
followed = states(_sales, _deals, every=_EVERY)
