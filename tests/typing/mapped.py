"""Mappings as people write them, right and wrong ones; never run, `make types` checks it."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import assert_type

from pydantic import BaseModel

from routekit import Flow
from routekit_mapping import (
    Converter,
    Mapping,
    computed,
    convert,
    converter,
    date_text,
    default,
    each,
    fields,
    minor_money,
    nested,
    row,
    same,
    some,
    split_name,
    template,
    trimmed,
    value_map,
)


class Kind(Enum):
    A = 1


class Place(BaseModel):
    town: str | None = None


class Row(BaseModel):
    type: str
    value: str | None = None


class Customer(BaseModel):
    name: str
    nick: str | None = None
    age: int = 0
    born: date | None = None
    seen: datetime | None = None
    tags: list[str] = []
    kind: Kind | None = None
    marks: set[str] = set()
    numbers: list[int] = []
    amount: Decimal | None = None
    currency: str = "EUR"
    place: Place | None = None
    rows: list[Row] = []


class Party(BaseModel):
    title: str
    given: str | None = None
    family: str | None = None
    number: int | None = None
    cents: int | None = None
    money: str | None = None
    place: Place | None = None
    rows: list[Row] = []
    tags: list[str] = []
    kind: Kind = Kind.A
    marks: set[str] = set()
    birthday: str | None = None


a, b, r = fields(Customer), fields(Party), fields(Row)
ROWS = Mapping(Row, Row, same(r.type, r.type, key=True))
PLACES = Mapping(Place, Place, same(fields(Place).town, fields(Place).town))


def right(flow: Flow[Customer]) -> Flow[Party]:
    mapping = Mapping(
        Customer,
        Party,
        same(a.name, b.title, default="nobody", on_null="default"),
        same(a.tags, b.tags),
        same(a.kind, b.kind),
        same(a.place, b.place),
        same(a.marks, b.marks),
        same(a.nick, some(b.place).town),
        same(a.nick, row(b.rows, type="nick").value),
        convert(a.name, (b.given, b.family), split_name()),
        convert((a.name, a.nick), b.title, template("{} {}")),
        convert((a.amount, a.currency), (b.cents, b.money), minor_money()),
        convert(a.born, b.birthday, date_text().inverse, default="2000-01-01"),
        convert(a.nick, b.title, trimmed() | trimmed()),
        computed(b.number, a.tags, len),
        computed(b.title, (a.name, a.age), lambda parts: f"{parts[0]} is {parts[1]}"),
        default(b.number, 7),
        nested(a.place, b.place, PLACES),
        each(a.rows, b.rows, ROWS),
    )
    assert_type(mapping.forward(Customer(name="x")), Party)
    assert_type(mapping.put_back(Party(title="x"), Customer(name="x")), Customer)
    assert_type(value_map({"a": 1}), Converter[str, int])
    assert_type(converter(str.lower, str.upper, name="x"), Converter[str, str])
    assert_type(value_map({"a": 1}) | value_map({1: 2.0}), Converter[str, float])
    return flow.transform(mapping.forward)


same(a.nmae, b.title)  # pyright: ignore[reportUnknownArgumentType, reportAttributeAccessIssue, reportUnknownMemberType]
same(a.name, b.number)  # pyright: ignore[reportCallIssue, reportArgumentType]
same(a.marks, b.tags)  # pyright: ignore[reportCallIssue, reportArgumentType]
same(a.tags, a.numbers)  # pyright: ignore[reportCallIssue, reportArgumentType]
same(a.nick, b.place.town)  # pyright: ignore[reportOptionalMemberAccess]
same(a.name, row(b.rows, type="nick").number)  # pyright: ignore[reportUnknownArgumentType, reportAttributeAccessIssue, reportUnknownMemberType]
same(a.name, b.title, on_null="drop")  # pyright: ignore[reportCallIssue, reportArgumentType]
convert(a.age, b.title, trimmed())  # pyright: ignore[reportCallIssue, reportArgumentType]
convert(a.name, b.number, trimmed())  # pyright: ignore[reportCallIssue, reportArgumentType]
convert((a.name, a.age), b.title, template("{} {}"))  # pyright: ignore[reportCallIssue, reportArgumentType]
convert(a.born, b.title, date_text())  # pyright: ignore[reportCallIssue, reportArgumentType]
trimmed() | value_map({1: 2})  # pyright: ignore[reportUnusedExpression, reportOperatorIssue]
computed(b.number, a.name, str.lower)  # pyright: ignore[reportCallIssue, reportArgumentType]
default(b.number, "seven")  # pyright: ignore[reportCallIssue, reportArgumentType]
each(a.rows, b.tags, ROWS)  # pyright: ignore[reportArgumentType]
Mapping(Customer, Party).forward(Party(title="x"))  # pyright: ignore[reportArgumentType]
