"""Message, Meta and Delivery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import Message, Meta
from routekit.message import NO_HEADERS, NO_META


def test_every_change_gives_a_new_message() -> None:
    """The first one stays as it was, and what is not named is taken over."""
    message = Message(1, {"a": 1}, "m", Meta("route"))
    assert message.with_body("x") == Message("x", {"a": 1}, "m")
    assert message.with_headers({"b": 2}) == Message(1, {"b": 2}, "m")
    assert message.with_header("b", 2) == Message(1, {"a": 1, "b": 2}, "m")
    assert message.with_meta(Meta("other")).meta.route == "other"
    assert message == Message(1, {"a": 1}, "m")
    assert message.with_body("x").meta is message.meta


@given(st.text(min_size=1), st.lists(st.integers(0, 10**9), min_size=1, max_size=5, unique=True))
def test_parts_have_ids_under_their_parents(parent: str, indexes: list[int]) -> None:
    """`parent/index`: no two parts of a message have the same."""
    message = Message(0, {"a": 1}, parent)
    parts = [message.part(index, index) for index in indexes]
    assert [part.id for part in parts] == [f"{parent}/{index}" for index in indexes]
    assert len({part.id for part in parts}) == len(indexes)
    assert all(part.headers == {"a": 1} for part in parts)
    assert message.part(0, 0, {"row": 1}).headers == {"row": 1}


def test_equality_is_that_of_id_body_and_headers() -> None:
    """Meta is the engine's and does not count."""
    assert Message(1, {"a": 1}, "m", Meta("x")) == Message(1, {"a": 1}, "m", Meta("y"))
    assert Message(1) != Message(2)
    assert Message(1, {"a": 1}) != Message(1)
    assert Message(1, id="m") != Message(1)
    assert Message(1) != 1


def test_a_message_is_not_hashable() -> None:
    """Its body need not be."""
    with pytest.raises(TypeError):
        hash(Message(1))


def test_it_prints_what_it_holds() -> None:
    """Body, headers and id."""
    assert repr(Message(1, {"a": 1}, "m")) == "Message(1, headers={'a': 1}, id='m')"


def test_what_is_empty_cannot_be_changed() -> None:
    """All messages share the empty headers."""
    with pytest.raises(TypeError):
        NO_HEADERS["a"] = 1  # type: ignore[index]
    assert Message(1).headers is NO_HEADERS
    assert Message(1).meta is NO_META


def test_no_field_can_be_added() -> None:
    """Slots: a typo is an error."""
    with pytest.raises(AttributeError):
        Message(1).bdoy = 2  # type: ignore[attr-defined]


def test_meta_with_an_error_keeps_the_rest() -> None:
    """A rescue branch sees the error and everything else."""
    error = ValueError()
    meta = Meta("route", "source", 1.0, 2, 3.0).with_error(error)
    assert (meta.route, meta.source, meta.received, meta.attempt, meta.deadline) == ("route", "source", 1.0, 2, 3.0)
    assert meta.error is error
