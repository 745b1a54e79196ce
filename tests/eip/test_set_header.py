"""Setting headers."""

from typing import Any

import pytest

from routekit import Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def later(number: int) -> int:
    return number + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7), ("text", "text"), (None, None), (lambda n: n + 1, 2), (lambda n, m: m.id, "x"), (later, 2)],
)
async def test_a_header_is_set_to_a_value_or_what_a_function_makes(value: Any, expected: Any) -> None:
    """Values are set as they are; functions of every shape are called for each message."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, {"old": 0}, "x")]), int).set_header("new", value).to(sink))
    assert sink.messages[0].headers == {"old": 0, "new": expected}


async def test_the_message_before_is_not_touched() -> None:
    """Setting a header makes a new message: who holds the old one sees no change."""
    message = Message(1, {"old": 0}, "x")
    await run_routes(from_(Feed([message]), int).set_header("old", 1))
    assert message.headers == {"old": 0}
