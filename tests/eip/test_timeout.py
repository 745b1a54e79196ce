"""timeout"""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Expired, Policy, Retry, TimedOut, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def taking(*seconds: float, cancelled: list[float] | None = None) -> Any:
    """A branch that takes so long at its first try, and so long at each next one."""
    left = list(seconds)

    async def work(body: Any) -> Any:
        begun, time = anyio.current_time(), left.pop(0) if len(left) > 1 else left[0]
        try:
            await anyio.sleep(time)
        finally:
            if cancelled is not None and anyio.current_time() < begun + time:
                cancelled.append(anyio.current_time() - begun)
        return "done"

    return lambda flow: flow.transform(work)


async def test_what_is_done_in_time_goes_on() -> None:
    """And what follows may take longer."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).timeout(taking(4.9), seconds=5).apply(taking(100)).to(sink))
    assert sink.bodies == ["done"]


async def test_what_takes_longer_is_cancelled() -> None:
    """At that time, and the message fails with `TimedOut`."""
    feed, cancelled = Feed([1]), list[float]()
    flow = from_(feed, int, policy=Policy(dead_letter="refuse"))
    await run_routes(flow.timeout(taking(100, cancelled=cancelled), seconds=5))
    ((_, error),) = feed.refused
    assert isinstance(error, TimedOut)
    assert str(error) == "not done within 5 s, and cancelled"
    assert cancelled == pytest.approx([5])


async def test_it_is_worth_a_retry() -> None:
    """By the policy, or by an attempt around it."""
    for again in ({"policy": Policy(retry=Retry(1))}, {}):
        sink, flow = Sink(), from_(Feed([1]), int, **again)
        body = taking(100, 1)
        if again:
            flow = flow.timeout(body, seconds=5)
        else:
            flow = flow.attempt(lambda f, body=body: f.timeout(body, seconds=5), retry=Retry(1))
        await run_routes(flow.to(sink))
        assert sink.bodies == ["done"]


async def test_an_attempt_rescues_it() -> None:
    """There is no fallback of its own."""
    sink = Sink()
    flow = from_(Feed([1]), int).attempt(
        lambda f: f.timeout(taking(100), seconds=5), rescue={TimedOut: lambda f: f.transform(lambda n: "late")}
    )
    await run_routes(flow.to(sink))
    assert sink.bodies == ["late"]


async def test_the_inner_of_two_counts_first() -> None:
    """And an outer one that is sooner cancels both."""
    feed, cancelled = Feed([1, 2]), list[float]()
    policy = Policy(dead_letter="refuse")
    inner = from_(feed, int, policy=policy).timeout(
        lambda f: f.timeout(taking(100, cancelled=cancelled), seconds=3), seconds=5
    )
    outer = from_(feed, int, policy=policy).timeout(
        lambda f: f.timeout(taking(100, cancelled=cancelled), seconds=5), seconds=3
    )
    await run_routes(inner)
    await run_routes(outer)
    assert {str(error) for _, error in feed.refused} == {"not done within 3 s, and cancelled"}
    assert cancelled == pytest.approx([3] * 4)


@pytest.mark.parametrize(("deadline", "kind"), [(4, Expired), (5, Expired), (6, TimedOut)])
async def test_the_sooner_of_timeout_and_deadline_counts(deadline: float, kind: type[Exception]) -> None:
    """A deadline that has passed is never retried, a timeout may be."""
    flow = from_(Feed([1]), int, policy=Policy(deadline=deadline)).timeout(taking(100), seconds=5)
    run = await run_routes(flow)
    assert [letter.error for letter in run.letters] == [kind.__name__]


async def test_its_own_failure_is_raised_as_it_is() -> None:
    """Only the time makes a `TimedOut`."""
    run = await run_routes(from_(Feed([0]), int).timeout(lambda f: f.transform(lambda n: 1 // n), seconds=5))
    assert [letter.error for letter in run.letters] == ["ZeroDivisionError"]


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """What follows does not run."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).timeout(lambda f: f.filter(lambda n: False), seconds=5).to(sink))
    assert sink.bodies == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_there_must_be_some_time(seconds: float) -> None:
    """More than nothing."""
    with pytest.raises(DefinitionError, match="seconds is"):
        from_("timer:x").timeout(lambda f: f, seconds=seconds)


def test_its_branch_can_be_drawn() -> None:
    """With the time in its label."""
    (step,) = from_("timer:x").timeout(taking(1), seconds=2.5).chain.steps
    assert step.label == "timeout(2.5 s)"
    assert [name for name, _ in step.branches()] == ["timeout"]
