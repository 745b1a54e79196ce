"""filter"""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Message, from_
from routekit.eip.filter import Filter
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def later(n: int) -> bool:
    await anyio.sleep(1)
    return n > 2


@pytest.mark.parametrize(
    "predicate",
    [lambda n: n > 2, lambda n, message: message.body > 2, later, lambda n: later(n), lambda n: [n] if n > 2 else []],
)
async def test_it_passes_on_what_holds_and_ends_the_rest(predicate: Any) -> None:
    """Messages for which the predicate is true go on; the others end, acknowledged without a reply."""
    feed, sink = Feed([1, 3, 2, 4]), Sink()
    run = await run_routes(from_(feed, int).filter(predicate).to(sink))
    assert sink.bodies == [3, 4]
    assert [reply is None for _, reply in feed.acknowledged] == [True, False, True, False]
    assert (run.counts["route-1"].done, run.counts["route-1"].ended) == (2, 2)


async def test_the_message_goes_on_as_it_is() -> None:
    """Headers and id are untouched."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, {"h": 1}, "m")]), int).filter(bool).to(sink))
    assert sink.messages == [Message(1, {"h": 1}, "m")]


def test_what_cannot_be_called_is_no_predicate() -> None:
    """A value, or a function with other parameters, is refused when it is written."""
    with pytest.raises(DefinitionError, match="filter takes a function, found True"):
        from_("timer:x").filter(True)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="with \\(body\\) or \\(body, message\\)"):
        from_("timer:x").filter(lambda a, b, c: True)  # type: ignore[misc]


def test_its_label_names_the_predicate() -> None:
    """A drawing shows what is asked."""
    assert Filter(later).label == "filter(later)"


async def test_a_predicate_that_raises_is_no_verdict() -> None:
    """An error in the predicate fails the message; it neither passes nor vanishes."""
    sink = Sink()
    run = await run_routes(from_(Feed([0]), int).filter(lambda n: 1 / n > 0).to(sink))
    assert sink.bodies == []
    (letter,) = run.letters
    assert (letter.error, letter.step) == ("ZeroDivisionError", "filter(1 / n > 0)")
