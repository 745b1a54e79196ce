"""Parts: what of a mapping can be moved by itself, on JSON fields of records."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, field_validator, model_validator

from routekit import Sensitive
from routekit_mapping import (
    BadMapping,
    Mapping,
    Part,
    computed,
    convert,
    converter,
    default,
    each,
    fields,
    parts_of,
    reference,
    row,
    same,
    some,
    unit,
)


class Line(BaseModel):
    sku: str
    count: int


class Place(BaseModel):
    street: str | None = None
    town: str | None = None


class Contact(BaseModel):
    name: str
    email: Annotated[str, Sensitive("email")] | None = None
    street: str | None = None
    town: str | None = None
    since: date | None = None
    total: Decimal | None = None
    account: int | None = None
    notes: str = ""
    lines: list[Line] = []

    @model_validator(mode="after")
    def has_a_name(self) -> "Contact":
        assert self.name
        return self


class Party(BaseModel):
    title: str = Field(alias="partyTitle", min_length=1)
    mail: str | None = None
    place: Place | None = None
    first: date | None = None
    sum: Decimal | None = None
    parent: str | None = None
    memo: str | None = None
    kind: str = "x"
    label: str | None = None
    rows: list[Line] = []

    @field_validator("mail")
    @classmethod
    def stripped(cls, mail: str | None) -> str | None:
        return mail and mail.strip()


LOWER = converter(str.lower, str.lower, name="lower case", loss="case")
c, p, i, j = fields(Contact), fields(Party), fields(Line), fields(Line)
MAPPING = Mapping(
    Contact,
    Party,
    same(c.name, p.title),
    convert(c.email, p.mail, LOWER),
    unit("address", same(c.street, some(p.place).street), same(c.town, some(p.place).town)),
    same(c.since, p.first),
    same(c.total, p.sum),
    reference(c.account, p.parent, "accounts"),
    same(c.notes, p.memo, empty="null"),
    default(p.kind, "customer"),
    computed(p.label, (c.name, c.town), lambda parts: " of ".join(part for part in parts if part)),
    each(c.lines, p.rows, Mapping(Line, Line, same(i.sku, j.sku, key=True), same(i.count, j.count), name="lines")),
)
PARTS = {part.name: part for part in parts_of(MAPPING)}


def test_each_rule_and_each_unit_is_a_part() -> None:
    """Names of fields are those of JSON; a default is for creation, a computed field goes one way."""
    assert list(PARTS) == [
        "name", "email", "address", "since", "total", "account", "notes", "kind", "label", "lines"
    ]  # fmt: skip
    assert (PARTS["name"].a, PARTS["name"].b) == (("name",), ("partyTitle",))
    assert (PARTS["address"].a, PARTS["address"].b) == (("street", "town"), ("place",))
    assert PARTS["kind"].creation
    assert PARTS["kind"].a == ()
    assert PARTS["kind"].to_a is None
    assert PARTS["label"].to_a is None
    assert PARTS["email"].sensitive == {"email": "email"}


@pytest.mark.parametrize(
    ("part", "a", "b"),
    [
        ("name", {"name": "Ada"}, {"partyTitle": "Ada"}),
        ("email", {"email": "ada@x"}, {"mail": "ada@x"}),
        ("email", {"email": None}, {"mail": None}),
        ("email", {}, {}),
        ("address", {"street": "S", "town": "T"}, {"place": {"street": "S", "town": "T"}}),
        ("address", {"street": "S", "town": None}, {"place": {"street": "S", "town": None}}),
        ("address", {"street": None, "town": None}, {"place": None}),
        ("since", {"since": "2024-02-29"}, {"first": "2024-02-29"}),
        ("total", {"total": "1.10"}, {"sum": "1.10"}),
        ("notes", {"notes": ""}, {"memo": None}),
        ("notes", {"notes": "x"}, {"memo": "x"}),
        ("lines", {"lines": [{"sku": "A", "count": 1}]}, {"rows": [{"sku": "A", "count": 1}]}),
        ("lines", {"lines": []}, {"rows": []}),
    ],
)
def test_parts_turn_json_fields_both_ways(part: str, a: dict[str, object], b: dict[str, object]) -> None:
    """Absent stays absent, null clears, values are JSON on both sides."""
    one = PARTS[part]
    assert one.to_b is not None
    assert one.to_a is not None
    assert one.to_b(a) == b
    back = one.to_a(b)
    assert back == a or (part == "address" and back == {"street": None, "town": None})


def test_defaults_computed_and_references() -> None:
    """A default needs nothing, a label reads what others read too, an exchanged id takes the type of its side."""
    turn = PARTS["kind"].to_b, PARTS["label"].to_b, PARTS["account"].to_b, PARTS["account"].to_a
    assert all(turn)
    kind, label, there, back = (one for one in turn if one)
    assert kind({}) == {"kind": "customer"}
    assert label({"name": "Ada", "town": "T"}) == {"label": "Ada of T"}
    assert there({"account": "uuid-7"}) == {"parent": "uuid-7"}
    assert back({"parent": "7"}) == {"account": 7}
    assert back({"parent": None}) == {"account": None}
    assert PARTS["account"].same_a({"account": 7}, {"account": "7"})


def test_what_means_the_same_is_told() -> None:
    """By what the mapping tells apart: case is lost, 1.10 is 1.1, an empty note is none, absent is as null."""

    def same_b(part: str, left: dict[str, object], right: dict[str, object]) -> bool:
        return PARTS[part].same_b(left, right)

    assert same_b("email", {"mail": "ADA@x "}, {"mail": "ada@x"})
    assert not same_b("email", {"mail": "bob@x"}, {"mail": "ada@x"})
    assert not same_b("email", {"mail": "bob@x"}, {"mail": None})
    assert same_b("total", {"sum": "1.10"}, {"sum": 1.1})
    assert same_b("notes", {"memo": ""}, {"memo": None})
    assert PARTS["notes"].same_a({"notes": ""}, {})
    assert PARTS["notes"].same_a({"notes": ""}, {"notes": None})
    assert not same_b("address", {"place": {"street": "S"}}, {"place": None})
    assert same_b("address", {"place": {"street": None}}, {"place": None})
    assert not PARTS["name"].same_b({"partyTitle": None}, {"partyTitle": "Ada"})
    assert not PARTS["name"].same_b({"partyTitle": 1}, {"partyTitle": "1"})


@pytest.mark.parametrize(
    ("part", "given", "why"),
    [
        ("name", {"name": ""}, "at least 1 character"),
        ("name", {"name": None}, "valid string"),
        ("total", {"total": "many"}, "decimal"),
        ("since", {"since": "29.02.2024"}, "date"),
        ("lines", {"lines": [{"sku": "A", "count": "1"}]}, "integer"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(part: str, given: dict[str, object], why: str) -> None:
    """Nothing is coerced, and the reason holds no value."""
    turn = PARTS[part].to_b
    assert turn is not None
    with pytest.raises(ValueError, match=why) as caught:
        turn(given)
    assert "many" not in str(caught.value)
    assert "29.02" not in str(caught.value)


def test_what_is_sensitive_within_a_field_makes_it_sensitive() -> None:
    """A list whose rows hold addresses is masked whole, whatever its rules read of it; so is a model that holds one."""

    class Row(BaseModel):
        sku: str
        mail: Annotated[str, Sensitive("email")] | None = None

    class Left(BaseModel):
        rows: list[Row] = []
        one: Row | None = None
        plain: list[Line] = []
        words: list[Annotated[str, Field(max_length=5)]] = []

    left, right, r = fields(Left), fields(Left), fields(Row)
    rows = Mapping(Row, Row, same(r.sku, r.sku, key=True))
    mapping = Mapping(
        Left,
        Left,
        each(left.rows, right.rows, rows),
        same(some(left.one).mail, some(right.one).mail),
        same(left.words, right.words),
        each(left.plain, right.plain, Mapping(Line, Line, same(i.sku, j.sku, key=True))),
    )
    found = {name: kind for part in parts_of(mapping, whole=["one"]) for name, kind in part.sensitive.items()}
    assert found == {"rows": "text", "one": "text"}


def test_rules_that_write_into_one_field_are_one_part() -> None:
    """A field is written whole."""
    mapping = Mapping(
        Contact, Party, same(c.street, some(p.place).street), same(c.name, p.title), same(c.town, some(p.place).town)
    )
    assert [part.name for part in parts_of(mapping)] == ["street+town", "name"]


def test_a_field_of_which_only_some_is_known_is_refused() -> None:
    """What would be lost is named; it may be said that this is meant."""
    some_of_it = Mapping(Contact, Party, same(c.street, some(p.place).street))
    with pytest.raises(BadMapping, match="all of 'place' and does not know town"):
        parts_of(some_of_it)
    (part,) = parts_of(some_of_it, whole=["place"])
    assert isinstance(part, Part)
    rows = Mapping(Contact, Party, same(c.notes, row(p.rows, sku="note").sku))
    with pytest.raises(BadMapping, match="its other rows"):
        parts_of(rows)
