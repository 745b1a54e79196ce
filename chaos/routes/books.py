"""Invoices are booked by effects whose repetition would be seen: all of one invoice in one transaction."""

from routekit import from_

from .shop import IN_FLIGHT, Total, patient

booked = from_(f"rabbitmq:bookings?prefetch={IN_FLIGHT}", Total, policy=patient).transaction(
    "sql:shop",
    lambda invoices: (
        invoices.to("sql:shop/booked?columns=number,customer,cents")
        .to("sql:shop?mode=execute&statement=UPDATE accounts SET cents = cents + :cents WHERE customer = :customer")
        .to("rabbitmq:receipts")
    ),
    name="booking",
    key=lambda invoice: invoice.number,
)
