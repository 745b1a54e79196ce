"""The message translator."""

from typing import Any

import pytest

from routekit import Message, from_, in_thread
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def later(number: int) -> int:
    return number * 2


async def later_with(number: int, message: Message[int]) -> int:
    return message.body + number


@pytest.mark.parametrize(
    "function",
    [lambda n: n * 2, lambda n, message: n + message.body, later, later_with, lambda n: later(n)],
    ids=["body", "body and message", "async", "async with message", "lambda that calls an async function"],
)
async def test_the_body_becomes_what_the_function_makes(function: Any) -> None:
    """Functions of every shape translate; the id and the headers stay."""
    sink = Sink()
    await run_routes(from_(Feed([Message(2, {"h": 1}, "x")]), int).transform(function).to(sink))
    (message,) = sink.messages
    assert (message.body, message.headers, message.id) == (4, {"h": 1}, "x")


@pytest.mark.real_time
async def test_a_blocking_function_runs_in_a_thread() -> None:
    """`in_thread` keeps a blocking function out of the event loop's thread."""
    from threading import get_ident

    sink = Sink()
    await run_routes(from_(Feed([1]), int).transform(in_thread(lambda n: get_ident())).to(sink))
    assert sink.bodies != [get_ident()]


async def test_none_is_a_body_too() -> None:
    """A function that gives None gives a message with an empty body; it does not end the message."""
    sink = Sink()
    run = await run_routes(from_(Feed([1]), int).transform(lambda n: None).to(sink))
    assert (sink.bodies, run.counts["route-1"].done) == ([None], 1)
