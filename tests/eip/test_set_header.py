"""set_header"""

from typing import Any

import pytest

from routekit import DefinitionError, Message, from_
from routekit.eip.set_header import SetHeader
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def later(n: int) -> int:
    return n + 1


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("x", "x"),
        (5, 5),
        (None, None),
        (lambda n: n + 1, 2),
        (lambda n, message: message.id, "m"),
        (later, 2),
        (lambda n: later(n), 2),
    ],
)
async def test_the_header_is_set(value: Any, found: Any) -> None:
    """To a value, or to what a function makes; the other headers and the body stay."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, {"a": 1, "new": "old"}, "m")]), int).set_header("new", value).to(sink))
    assert sink.messages == [Message(1, {"a": 1, "new": found}, "m")]


async def test_headers_do_not_leak_into_the_source() -> None:
    """The message that came is not changed."""
    message = Message(1, {"a": 1})
    await run_routes(from_(Feed([message]), int).set_header("b", 2))
    assert dict(message.headers) == {"a": 1}


def test_a_function_that_cannot_be_called_is_refused_when_written() -> None:
    """As for every word that takes a function."""
    with pytest.raises(DefinitionError):
        from_("timer:x").set_header("a", lambda: 1)  # type: ignore[misc]


def test_its_label() -> None:
    """It names the header."""
    assert SetHeader("a", 1).label == "set_header(a)"
