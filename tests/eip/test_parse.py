"""parse"""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from routekit import Message, UnknownName, from_
from routekit.eip.parse import Parse
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


class Model(BaseModel):
    n: int


@dataclass
class Data:
    n: int


class Typed(TypedDict):
    n: int


class Lead(BaseModel):
    email: str
    budget: int = 0


@pytest.mark.parametrize("body", [b'{"email": "a@b"}', '{"email": "a@b"}', {"email": "a@b"}, Lead(email="a@b")])
async def test_it_makes_the_type(body: Any) -> None:
    """JSON bytes, JSON text, plain data and the type itself all become it."""
    sink = Sink()
    await run_routes(from_(Feed([body])).parse(Lead).to(sink))
    assert sink.bodies == [Lead(email="a@b")]


async def test_a_codec_decodes_first() -> None:
    """With a codec bytes are decoded by it, with its options."""
    sink = Sink()
    codec = {"name": "csv", "delimiter": ";"}
    await run_routes(from_(Feed([b"email;budget\na@b;5\n"])).parse(list[Lead], codec=codec).to(sink))
    assert sink.bodies == [[Lead(email="a@b", budget=5)]]


async def test_what_does_not_fit_is_rejected_with_row_and_column() -> None:
    """The reason names the row of the message, the column and what was found."""
    feed = Feed([Message({"email": "a@b", "budget": "much"}, {"row": 12})])
    run = await run_routes(from_(feed).parse(Lead))
    (letter,) = run.letters
    assert letter.error == "BodyError"
    assert letter.reason.startswith("row 12, column 'budget': input should be a valid integer")
    assert letter.step == "parse(Lead)"


async def test_an_unknown_codec_is_found_at_the_start() -> None:
    """With what there is."""
    with pytest.raises(UnknownName, match="did you mean 'csv'"):
        await run_routes(from_(Feed([])).parse(Lead, codec="cvs"))


def test_its_label_names_the_type() -> None:
    """Generic types as they are written."""
    assert Parse(Lead).label == "parse(Lead)"
    assert Parse(list[int]).label == "parse(list)"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (Model, b'{"n": "1"}', Model(n=1)),
        (Model, '{"n": 1}', Model(n=1)),
        (Model, {"n": 1}, Model(n=1)),
        (Data, {"n": "1"}, Data(1)),
        (Typed, b'{"n": 1}', {"n": 1}),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (int, "12", 12),
        (str, b"text", "text"),
    ],
)
async def test_bodies_become_models_dataclasses_and_plain_types(kind: Any, body: Any, expected: Any) -> None:
    """JSON text and plain data are checked into every kind of type that pydantic knows."""
    sink = Sink()
    run = await run_routes(from_(Feed([body])).parse(kind).to(sink))
    assert run.letters == []
    assert sink.bodies == [expected]
