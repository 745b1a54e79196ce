"""Keeping parts, branches and retries apart."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, PrivateAttr

from routekit import Message
from routekit.isolation import apart, isolated, unchanging


class Colour(Enum):
    RED = 1


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    when: date | None = None
    tags: tuple[str, ...] = ()
    kind: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    where: Optional["Frozen"] = None


class FrozenOutside(BaseModel):
    model_config = ConfigDict(frozen=True)
    tags: list[str]


class Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")
    name: str


class Secretive(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    _notes: list[str] = PrivateAttr(default_factory=list)

    @property
    def notes(self) -> list[str]:
        return self._notes


class Model(BaseModel):
    tags: list[str]


@dataclass(frozen=True)
class Point:
    x: float
    name: str = ""


@dataclass(frozen=True)
class Holder:
    point: Point
    things: list[str] = field(default_factory=list)


@dataclass
class Loose:
    x: int


class Pair(NamedTuple):
    first: list[int]
    second: int


@pytest.mark.parametrize(
    "body",
    [
        None,
        True,
        1,
        1.5,
        "text",
        b"bytes",
        date(2026, 1, 1),
        datetime(2026, 1, 1),
        timedelta(1),
        Decimal(1),
        UUID(int=1),
        Colour.RED,
        Path("x"),
        Frozen(name="x", where=None),
        Point(1.0),
        int,
    ],
)
def test_what_cannot_be_changed_is_not_copied(body: Any) -> None:
    """It costs nothing."""
    assert isolated(body) is body


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ([1, [2]], lambda b: b[1].append(3)),
        ({"a": 1}, lambda b: b.update(a=2)),
        ({"a": [1]}, lambda b: b["a"].append(2)),
        ({1, 2}, lambda b: b.add(3)),
        (bytearray(b"x"), lambda b: b.append(1)),
        (([1],), lambda b: b[0].append(2)),
        (Pair([1], 2), lambda b: b.first.append(2)),
        (Model(tags=["a"]), lambda b: b.tags.append("b")),
        (FrozenOutside(tags=["a"]), lambda b: b.tags.append("b")),
        (Open(name="x", extra=["a"]), lambda b: b.extra.append("b")),
        (Secretive(name="x"), lambda b: b.notes.append("b")),
        (Holder(Point(1.0)), lambda b: b.things.append("b")),
        (Loose(1), lambda b: setattr(b, "x", 2)),
        (OrderedDict(a=[1]), lambda b: b["a"].append(2)),
    ],
)
def test_what_can_be_changed_is_copied_whole(body: Any, change: Any) -> None:
    """A change to the copy does not show in the original; type and value are the same."""
    before = repr(body), getattr(body, "notes", None) == []
    copy = isolated(body)
    assert type(copy) is type(body)
    assert repr(copy) == repr(body)
    change(copy)
    assert (repr(body), getattr(body, "notes", None) == []) == before


@pytest.mark.parametrize(
    ("kind", "safe"),
    [
        (int, True),
        (int | None, True),
        (tuple[int, ...], True),
        (tuple[list[int], int], False),
        (frozenset[str], True),
        (Frozen, True),
        (FrozenOutside, False),
        (Open, False),
        (Secretive, False),
        (Point, True),
        (Holder, False),
        (Loose, False),
        (list, False),
        (dict[str, int], False),
        (Any, False),
        (object, False),
        (None, False),
        (Literal[1, 2], True),
    ],
)
def test_types_that_are_safe_to_share(kind: Any, safe: bool) -> None:
    """Judged by the type alone; when in doubt it is not."""
    assert unchanging(kind) is safe


def mutables(value: Any) -> list[Any]:
    """All lists, dicts and sets in a value."""
    if isinstance(value, dict):
        return [value, *(inner for item in value.values() for inner in mutables(item))]
    if isinstance(value, list | tuple):
        rest = [inner for item in value for inner in mutables(item)]
        return rest if isinstance(value, tuple) else [value, *rest]
    if isinstance(value, Model):
        return [value, *mutables(value.tags)]
    return []


bodies = st.recursive(
    st.none() | st.integers() | st.text() | st.builds(Model, tags=st.lists(st.text(), max_size=2)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)


@given(bodies)
def test_a_copy_shares_nothing_that_can_change(body: Any) -> None:
    """Whatever is nested in it."""
    copy = isolated(body)
    assert copy == body
    own = {id(value) for value in mutables(body)}
    assert not own & {id(value) for value in mutables(copy)}


def test_a_message_apart_keeps_all_but_the_body() -> None:
    """And is the same message if its body cannot be changed."""
    plain, rich = Message(1, {"a": 1}, "m"), Message([1], {"a": 1}, "m")
    assert apart(plain) is plain
    copy = apart(rich)
    assert copy == rich
    assert copy.body is not rich.body
