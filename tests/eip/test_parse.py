"""Parsing in the middle of a route."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from routekit import Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


class Model(BaseModel):
    n: int


@dataclass
class Data:
    n: int


class Typed(TypedDict):
    n: int


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


async def test_a_codec_decodes_first() -> None:
    """With a codec, bytes are decoded by it and the result is checked."""
    sink = Sink()
    await run_routes(from_(Feed([b"n\n1\n2\n"])).parse(list[Model], codec="csv").to(sink))
    assert sink.bodies == [[Model(n=1), Model(n=2)]]


async def test_a_misfit_names_row_column_and_reason_and_is_not_retried() -> None:
    """A body that does not fit is a dead letter at once, and says where and why."""
    from routekit import Policy, Retry

    feed = Feed([Message({"n": "x"}, {"row": 7})])
    run = await run_routes(from_(feed, policy=Policy(retry=Retry(5))).parse(Model))
    (letter,) = run.letters
    assert letter.reason.startswith("row 7, column 'n': input should be a valid integer")
    assert letter.reason.endswith("found 'x'")
    assert (letter.attempts, run.counts["route-1"].retried) == (1, 0)
