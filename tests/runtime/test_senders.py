"""Producers as send functions, and options that are computed for each message."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from pydantic import Field

from routekit import PER_MESSAGE, Producer, Runtime, Seconds, Send, from_
from routekit.testing import Feed, run_routes

from ..fakes import Hooked

pytestmark = pytest.mark.anyio

SENT: list[tuple[Any, dict[str, Any]]] = []
OPENED: list[str] = []


class Shelf(Producer):
    """Remembers what it is sent, with the options of each message."""

    scheme = "shelf"
    path: str = ""
    name: Annotated[str | None, PER_MESSAGE] = None
    level: Annotated[int, PER_MESSAGE, Field(ge=1, le=9)] = 1
    keep: Annotated[Seconds, PER_MESSAGE] = 1.0

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        OPENED.append(self.path)

        async def send(message: Any, **options: Any) -> None:
            SENT.append((message.body, options))

        yield send


@pytest.fixture(autouse=True)
def _clean() -> None:
    SENT.clear()
    OPENED.clear()


async def test_a_function_is_called_for_each_message() -> None:
    """An option that is a function is computed from the body, or from body and message, plain or async."""

    async def level(n: int) -> int:
        return n

    shelf = Shelf()
    flow = from_(Feed([1, 2]), int).to(shelf, name=lambda n, message: f"{message.id}-{n}", level=level)
    await run_routes(flow)
    assert SENT == [(1, {"name": "feed-1-1", "level": 1}), (2, {"name": "feed-2-2", "level": 2})]


async def test_a_fixed_option_is_not_passed_for_each_message() -> None:
    """A value given by keyword is an option of the sink itself."""
    await run_routes(from_(Feed([1]), int).to(Shelf(), name="fixed"))
    assert SENT == [(1, {})]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"level": lambda n: 10}, "option 'level' cannot be 10"),
        ({"level": lambda n: "high"}, "option 'level' cannot be 'high'"),
        ({"keep": lambda n: "soon"}, "option 'keep' cannot be 'soon'"),
        ({"name": lambda n: 5}, "option 'name' cannot be 5"),
    ],
)
async def test_a_computed_option_is_checked_as_if_written(options: Any, reason: str) -> None:
    """A value that the field refuses is a rejected message with the reason; type and limits count."""
    run = await run_routes(from_(Feed([1]), int).to(Shelf(), **options))
    assert SENT == []
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert reason in run.letters[0].reason


async def test_a_computed_option_may_be_written_in_units() -> None:
    """A duration is read as it would be in a URI."""
    await run_routes(from_(Feed([1]), int).to(Shelf(), keep=lambda n: "2m"))
    assert SENT == [(1, {"keep": 120.0})]


async def test_equal_targets_share_one_producer() -> None:
    """The same sink written twice is opened once; another one is another."""
    flow = from_(Feed([1]), int).to(Shelf(path="a")).to(Shelf(path="a")).to(Shelf(path="b"))
    await run_routes(flow.to(Shelf(path="a"), name=lambda n: "x"))
    assert sorted(OPENED) == ["a", "b"]
    assert [options for _, options in SENT] == [{}, {}, {}, {"name": "x"}]


async def test_the_engine_encodes_where_the_sink_does_not() -> None:
    """A codec given for a sink without that option encodes the body on its way, and only there."""
    sent: list[Any] = []

    async def sending(message: Any) -> None:
        sent.append(message.body)

    feed = Feed([{"n": 1}])
    await run_routes(from_(feed, dict).to(Hooked(sending=sending), codec="json").to(Hooked(sending=sending)))
    assert sent == [b'{"n":1}', {"n": 1}]


async def test_the_answer_of_a_sink_does_not_replace_the_message() -> None:
    """`to` goes on with the message itself."""
    feed = Feed([1])

    async def sending(message: Any) -> Any:
        return message.with_body("answer")

    await run_routes(from_(feed, int).to(Hooked(sending=sending)))
    assert [reply.body for _, reply in feed.acknowledged] == [1]
