"""gather"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Message, Policy, dead_letters, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def itself(body: Any) -> Any:
    return body


@settings(max_examples=30)
@given(naps=st.lists(st.floats(0, 5), max_size=8), parallel=st.integers(1, 8))
async def test_results_are_in_the_order_of_the_parts(naps: list[float], parallel: int) -> None:
    """Whichever part is done first."""

    async def work(nap: float, message: Message[float]) -> int:
        await anyio.sleep(nap)
        return int(message.id.rpartition("/")[2])

    sink = Sink()
    await run_routes(from_(Feed([naps])).gather(itself, lambda f: f.transform(work), parallel=parallel).to(sink))
    assert sink.bodies == [list(range(len(naps)))]


async def test_the_message_goes_on_with_the_list() -> None:
    """With its own id and headers, once."""
    sink = Sink()
    flow = from_(Feed([Message([1, 2], {"h": 1}, "m")]), list)
    await run_routes(flow.gather(itself, lambda f: f.set_header("x", 1).transform(lambda n: n * 2)).to(sink))
    assert sink.messages == [Message([2, 4], {"h": 1}, "m")]


async def test_parts_that_ended_are_left_out() -> None:
    """A filter in the branch takes its part out of the list."""
    sink = Sink()
    await run_routes(from_(Feed([[1, 2, 3]]), list).gather(itself, lambda f: f.filter(lambda n: n != 2)).to(sink))
    assert sink.bodies == [[1, 3]]


async def test_a_failing_part_fails_the_message() -> None:
    """The list does not go on without it."""
    sink = Sink()
    run = await run_routes(from_(Feed([[1, 0]]), list).gather(itself, lambda f: f.transform(lambda n: 1 // n)).to(sink))
    assert sink.bodies == []
    assert [letter.body for letter in run.letters] == [[1, 0]]


async def test_failed_parts_may_be_left_out_as_dead_letters() -> None:
    """Then the list holds the others."""
    sink = Sink()
    flow = from_(Feed([[1, 0, 2]]), list)
    each = flow.gather(itself, lambda f: f.transform(lambda n: 6 // n), on_error="dead_letter_items")
    run = await run_routes(each.to(sink))
    assert sink.bodies == [[6, 3]]
    assert [letter.body for letter in run.letters] == [0]


async def test_what_follows_is_not_part_of_the_branch() -> None:
    """A later failure runs no part again and makes no letter of a part."""
    ran: list[int] = []
    flow = from_(Feed([[1, 2]]), list, policy=Policy(dead_letter="store"))
    each = flow.gather(itself, lambda f: f.transform(lambda n: ran.append(n)), on_error="dead_letter_items")
    run = await run_routes(each.transform(lambda ns: 1 // 0))
    assert ran == [1, 2]
    assert [letter.message_id for letter in run.letters] == ["feed-1"]


def test_its_branches_can_be_drawn() -> None:
    """What runs for each part, and where its failures go."""
    flow: Any = from_("timer:x")
    (step,) = flow.gather(itself, lambda f: f.stop(), parallel=3, on_error=dead_letters(lambda f: f)).chain.steps
    assert [name for name, _ in step.branches()] == ["each", "dead letters"]
    assert step.label == "gather(parallel=3)"
