"""A shop's routes: what the console is shown in tests and pictures. They are real, and so is how they are drawn."""

from typing import Any

from pydantic import BaseModel

from routekit import Flow, Policy, Route, from_, rescue

CODE = """orders = (
    from_("direct:orders", Order, policy=Policy(concurrency=8, rescue={KeyError: rescue(put_aside)}))
    .validate(lambda order: order.total > 0 or "the amount is missing")
    .idempotent("orders-seen", key=lambda order: order.id)
    .choice()
    .when(lambda order: order.total > 1000, lambda big: big.to("log:sales"))
    .otherwise(lambda rest: rest)
    .transform(as_booking)  # accounts are those of the ERP
    .to("sql:erp/bookings?mode=upsert&key=id")
    .to("queue:booked")
)
"""


class Order(BaseModel):
    """An order of the shop."""

    id: str
    customer: str
    total: float
    note: str = ""


def paid(order: Order) -> bool | str:
    return order.total > 0 or "the amount is missing"


def big(order: Order) -> bool:
    return order.total > 1000


def order_id(order: Order) -> str:
    return order.id


def as_booking(order: Order) -> dict[str, Any]:
    return {"id": order.id, "account": 8400, "amount": order.total}


def alerted(flow: Flow[Any]) -> Flow[Any]:
    return flow.to("log:sales")


def put_aside(flow: Flow[Any]) -> Flow[Any]:
    return flow.to("file:data/aside")


def unchanged(flow: Flow[Any]) -> Flow[Any]:
    return flow


def routes() -> list[Route]:
    """The routes, sorted by name."""
    orders = (
        from_("direct:orders", Order, policy=Policy(concurrency=8, rescue={KeyError: rescue(put_aside)}))
        .validate(paid)
        .idempotent("orders-seen", key=order_id)
        .choice()
        .when(big, alerted)
        .otherwise(unchanged)
        .transform(as_booking)
        .to("sql:erp/bookings?mode=upsert&key=id")
        .to("queue:booked")
    )
    files = "file:data/market?codec=json&after=move"
    return sorted(
        [
            orders.route("shop.orders", "Every order is booked once, and sales hears of the big ones."),
            from_("http:0.0.0.0:8080/orders", Order).to("direct:orders").route("shop.web", "Orders of the web shop."),
            from_(files, Order).to("direct:orders").route("shop.marketplace", "Orders of the marketplace, as files."),
            from_("queue:booked").transform(str).to("http:mail.example/send").route("shop.mails", "A mail for each."),
            from_("sql:erp/bookings?cursor=id&name=bills&poll=1m")
            .to("file:data/invoices")
            .route("erp.invoices", "Bookings become bills."),
            from_("sql:erp/stock?cursor=changed&name=stock&poll=30s")
            .to("file:data/stock")
            .route("erp.stock", "Stock goes to the web shop."),
            from_("rabbitmq:contacts").to("sql:crm/contacts").route("crm.contacts", "Contacts from everywhere."),
            from_("cron:0 3 * * *").to("http:crm.example/sync").route("crm.nightly", "The other way round."),
        ],
        key=lambda route: route.name,
    )
