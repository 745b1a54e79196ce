"""The message filter."""

from typing import Any

import pytest

from routekit import Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def later(number: int) -> bool:
    return number % 2 == 0


@pytest.mark.parametrize(
    "predicate",
    [lambda n: n % 2 == 0, lambda n, message: message.body % 2 == 0, later, lambda n: later(n)],
    ids=["body", "body and message", "async", "lambda that calls an async function"],
)
async def test_only_what_satisfies_the_predicate_goes_on(predicate: Any) -> None:
    """Functions of every shape decide, and an async verdict is awaited rather than taken for true."""
    sink, feed = Sink(), Feed([1, 2, 3, 4])
    run = await run_routes(from_(feed, int).filter(predicate).to(sink))
    assert sink.bodies == [2, 4]
    assert (run.counts["route-1"].done, run.counts["route-1"].ended) == (2, 2)


async def test_what_is_filtered_out_is_acknowledged_without_a_reply() -> None:
    """A message that ends in a filter is done: its source hears of no error and of no reply."""
    feed = Feed([1])
    await run_routes(from_(feed, int).filter(lambda n: n > 1))
    assert (feed.acknowledged, feed.refused) == ([("feed-1", None)], [])


async def test_a_predicate_that_raises_is_no_verdict() -> None:
    """An error in the predicate fails the message; it neither passes nor vanishes."""
    sink = Sink()
    run = await run_routes(from_(Feed([0]), int).filter(lambda n: 1 / n > 0).to(sink))
    assert sink.bodies == []
    (letter,) = run.letters
    assert (letter.error, letter.step) == ("ZeroDivisionError", "filter(1 / n > 0)")


async def test_the_message_itself_goes_on() -> None:
    """A filter changes neither headers nor id."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, {"a": "b"}, "x")]), int).filter(lambda n: True).to(sink))
    assert (sink.messages[0].headers, sink.messages[0].id) == ({"a": "b"}, "x")
