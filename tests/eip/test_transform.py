"""transform"""

from functools import partial
from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Message, from_, in_thread
from routekit.eip.transform import Transform
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def later(n: int) -> int:
    await anyio.sleep(1)
    return n * 2


class Twice:
    def __call__(self, n: int) -> int:
        return n * 2

    async def later(self, n: int, message: Message[int]) -> int:
        return message.body * 2


def multiplied(n: int, by: int) -> int:
    return n * by


@pytest.mark.parametrize(
    "function",
    [
        lambda n: n * 2,
        lambda n, message: n + message.body,
        lambda n, factor=2: n * factor,
        later,
        lambda n: later(n),
        lambda n, message: later(message.body),
        Twice(),
        Twice().later,
        partial(multiplied, by=2),
    ],
)
async def test_the_body_becomes_what_the_function_makes(function: Any) -> None:
    """Any shape of function will do; headers and id stay."""
    sink = Sink()
    await run_routes(from_(Feed([Message(4, {"h": 1}, "m")]), int).transform(function).to(sink))
    assert sink.messages == [Message(8, {"h": 1}, "m")]


@pytest.mark.real_time
async def test_a_blocking_function_may_run_in_a_thread() -> None:
    """`in_thread` makes it async."""
    import threading

    sink = Sink()
    await run_routes(from_(Feed([1]), int).transform(in_thread(lambda n: threading.get_ident())).to(sink))
    assert sink.bodies != [threading.get_ident()]


async def test_it_may_give_none() -> None:
    """None is a body like any other: the message goes on."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).transform(lambda n: None).to(sink))
    assert sink.bodies == [None]


def test_a_function_of_none_or_three_is_refused_when_written() -> None:
    """The error shows the function's parameters."""
    with pytest.raises(DefinitionError, match=r"found multiplied\(n: int, by: int, to: int\)|found .*\(a, b, c\)"):
        from_("timer:x").transform(lambda a, b, c: a)  # type: ignore[misc]
    with pytest.raises(DefinitionError):
        from_("timer:x").transform(lambda: 1)  # type: ignore[misc]


def test_its_label_names_the_function() -> None:
    """A drawing shows what happens."""
    assert Transform(later).label == "transform(later)"
    assert Transform(partial(multiplied, by=2)).label == "transform(multiplied)"
