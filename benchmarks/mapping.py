"""What a mapping costs beside the same one written by hand: both ways, and put into a record that there is.

The code by hand is what a careful person writes: it builds the other model, keeps null apart from a value and converts
with the same functions; it knows nothing of fields that are not set, of reasons and of what is to be kept.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from time import perf_counter

from pydantic import BaseModel

from routekit_mapping import (
    Mapping,
    convert,
    converter,
    date_text,
    each,
    fields,
    minor_units,
    parts_of,
    row,
    same,
    some,
    value_map,
)

from .figures import Figure, alternately

COUNT = 2_000
ROUNDS = 7
MICRO = 1e6
GOAL = 3.0


class Address(BaseModel):
    street: str | None = None
    town: str | None = None
    country: str | None = None


class Mechanism(BaseModel):
    type: str
    value: str | None = None


class Line(BaseModel):
    code: str
    quantity: int


class Party(BaseModel):
    title: str
    code: str | None = None
    language: str | None = None
    address: Address | None = None
    mechanisms: list[Mechanism] = []
    lines: list[Line] = []
    stage: int | None = None
    since: str | None = None
    limit: int | None = None
    note: str | None = None


class Item(BaseModel):
    sku: str
    count: int


class Customer(BaseModel):
    name: str
    number: str | None = None
    language: str | None = None
    street: str | None = None
    town: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None
    items: list[Item] = []
    stage: str | None = None
    since: date | None = None
    limit: Decimal | None = None
    note: str | None = None


def lowered(text: str) -> str:
    return text.lower()


LOWER = converter(lowered, lowered, loss="case")
STAGES = value_map({"lead": 1, "customer": 2, "lost": 3})
DAYS = date_text("%d.%m.%Y").inverse
CENTS = minor_units("EUR")
back_of_stage, back_of_day, back_of_cents = STAGES.inverse.to, DAYS.inverse.to, CENTS.inverse.to

i, j, a, b = fields(Item), fields(Line), fields(Customer), fields(Party)
MAPPING = Mapping(
    Customer,
    Party,
    same(a.name, b.title),
    same(a.number, b.code),
    same(a.language, b.language),
    same(a.street, some(b.address).street),
    same(a.town, some(b.address).town),
    same(a.country, some(b.address).country),
    convert(a.email, row(b.mechanisms, type="email").value, LOWER),
    same(a.phone, row(b.mechanisms, type="phone").value),
    each(a.items, b.lines, Mapping(Item, Line, same(i.sku, j.code, key=True), same(i.count, j.quantity))),
    convert(a.stage, b.stage, STAGES),
    convert(a.since, b.since, DAYS),
    convert(a.limit, b.limit, CENTS),
    same(a.note, b.note),
)
FLAT = Mapping(
    Customer, Party, same(a.name, b.title), same(a.number, b.code), same(a.language, b.language), same(a.note, b.note)
)
RECORD = Customer(
    name="Ada Lovelace", number="C-17", language="en", street="12 St James's Square", town="London", country="GB",
    email="Ada@Example.org", phone="+442079460000", items=[Item(sku=f"A-{n}", count=n) for n in range(3)],
    stage="customer", since=date(2026, 2, 28), limit=Decimal("1250.00"), note="likes punched cards",
)  # fmt: skip


def forward_by_hand(one: Customer) -> Party:
    mechanisms: list[Mechanism] = []
    if one.email is not None:
        mechanisms.append(Mechanism(type="email", value=lowered(one.email)))
    if one.phone is not None:
        mechanisms.append(Mechanism(type="phone", value=one.phone))
    return Party(
        title=one.name,
        code=one.number,
        language=one.language,
        address=Address(street=one.street, town=one.town, country=one.country),
        mechanisms=mechanisms,
        lines=[Line(code=item.sku, quantity=item.count) for item in one.items],
        stage=None if one.stage is None else STAGES.to(one.stage),
        since=None if one.since is None else DAYS.to(one.since),
        limit=None if one.limit is None else CENTS.to(one.limit),
        note=one.note,
    )


def backward_by_hand(one: Party) -> Customer:
    address = one.address or Address()
    email = next((row.value for row in one.mechanisms if row.type == "email"), None)
    return Customer(
        name=one.title,
        number=one.code,
        language=one.language,
        street=address.street,
        town=address.town,
        country=address.country,
        email=None if email is None else lowered(email),
        phone=next((row.value for row in one.mechanisms if row.type == "phone"), None),
        items=[Item(sku=line.code, count=line.quantity) for line in one.lines],
        stage=None if one.stage is None else back_of_stage(one.stage),
        since=None if one.since is None else back_of_day(one.since),
        limit=None if one.limit is None else back_of_cents(one.limit),
        note=one.note,
    )


def flat_by_hand(one: Customer) -> Party:
    return Party(title=one.name, code=one.number, language=one.language, note=one.note)


def put_by_hand(one: Customer, old: Party) -> Party:
    """As it is mostly done: made anew, with what only the other side has copied over."""
    new = forward_by_hand(one)
    others = [row for row in old.mechanisms if row.type not in ("email", "phone")]
    return new.model_copy(update={"mechanisms": [*new.mechanisms, *others]})


def _timed(act: Callable[[], object]) -> float:
    start = perf_counter()
    for _ in range(COUNT):
        act()
    return (perf_counter() - start) / COUNT * MICRO


def _pair(name: str, ours: Callable[[], object], by_hand: Callable[[], object]) -> Figure:
    taken, beside = alternately(ROUNDS, partial(_timed, ours), partial(_timed, by_hand))
    said = f"{taken:.1f} us a record, by hand {beside:.1f} us"
    return Figure(f"mapping: {name}", taken / beside, "times by hand", said, GOAL)


def figures() -> list[Figure]:
    """How many times what the same mapping costs by hand; one record each."""
    party = MAPPING.forward(RECORD)
    assert party == forward_by_hand(RECORD)
    assert MAPPING.backward(party) == backward_by_hand(party)
    changed = RECORD.model_copy(update={"note": "changed"})
    return [
        _pair("13 rules, there", partial(MAPPING.forward, RECORD), partial(forward_by_hand, RECORD)),
        _pair("13 rules, back", partial(MAPPING.backward, party), partial(backward_by_hand, party)),
        _pair("4 plain fields", partial(FLAT.forward, RECORD), partial(flat_by_hand, RECORD)),
        _pair("put, one field changed", partial(MAPPING.put, changed, party), partial(put_by_hand, changed, party)),
        _part(),
    ]


def _part() -> Figure:
    """What keeping two systems in step does for a field: JSON is read, checked, converted and written as JSON."""
    part = next(part for part in parts_of(FLAT) if part.name == "note")
    assert part.to_b is not None
    (taken,) = alternately(ROUNDS, partial(_timed, partial(part.to_b, {"note": "likes punched cards"})))
    return Figure("mapping: one field of a record, as JSON", taken, "us")
