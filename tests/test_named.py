"""State that steps share by name."""

import pytest

from routekit import DefinitionError
from routekit.named import Named


def first(name: str, *args: int) -> list[object]:
    return [name, *args]


def second(name: str) -> list[object]:
    return [name]


def test_a_name_is_one_state() -> None:
    """Whoever asks for it with the same options gets the same, made once."""
    named = Named()
    made = named.get(first, "a", (1, 2), "r")
    assert made == ["a", 1, 2]
    assert named.get(first, "a", (1, 2), "other") is made
    assert named.get(first, "b", (1, 2), "r") is not made


def test_kinds_have_names_of_their_own() -> None:
    """A breaker and a bulkhead may have one name."""
    named = Named()
    assert named.get(first, "a", (1,), "r") != named.get(second, "a", (), "r")


@pytest.mark.parametrize(("route", "where"), [("r", "elsewhere in this route"), ("other", "in route 'r'")])
def test_other_options_are_a_mistake(route: str, where: str) -> None:
    """It says where the name was first given."""
    named = Named()
    named.get(first, "a", (1,), "r")
    with pytest.raises(DefinitionError, match=f"'a' has other options {where}"):
        named.get(first, "a", (2,), route)


def test_what_a_route_leaves_may_be_made_anew() -> None:
    """Once no route has a name any more, it may have other options; with the same ones it is what it was."""
    named = Named()
    made = named.get(first, "a", (1,), "r")
    named.get(first, "b", (1,), "r")
    named.get(first, "b", (1,), "other")
    assert list(named.of("r")) == [(first, "a"), (first, "b")]
    left = named.without(["r"])
    assert dict(left.of("r")) == {}
    assert left.get(first, "a", (1,), "r") is made
    assert left.without(["r"]).get(first, "a", (2,), "r") == ["a", 2]
    with pytest.raises(DefinitionError, match="'b' has other options in route 'other'"):
        left.get(first, "b", (2,), "r")
    assert named.get(first, "a", (1,), "other") is made, "and what was asked before holds there"
