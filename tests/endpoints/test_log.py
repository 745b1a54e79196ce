"""log:"""

import pytest

from routekit import BadOption, Message, from_
from routekit.endpoints.log import Log
from routekit.events import Logged
from routekit.testing import Feed, run_routes

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("log:seen", Logged("mine", "info", "seen: {'n': 1}")),
        ("log:seen?level=error&headers=true", Logged("mine", "error", "seen: {'n': 1} {'h': 2}")),
        ("log:seen?most=4", Logged("mine", "info", "seen: {'n'... (8 characters)")),
    ],
)
async def test_one_line_for_each_message(uri: str, line: Logged) -> None:
    """Name and body, headers on request, at most so many characters."""
    run = await run_routes(mine=from_(Feed([Message({"n": 1}, {"h": 2})])).to(uri))
    assert run.of(Logged) == [line]


def test_wrong_options() -> None:
    """A level that does not exist is refused."""
    with pytest.raises(BadOption, match="level"):
        Log.of("x", {"level": "loud"})
