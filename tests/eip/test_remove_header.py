"""remove_header"""

import pytest

from routekit import Message, from_
from routekit.eip.remove_header import RemoveHeader
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

HEADERS = {"x-one": 1, "x-two": 2, "y": 3, "X-three": 4}


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (("y",), ["x-one", "x-two", "X-three"]),
        (("x-*",), ["y", "X-three"]),
        (("x-o??", "y"), ["x-two", "X-three"]),
        (("none",), list(HEADERS)),
        (("*",), []),
        ((), list(HEADERS)),
    ],
)
async def test_headers_that_match_are_gone(patterns: tuple[str, ...], left: list[str]) -> None:
    """Names and patterns, with regard to case; what is not there is no error."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, HEADERS, "m")]), int).remove_header(*patterns).to(sink))
    assert list(sink.messages[0].headers) == left


@pytest.mark.parametrize(("keep", "left"), [("y", ["y"]), (("x-t*", "y"), ["x-two", "y"]), ("none", [])])
async def test_what_is_kept_stays(keep: str | tuple[str, ...], left: list[str]) -> None:
    """Although it matches a pattern: all but a few are gone."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, HEADERS, "m")]), int).remove_header("*", keep=keep).to(sink))
    assert list(sink.messages[0].headers) == left


def test_its_label() -> None:
    """It names the patterns."""
    assert RemoveHeader(("x-*", "y")).label == "remove_header(x-*, y)"
    assert RemoveHeader(("*",), ("a", "b")).label == "remove_header(*, keep=a, b)"
