"""Dead letters as data."""

import json
import sys
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from routekit.letter import Cluster, Letter, clusters_of, kind_named, kind_of, packed, unpacked
from routekit.likeness import fingerprint


class Lead(BaseModel):
    email: str
    since: date


@dataclass
class Point:
    x: float


class Odd:
    """Something that JSON does not know."""

    def __repr__(self) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"n": 1}, {"n": 1}),
        (b"\xff", {"base64": "/w=="}),
        (bytearray(b"a"), {"base64": "YQ=="}),
        (Lead(email="a@b", since=date(2026, 1, 2)), {"email": "a@b", "since": "2026-01-02"}),
        (Point(1.5), {"x": 1.5}),
        ([Decimal("1.10"), Path("a/b")], ["1.10", "a/b"]),
        (None, None),
    ],
)
def test_bodies_become_json_ready(body: Any, data: Any) -> None:
    """So that they can be kept, read by people and parsed again."""
    assert packed(body) == data
    json.dumps(packed(body), allow_nan=False)


def test_what_json_does_not_know_becomes_text() -> None:
    """Nothing is lost for being odd."""
    assert isinstance(packed({"odd": Odd()})["odd"], str)


@given(st.binary())
def test_bytes_come_back(data: bytes) -> None:
    """As they were."""
    assert unpacked(packed(data)) == data


@pytest.mark.parametrize("data", [{"base64": "YQ==", "more": 1}, {"a": 1}, [1], "text", None])
def test_other_data_stays(data: Any) -> None:
    """Only what was packed from bytes becomes bytes."""
    assert unpacked(data) == data


class Outer:
    """Holds another class."""

    @dataclass(frozen=True)
    class Inner:
        x: int


@pytest.mark.parametrize("body", [Lead(email="a@b", since=date(2026, 1, 2)), Point(1.5), Outer.Inner(1)])
def test_the_class_of_a_body_is_found_again(body: Any) -> None:
    """A dataclass or a model, by its name."""
    assert kind_named(kind_of(body)) is type(body)


@pytest.mark.parametrize("body", [{"n": 1}, [Point(1.5)], "text", 5, None, Odd(), Point])
def test_other_bodies_have_no_class_to_find(body: Any) -> None:
    """They are plain data, or become it."""
    assert kind_of(body) == ""


def test_a_class_inside_a_function_is_not_found() -> None:
    """Nor one that is there no more."""

    @dataclass
    class Hidden:
        x: int

    assert kind_named(kind_of(Hidden(1))) is None


@pytest.mark.parametrize(
    "name", ["", ":", "os:system", "subprocess:Popen", "builtins:eval", "antigravity:fly", "x", "a:b:c"]
)
def test_a_letter_can_name_nothing_else(name: str) -> None:
    """Neither functions nor other classes; no module is imported for it."""
    assert kind_named(name) is None
    assert "antigravity" not in sys.modules


def letter(id: str, reason: str, when: float, step: str = "to crm") -> Letter:
    return Letter(id, "m1", "shop.orders", "feed:", step, "shop.py:7", "KeyError", reason, 2, when, {"n": 1})


def test_a_letter_knows_its_cluster() -> None:
    """Also one that an older version has kept without it; one that is given stays."""
    made = letter("l1", "order 5 is unknown", 1.0)
    assert made.cluster == fingerprint("shop.orders", "to crm", "KeyError", "order 77 is unknown")
    assert replace(made, cluster="mine").cluster == "mine"


def test_letters_of_a_kind_are_a_cluster() -> None:
    """With their number and the times of the first and the last; the largest cluster first."""
    letters = [
        letter("l1", "is away", 9.0),
        letter("l2", "order 5 is unknown", 3.0),
        letter("l3", "order 6 is unknown", 1.0),
        letter("l4", "order 7 is unknown", 2.0),
        letter("l5", "order 7 is unknown", 5.0, step="to erp"),
    ]
    assert clusters_of(letters) == [
        Cluster(letters[1].cluster, "shop.orders", "to crm", "KeyError", "order * is unknown", 3, 1.0, 3.0),
        Cluster(letters[0].cluster, "shop.orders", "to crm", "KeyError", "is away", 1, 9.0, 9.0),
        Cluster(letters[4].cluster, "shop.orders", "to erp", "KeyError", "order * is unknown", 1, 5.0, 5.0),
    ]
