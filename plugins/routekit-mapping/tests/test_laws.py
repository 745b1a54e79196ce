"""The laws, kept by mappings of every kind; and mappings that break them, which are caught."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from pydantic import BaseModel, ConfigDict, Field

from routekit_mapping import (
    Limit,
    Mapping,
    MappingError,
    computed,
    convert,
    converter,
    country_name,
    date_text,
    decimal_text,
    default,
    each,
    email,
    enum_of,
    epoch,
    fields,
    html_text,
    in_zone,
    measure,
    minor_money,
    multi_select,
    nested,
    normalised,
    person_name,
    phone,
    reference,
    row,
    same,
    some,
    split_name,
    template,
    trimmed,
    unit,
    utc_midnight,
    value_map,
    yes_no,
)
from routekit_mapping.drawing import resolver
from routekit_mapping.testing import laws, models, records


class Stage(Enum):
    LEAD = "lead"
    CUSTOMER = "customer"


class Address(BaseModel):
    street: str | None = None
    town: str | None = None
    floor: int | None = None


class Mechanism(BaseModel):
    type: str
    value: str | None = None
    comment: str | None = None


class Line(BaseModel):
    code: str
    grams: Decimal = Decimal(0)
    note: str = ""


class Party(BaseModel):
    model_config = ConfigDict(extra="allow")
    title: Annotated[str, Field(max_length=40)]
    given: str | None = None
    family: str | None = None
    address: Address | None = None
    seat: Address | None = None
    mechanisms: list[Mechanism] = []
    lines: list[Line] = []
    kind: str = ""
    parent: int | None = None
    label: str | None = None
    short: Annotated[str, Field(max_length=20)] | None = None
    stage: Stage | None = None
    wants: list[str] | None = None
    birthday: int | None = None
    at: datetime | None = None
    cents: int | None = None
    money: str | None = None
    place: str | None = None
    active: bool = True
    rank: Literal[1, 2, 3] | None = None
    country: str | None = None
    note: str | None = None
    price: Decimal | None = None


class Item(BaseModel):
    sku: str
    kilos: Decimal | None = None


class Place(BaseModel):
    road: str | None = None


class Customer(BaseModel):
    name: str
    full_name: str | None = None
    street: str | None = None
    town: str | None = None
    seat: Place | None = None
    email: str | None = None
    phone: str | None = None
    items: list[Item] = []
    account: str | None = None
    short: str | None = None
    stage: str | None = None
    wants: str | None = None
    born: date | None = None
    local: datetime | None = None
    amount: Decimal | None = None
    currency: str | None = None
    zip: str | None = None
    city: str | None = None
    active: str = "yes"
    rank: str | None = None
    country: str | None = None
    note: str = ""
    price: str | None = None
    score: int = 0


a, b, i, j, p, d = fields(Customer), fields(Party), fields(Item), fields(Line), fields(Place), fields(Address)
PHONE = phone("DE")
RANKS = value_map({"A": 1, "B": 2, "C": 3, "D": 3}, back={3: "C"})
ITEMS = Mapping(
    Item,
    Line,
    convert(i.sku, j.code, trimmed(), key=True),
    convert(i.kilos, j.grams, measure("kg", "g"), on_null="keep"),
)
CUSTOMERS = Mapping(
    Customer,
    Party,
    same(a.name, b.title, limit=Limit(40)),
    convert(a.full_name, (b.given, b.family), split_name()),
    unit("address", same(a.street, some(b.address).street), same(a.town, some(b.address).town)),
    nested(a.seat, b.seat, Mapping(Place, Address, same(p.road, d.street))),
    convert(a.email, row(b.mechanisms, type="email").value, normalised(email, samples=["a@x.de", "B.c+d@GMAIL.com"])),
    convert(a.phone, row(b.mechanisms, type="phone").value, normalised(PHONE, samples=["030 901820"])),
    each(a.items, b.lines, ITEMS),
    default(b.kind, "customer"),
    reference(a.account, b.parent, "accounts"),
    computed(b.label, (a.name, a.town), lambda parts: " of ".join(part for part in parts if part)),
    same(a.short, b.short, limit=Limit(5, truncate_ok=True)),
    convert(a.stage, b.stage, enum_of(Stage)),
    convert(a.wants, b.wants, multi_select()),
    convert(a.born, b.birthday, utc_midnight()),
    convert(a.local, b.at, in_zone("Europe/Berlin")),
    unit("money", convert((a.amount, a.currency), (b.cents, b.money), minor_money())),
    convert((a.zip, a.city), b.place, template("{} {}")),
    convert(a.active, b.active, yes_no()),
    convert(a.rank, b.rank, RANKS),  # pyright: ignore[reportArgumentType]
    convert(a.country, b.country, country_name("de")),
    convert(a.note, b.note, html_text(), empty="null"),
    convert(a.price, b.price, decimal_text(",", ".", places=2)),
)

TestCustomers = laws(CUSTOMERS)
TestNames = laws(Mapping(Item, Line, convert(i.sku, j.code, normalised(person_name, samples=["A  B", "Dr. C"]))))


class One(BaseModel):
    text: str
    day: date | None = None
    stamp: datetime | None = None


class Two(BaseModel):
    word: str
    day: str | None = None
    seconds: int | None = None


x, y = fields(One), fields(Two)
TestTimes = laws(
    Mapping(One, Two, same(x.text, y.word), convert(x.day, y.day, date_text("%d.%m.%Y").inverse),
            convert(x.stamp, y.seconds, epoch().inverse)))  # fmt: skip


def broken(law: str, *rules: Any) -> None:
    getattr(laws(Mapping(One, Two, *rules))(), law)()


def test_a_loss_that_is_not_declared_is_caught() -> None:
    """A converter that says that nothing is lost has to give everything back."""
    lower = converter(str.lower, str.lower, name="lower case", samples=["Ada"])
    with pytest.raises(AssertionError, match="declares no loss"):
        broken("test_converters_come_back", convert(x.text, y.word, lower))


def test_a_way_back_that_drifts_is_caught() -> None:
    """Every round trip that loses a little more never comes to rest."""
    drifting = converter(lambda text: text + "!", lambda text: text + "?", name="drifting", loss="much")
    with pytest.raises(AssertionError, match="the second time"):
        broken("test_converters_come_back", convert(x.text, y.word, drifting))
    with pytest.raises(AssertionError):
        broken("test_what_was_put_is_read_again", convert(x.text, y.word, drifting))
    with pytest.raises(AssertionError):
        broken("test_parts_come_to_rest", convert(x.text, y.word, drifting))


def test_a_mapping_that_maps_nothing_is_no_proof() -> None:
    """If no record at all can be mapped, the law does not count as kept."""

    def never(text: str) -> str:
        raise ValueError("no")

    with pytest.raises(Exception, match=r"(?i)unable to satisfy"):
        broken("test_what_was_put_is_read_again", convert(x.text, y.word, converter(never, never)))


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(records(CUSTOMERS, "a") | models(Customer))
def test_the_way_that_is_told_is_the_one_that_is_gone(record: Customer) -> None:
    """Step by step, a record fails where the compiled mapping fails, and what was made needs nothing more."""
    resolve = resolver(CUSTOMERS, "b")
    try:
        made = CUSTOMERS.forward(record, resolve=resolve)
    except (MappingError, ValueError):
        assert "failed" in {one.outcome for one in CUSTOMERS.tell(record, resolve=resolve)}
        return
    assert "failed" not in {one.outcome for one in CUSTOMERS.tell(record, resolve=resolve)}
    again = {one.rule: one.outcome for one in CUSTOMERS.tell(record, old=made, resolve=resolve)}
    assert set(again.values()) <= {"kept", "missing"}, again
