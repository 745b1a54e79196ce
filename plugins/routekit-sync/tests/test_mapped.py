"""The units of a pair come from one mapping, and the planner moves what they say."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from routekit import BadOption, Sensitive
from routekit_mapping import Mapping, convert, converter, default, fields, same, unit
from routekit_sync import Rule, units_of


class Contact(BaseModel):
    name: str
    email: Annotated[str, Sensitive("email")] | None = None
    street: str | None = None
    town: str | None = None


class Party(BaseModel):
    title: str
    mail: str | None = None
    road: str | None = None
    city: str | None = None
    kind: str = "x"


c, p = fields(Contact), fields(Party)
LOWER = converter(str.lower, str.lower, name="lower case", loss="case")
MAPPING = Mapping(
    Contact,
    Party,
    same(c.name, p.title, direction="to_b"),
    convert(c.email, p.mail, LOWER),
    unit("address", same(c.street, p.road), same(c.town, p.city)),
    default(p.kind, "customer"),
)


def test_a_mapping_gives_units() -> None:
    """Names, fields, directions, rules of conflict, defaults, what is sensitive and what means the same."""
    name, email, address, kind = units_of(MAPPING, rules={"email": Rule.NEWEST}, revert=["name"])
    assert (name.a, name.b, name.to_a, name.revert, name.rule) == (("name",), ("title",), None, True, Rule.A)
    assert (email.rule, email.revert, email.sensitive) == (Rule.NEWEST, False, {"email": "email"})
    assert email.same({"mail": "ADA@x"}, {"mail": "ada@x"})
    assert email.same_a({"email": "ADA@x"}, {"email": "ada@x"})
    assert (address.name, address.a, address.b) == ("address", ("street", "town"), ("road", "city"))
    assert kind.only_new
    assert kind.to_b is not None
    assert kind.to_b({}) == {"kind": "customer"}


def test_conversions_keep_absent_and_null_apart() -> None:
    """A name that is left out is not written; None clears; what cannot be converted is a ValueError."""
    _, email, address, _ = units_of(MAPPING)
    turns: list[Any] = [email.to_b, address.to_b, email.to_a]
    assert turns[0]({"email": None}) == {"mail": None}
    assert turns[1]({"street": "S"}) == {"road": "S"}
    assert turns[2]({"mail": "A@x"}) == {"email": "a@x"}
    with pytest.raises(ValueError, match="valid string") as caught:
        turns[0]({"email": 7_777})
    assert "7" not in str(caught.value)


def test_a_rule_for_a_unit_that_is_not_there_is_found() -> None:
    """A misspelled name is no rule that silently does nothing."""
    with pytest.raises(BadOption, match="did you mean 'email'"):
        units_of(MAPPING, rules={"emial": Rule.B})
    with pytest.raises(BadOption, match="no unit 'street'"):
        units_of(MAPPING, revert=["street"])


def test_on_a_side_that_is_never_written_each_change_counts() -> None:
    """A rule that goes one way knows of no two values there that mean the same, or no change would ever be carried."""
    name, *_ = units_of(MAPPING)
    assert not name.same_a({"name": "Ada"}, {"name": "Ada King"})
    assert name.same_a({"name": "Ada"}, {"name": "Ada"})
