"""Removing headers."""

import pytest

from routekit import Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("patterns", "left"),
    [(("a",), ["x-1", "x-2", "X-3"]), (("x-*",), ["a", "X-3"]), (("a", "?-1"), ["x-2", "X-3"]), (("b",), None)],
)
async def test_headers_that_match_are_gone(patterns: tuple[str, ...], left: list[str] | None) -> None:
    """Names and patterns remove what they match, by case; a name that is not there is no error."""
    headers = {"a": 1, "x-1": 2, "x-2": 3, "X-3": 4}
    sink = Sink()
    await run_routes(from_(Feed([Message(0, headers, "m")])).remove_header(*patterns).to(sink))
    assert list(sink.messages[0].headers) == (left if left is not None else list(headers))
