"""Customers: parties of the ERP and contacts of the CRM are kept in step, both ways, each edit written once.

The CRM owns how a person is called and reached, the ERP who it is to the tax office and whether it is in use; where
only one side has changed a thing, that side is right, whoever owns it. Nobody is created twice: who has the address of
a known person is that person. A deletion takes the other side out of use, and deletes nothing.

Needs the connections `erp` (Tryton) and `crm` (BottleCRM); see docs/routes/erp-customers.md.
"""

from typing import Annotated

from pydantic import BaseModel

from routekit import Sensitive, from_
from routekit.remotes import Record
from routekit_connectors import bottlecrm, tryton
from routekit_mapping import Mapping, convert, email, fields, keyed, normalised, same, split_name, unit
from routekit_sync import Deleted, Match, Rule, Summary, SyncPair, units_of


class Party(BaseModel):
    """A party of the ERP, as far as the CRM is told of it."""

    name: Annotated[str, Sensitive("name")]
    email: Annotated[str, Sensitive("email")] | None = None
    phone: Annotated[str, Sensitive("phone")] | None = None
    street: Annotated[str, Sensitive("address")] | None = None
    postal_code: str | None = None
    city: str | None = None
    country: str | None = None
    active: bool = True


class Contact(BaseModel):
    """A contact of the CRM, as far as the ERP is told of it."""

    first_name: Annotated[str, Sensitive("name")] | None = None
    last_name: Annotated[str, Sensitive("name")] | None = None
    email: Annotated[str, Sensitive("email")] | None = None
    phone: Annotated[str, Sensitive("phone")] | None = None
    street: Annotated[str, Sensitive("address")] | None = None
    postcode: str | None = None
    city: str | None = None
    country: str | None = None
    active: bool = True


p, c = fields(Party), fields(Contact)

CUSTOMERS = Mapping(
    Party,
    Contact,
    convert(p.name, (c.first_name, c.last_name), split_name(), name="name"),
    convert(p.email, c.email, normalised(email)),
    same(p.phone, c.phone),
    unit(
        "address",
        same(p.street, c.street),
        same(p.postal_code, c.postcode),
        same(p.city, c.city),
        same(p.country, c.country),
    ),
    same(p.active, c.active),
    name="customers",
)


def reachable(record: Record) -> bool:
    """Whether a party or contact is one to keep in step: a person with an address of mail."""
    return bool(record.fields.get("email"))


customers = SyncPair(
    "customers",
    a=tryton.parties("erp"),
    b=bottlecrm.contacts("crm", link="routekit_id"),
    units=units_of(CUSTOMERS, rules={"name": Rule.B, "email": Rule.B, "phone": Rule.B, "address": Rule.B}),
    match=[Match("email", ["email"], ["email"], keyed(email, "email"))],
    deletes=Deleted.ARCHIVE,
    scope_a=reachable,
    scope_b=reachable,
)

in_step = from_("sync:routes.erp_customers:customers?every=${SYNC_EVERY:30s}&quiet=true", Summary)
"""Each cycle is a line in the log; its message is for who wants to be told of it."""
