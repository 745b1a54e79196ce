"""plain"""

import doctest
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from routekit import BodyError  # type: ignore[attr-defined]
from routekit import plain as module
from routekit.plain import as_json, plain


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Line:
    price: Decimal
    tags: set[str] = field(default_factory=set)


class Order(BaseModel):
    number: int = Field(alias="no")
    day: date
    lines: list[Line]


ORDER = Order(no=1, day=date(2026, 1, 2), lines=[Line(Decimal("9.50"))])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_what_they_say() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(module, extraglobs={"date": date}).failed == 0


def test_plain_keeps_the_values() -> None:
    """Only models and dataclasses become dicts, by the names of their fields, however deep."""
    assert plain({"orders": [ORDER]}) == {
        "orders": [{"number": 1, "day": date(2026, 1, 2), "lines": [{"price": Decimal("9.50"), "tags": set()}]}]
    }
    assert plain((ORDER.lines[0],)) == [{"price": Decimal("9.50"), "tags": set()}]
    assert plain(Line) is Line


def test_plain_does_not_mind_a_model_that_was_changed() -> None:
    """What it holds now goes on, without a warning."""
    order = ORDER.model_copy()
    order.number = "x"  # type: ignore[assignment]
    assert plain(order)["number"] == "x"


def test_json_has_numbers_for_decimals() -> None:
    """So that they compare with numbers; all else is as its JSON text would be."""
    body = {"order": ORDER, Colour.RED: Colour.RED, UUID(int=1): Level.HIGH, 7: (True, None), "big": Decimal(10**30)}
    assert as_json(body) == {
        "order": {"number": 1, "day": "2026-01-02", "lines": [{"price": 9.5, "tags": []}]},
        "red": "red",
        "00000000-0000-0000-0000-000000000001": 3,
        "7": [True, None],
        "big": 10**30,
    }
    assert [type(as_json(Decimal(text))) for text in ("1", "1.5", "Infinity")] == [int, float, float]


@given(JSON)
def test_json_is_itself(data: Any) -> None:
    """Plain data is copied, and text is read."""
    assert as_json({"data": data}) == {"data": data}
    assert as_json(to_json(data)) == from_json(to_json(data)) == as_json(to_json(data).decode())


def test_json_is_a_copy() -> None:
    """What is taken out of it shares nothing with the body."""
    body = {"a": [1]}
    as_json(body)["a"].append(2)
    assert body == {"a": [1]}


@pytest.mark.parametrize(
    ("body", "said"), [("{", "this is not JSON"), (b"", "this is not JSON"), (object(), "is no JSON")]
)
def test_what_is_no_json_is_an_error(body: Any, said: str) -> None:
    """That no retry can mend."""
    with pytest.raises(BodyError, match=said):
        as_json(body)
