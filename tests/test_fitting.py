"""Parse at the edge."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from routekit import BodyError
from routekit.codecs.csv import Csv
from routekit.codecs.json import Json
from routekit.fitting import fitting


class Order(BaseModel):
    number: int
    lines: list[str] = []


class Colour(Enum):
    RED = "red"


class Level(int, Enum):
    LOW = 1


class Row(TypedDict):
    n: int


@dataclass
class Data:
    n: int


class Handle:
    """A class that pydantic does not know."""


HANDLE = Handle()


@pytest.mark.parametrize(
    ("kind", "raw", "body"),
    [
        (Order, b'{"number": "5"}', Order(number=5)),
        (Order, bytearray(b'{"number": 5}'), Order(number=5)),
        (Order, '{"number": 5}', Order(number=5)),
        (Order, {"number": 5}, Order(number=5)),
        (Data, {"n": "5"}, Data(5)),
        (Row, b'{"n": 5}', {"n": 5}),
        (list[Order], b'[{"number": 1}]', [Order(number=1)]),
        (dict, '{"a": 1}', {"a": 1}),
        (list, b"[1, 2]", [1, 2]),
        (int, "12", 12),
        (int, b"12", 12),
        (float, b"1.5", 1.5),
        (bool, "true", True),
        (Decimal, b"1.10", Decimal("1.10")),
        (date, "2026-01-02", date(2026, 1, 2)),
        (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
        (Path, b"a/b", Path("a/b")),
        (str, b"gr\xc3\xbcn", "grün"),
        (str, "{not json", "{not json"),
        (bytes, "text", b"text"),
        (Any, b"as it is", b"as it is"),
        (object, "as it is", "as it is"),
        (Colour, "red", Colour.RED),
        (Colour, b"red", Colour.RED),
        (Literal["a", "b"], "a", "a"),
        (int | None, "5", 5),
        (str | int, "hello", "hello"),
        (Order | None, b'{"number": 5}', Order(number=5)),
        (Annotated[list[int], Field(min_length=1)], "[1]", [1]),
        (Handle, HANDLE, HANDLE),
    ],
)
def test_bodies_become_the_type(kind: Any, raw: Any, body: Any) -> None:
    """Structured types are read from JSON, plain ones from their text; data is converted without loss."""
    made = fitting(kind)(raw)
    assert made == body
    assert type(made) is type(body)


def test_a_body_of_the_type_passes_as_it_is() -> None:
    """It is not checked again."""
    order = Order.model_construct(number="unchecked")  # type: ignore[arg-type]
    rows = {"a": 1}
    assert fitting(Order)(order) is order
    assert fitting(dict)(rows) is rows


def test_a_codec_decodes_bytes_and_text() -> None:
    """And leaves alone what is data already."""
    fit = fitting(list[Order], Csv(delimiter=";"))
    assert fit(b"number;lines\n") == []
    assert fit([{"number": 1}]) == [Order(number=1)]
    assert fitting(Order, Json())('{"number": 1}') == Order(number=1)


@pytest.mark.parametrize(
    ("kind", "raw", "column", "reason"),
    [
        (Order, b'{"number": "many"}', "number", "input should be a valid integer"),
        (Order, b"{}", "number", "field required"),
        (Order, b"{broken", None, "invalid JSON"),
        (Order, {"number": 1, "lines": [1]}, "lines.0", "input should be a valid string, found 1"),
        (int, "1.5", None, "input should be a valid integer"),
        (int, 1.5, None, "input should be a valid integer"),
        (int, b"\xff", None, ""),
        (str, b"\xff", None, ""),
        (Handle, 5, None, "instance of Handle, found 5"),
        (Decimal, "much", None, "input should be a valid decimal, found 'much'"),
        (Colour, "blue", None, "input should be 'red'"),
    ],
)
def test_what_does_not_fit_says_where_and_why(kind: Any, raw: Any, column: str | None, reason: str) -> None:
    """Column, rule and what was found."""
    with pytest.raises(BodyError) as caught:
        fitting(kind)(raw)
    assert caught.value.column == column
    assert reason in caught.value.reason


def test_all_columns_are_named_at_once() -> None:
    """One reason for each."""
    with pytest.raises(BodyError) as caught:
        fitting(Order)({"number": "x", "lines": 5})
    assert caught.value.column == "number, lines"
    assert "number: " in caught.value.reason
    assert "; lines: " in caught.value.reason
    assert [field for field, _ in caught.value.faults] == ["number", "lines"]
    assert str(caught.value).startswith("number: "), "each once"


def test_long_values_are_cut() -> None:
    """A reason stays one line to read."""
    with pytest.raises(BodyError) as caught:
        fitting(Order)({"number": "x" * 10_000})
    assert len(caught.value.reason) < 200


@pytest.mark.parametrize("base", ["(BaseModel)", ""])
def test_a_body_of_a_class_that_was_loaded_anew_is_read_once_more(base: str) -> None:
    """It waited in memory while its module was reloaded; what does not fit any more is told as ever."""

    def loaded(fields: str) -> Any:
        names: dict[str, Any] = {"__name__": "routes.models"}
        mark = "" if base else "@dataclass\n"
        head = "from dataclasses import dataclass\nfrom pydantic import BaseModel\n"
        exec(f"{head}{mark}class Order{base}:\n    {fields}\n", names)
        return names["Order"]

    before = loaded("id: int")(id=1)
    now = loaded("id: int")
    found = fitting(now)(before)
    assert type(found) is now
    assert found.id == 1
    with pytest.raises(BodyError, match="'total'"):
        fitting(loaded("id: int; total: float"))(before)
