"""sample"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def paced(pauses: list[float]) -> Any:
    """Each message takes its time before it comes to the step."""

    async def come(n: int) -> int:
        await anyio.sleep(pauses[n])
        return n

    return come


async def test_every_nth_goes_on() -> None:
    """The nth, twice the nth and so on; the others end here, acknowledged."""
    feed, sink = Feed(range(1, 8)), Sink()
    run = await run_routes(from_(feed, int).sample(nth=3).to(sink))
    assert sink.bodies == [3, 6]
    assert run.counts["route-1"].ended == 5
    assert len(feed.acknowledged) == 7


@settings(max_examples=50)
@given(
    pauses=st.lists(st.integers(0, 40).map(lambda number: number / 8), max_size=20),
    every=st.integers(1, 60).map(lambda number: number / 8),
)
async def test_one_in_a_while_goes_on(pauses: list[float], every: float) -> None:
    """The first, and then the first that comes so long after the last that went on, or later."""
    sink, now, due, expected = Sink(), 0.0, 0.0, list[int]()
    for n, pause in enumerate(pauses):
        now += pause
        if now >= due:
            expected.append(n)
            due = now + every
    await run_routes(from_(Feed(range(len(pauses))), int).transform(paced(pauses)).sample(every=every).to(sink))
    assert sink.bodies == expected


@pytest.mark.parametrize("how", [{"nth": 2}, {"every": 100}])
async def test_a_retry_does_not_lose_the_one_that_was_chosen(how: Any) -> None:
    """It is chosen again, and counts once; else a failure would end as success."""
    sink, feed = Sink(fail={1: Unavailable("away"), 2: Unavailable("away")}), Feed(range(4))
    policy = Policy(retry=Retry(5, first=0))
    await run_routes(from_(feed, int, policy=policy).sample(**how).to(sink))
    assert sink.bodies == ([1, 3] if "nth" in how else [0])
    assert len(sink.sends) == len(sink.bodies) + 2


async def test_one_that_comes_again_from_its_source_is_chosen_again() -> None:
    """Its source knows that it failed; a message that did not is sampled anew."""
    sink = Sink(fail={1: Unavailable("away")})
    letters = [Message(1, id="a"), Message(2, id="b"), Message(1, id="a"), Message(1, id="a")]
    await run_routes(from_(Feed(letters), int, policy=Policy(dead_letter="refuse")).sample(every=100).to(sink))
    assert sink.bodies == [1]
    assert len(sink.sends) == 2


async def test_ids_that_fail_for_ever_are_forgotten() -> None:
    """A thousand are known again, so that memory does not grow; the oldest make room."""
    sink = Sink(fail={n: Unavailable("away") for n in range(1, 1002)})
    passed_over_or_failed = [Message(n, id=f"{kind}{n}") for n in range(1001) for kind in ("over", "failed")]
    again = [Message(-1, id="failed1000"), Message(-2, id="failed0")]
    flow = from_(Feed([*passed_over_or_failed, *again]), int, policy=Policy(dead_letter="refuse"))
    await run_routes(flow.sample(nth=2).to(sink))
    assert sink.bodies == [-1]


@pytest.mark.parametrize("options", [{}, {"every": 1, "nth": 2}, {"every": 0}, {"every": -1}, {"nth": 0}])
def test_exactly_one_is_given(options: Any) -> None:
    """A time or a number, more than nothing."""
    with pytest.raises(DefinitionError):
        from_("timer:x").sample(**options)


def test_its_label_says_how() -> None:
    """In a drawing."""
    flow = from_("timer:x").sample(every=0.5).sample(nth=10)
    assert [step.label for step in flow.chain.steps] == ["sample(every 0.5 s)", "sample(1 of 10)"]
