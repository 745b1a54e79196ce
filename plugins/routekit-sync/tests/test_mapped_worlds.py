"""Two systems that are kept in step by a mapping come to rest, whatever its converters lose and the systems change."""

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from routekit.testing.remote import Knobs
from routekit_mapping import (
    Limit,
    Mapping,
    convert,
    date_text,
    default,
    email,
    fields,
    html_text,
    minor_money,
    multi_select,
    normalised,
    same,
    split_name,
    unit,
    value_map,
    yes_no,
)
from routekit_mapping.testing import records
from routekit_sync import Match, Unit, units_of
from routekit_sync.testing import World


class Contact(BaseModel):
    key: str = "k"
    name: str | None = None
    mail: str | None = None
    born: date | None = None
    amount: Decimal | None = None
    currency: str | None = None
    wants: str | None = None
    stage: str | None = None
    active: str | None = None
    note: str | None = None
    short: str | None = None


class Party(BaseModel):
    key: str = "k"
    given: str | None = None
    family: str | None = None
    email: str | None = None
    birthday: str | None = None
    cents: int | None = None
    money: str | None = None
    interests: list[str] | None = None
    status: int | None = None
    active: bool | None = None
    text: str | None = None
    short: str | None = None
    kind: str | None = None


c, p = fields(Contact), fields(Party)
MAPPING = Mapping(
    Contact,
    Party,
    same(c.key, p.key),
    convert(c.name, (p.given, p.family), split_name(), name="name"),
    convert(c.mail, p.email, normalised(email, samples=["Ada@X.org", "bob@y.org"])),
    convert(c.born, p.birthday, date_text("%d.%m.%Y").inverse),
    unit("money", convert((c.amount, c.currency), (p.cents, p.money), minor_money(), name="money")),
    convert(c.wants, p.interests, multi_select()),
    convert(c.stage, p.status, value_map({"lead": 1, "won": 2, "lost": 3, "dead": 3}, back={3: "lost"})),
    convert(c.active, p.active, yes_no("yes", "no", also_true=["1"])),
    convert(c.note, p.text, html_text(), empty="null"),
    same(c.short, p.short, limit=Limit(3, truncate_ok=True)),
    default(p.kind, "customer"),
)
UNITS = {one.name: one for one in units_of(MAPPING)}
KEY = [Match("key", ["key"], ["key"])]


def edits(side: str) -> st.SearchStrategy[dict[str, Any]]:
    """What a person writes into a record of a side, as JSON fields."""
    drawn = records(MAPPING, side)
    return drawn.map(lambda record: record.model_dump(mode="json", exclude_unset=True, exclude={"key", "kind"}))


CHANGES = st.lists(
    st.tuples(st.just("a"), edits("a")) | st.tuples(st.just("b"), edits("b")), min_size=1, max_size=5
)  # fmt: skip


def lowered(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def agree(one: Unit, a: Any, b: Any) -> bool:
    """Whether what side a has means what side b has, or one of them cannot be said on the other side at all."""
    assert one.to_b is not None
    try:
        there = one.to_b({name: a.get(name) for name in one.a})
    except ValueError:
        return True
    return one.only_new or one.same(there, {name: b.get(name) for name in there})


@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES, st.booleans(), st.booleans())
def test_a_mapping_with_losses_comes_to_rest_in_step(
    changes: list[tuple[str, dict[str, Any]]], together: bool, mangling: bool
) -> None:
    """After any edits on both sides the writes end, both sides mean the same, and a default was given once."""
    knobs = Knobs(prefix="b", normalise={"email": lowered, "text": lowered} if mangling else {})
    world = World(list(UNITS.values()), a=Knobs(prefix="a"), b=knobs, match=KEY)
    id_a = world.a.user_create({"key": "k", "name": "Ada King", "mail": "Ada@X.org"})
    world.quiet()
    (id_b,) = world.b.records
    assert world.b.records[id_b].fields["kind"] == "customer"
    world.b.user_edit(id_b, {"kind": "vip"})
    for side, given_ in changes:
        if given_:
            (world.a if side == "a" else world.b).user_edit(id_a if side == "a" else id_b, given_)
        if not together:
            world.quiet()
    world.quiet()
    a, b = world.a.records[id_a].fields, world.b.records[id_b].fields
    assert b["kind"] == "vip"
    (link,) = world.links()
    listed = {*link.drift, *link.blocked, *link.conflicts}
    for one in UNITS.values():
        if not mangling or one.name not in listed:
            assert one.name in listed or agree(one, a, b), f"{one.name}: {a} and {b}"
    assert mangling or not listed
