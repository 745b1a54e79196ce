"""Which messages are at work, found without any of them being noted."""

from collections.abc import Sequence

import anyio
import pytest

from routekit import Flow, Policy, Retry, from_
from routekit.events import Draining, RouteStopped
from routekit.runtime.flights import flights
from routekit.testing import Feed, Run, Sink, running, setup_for

from ..crashing import wall

pytestmark = pytest.mark.anyio


async def slow(body: int) -> int:
    await anyio.sleep(1000.0)
    return body


def plainly_slow(body: int) -> object:
    return slow(body)


async def at_work(*flows: Flow[int], after: float = 7.0) -> Sequence[tuple[str, str, str, float]]:
    """(route, message, step, seconds) of what is in flight after so many seconds."""
    async with running(*flows, setup=setup_for(Run(), now=wall, drain=0.0)) as service:
        await anyio.sleep(after)
        found = flights((runner.counts for runner in service.runners), wall)
        return [(one.route, one.message_id, one.step, round(one.seconds, 1)) for one in found]


@pytest.mark.parametrize(
    ("flow", "step"),
    [
        (from_(Feed([1]), int).transform(slow), "transform(slow)"),
        (from_(Feed([1]), int).filter(plainly_slow), "filter(plainly_slow)"),
        (from_(Feed([1]), int).log("{body}").attempt(lambda a: a.transform(slow)), "attempt > transform(slow)"),
        (from_(Feed([1]), int).choice().when(plainly_slow, lambda a: a).otherwise(lambda b: b), "choice"),
        (from_(Feed([1]), int).split(lambda n: [n, n]).transform(slow), "transform(slow)"),
        (
            from_(Feed([1]), int, policy=Policy(durable="store")).tap(lambda t: t.transform(slow)),
            "tap > transform(slow)",
        ),
        (
            from_(Feed([1]), int, policy=Policy(deadline=900)).timeout(lambda t: t.transform(slow), seconds=800),
            "timeout > transform(slow)",
        ),
    ],
)
async def test_a_message_is_at_the_step_that_waits(flow: Flow[int], step: str) -> None:
    """Also inside branches, in a step that is a plain function, and in a durable route."""
    assert await at_work(flow) == [("route-1", "feed-1", step, 7.0)]


async def test_a_message_that_waits_for_another_try_is_at_its_source() -> None:
    """No step has it then."""

    def fails(body: int) -> int:
        raise ValueError(body)

    policy = Policy(retry=Retry(50, first=900.0, most=900.0))
    ((_, message, step, _),) = await at_work(from_(Feed([1]), int, policy=policy).transform(fails), after=0.5)
    assert (message, step) == ("feed-1", "source")


async def test_a_call_is_at_work_in_both_routes() -> None:
    """In the one that calls, and in the one that is called; the oldest comes first."""
    caller, called = from_(Feed([1]), int).to("direct:next"), from_("direct:next", int).transform(slow)
    assert await at_work(caller, called) == [
        ("route-1", "feed-1", "to direct:next", 7.0),
        ("route-2", "feed-1", "transform(slow)", 7.0),
    ]


async def test_what_a_route_brings_itself_is_at_work_too() -> None:
    """A group that goes on later; it is counted as the route's own, not as received."""
    run = Run()
    flow = from_(Feed([1, 2]), int).batch("two", int, size=2).transform(lambda pair: slow(pair[0]))
    async with running(flow, setup=setup_for(run, now=wall, drain=1.0)) as service:
        await anyio.sleep(5.0)
        found = flights((runner.counts for runner in service.runners), wall)
        assert [one.step for one in found] == ["batch(two, size=2)", "transform(slow(pair[0]))"]
    (stopped,) = run.of(RouteStopped)
    assert (stopped.counts.received, stopped.counts.brought, stopped.counts.done) == (2, 1, 0)


async def test_a_stop_tells_what_it_waits_for() -> None:
    """At once, and every five seconds until the drain time is over; then what was left, by the same names."""
    run, sink = Run(), Sink()

    async def work(body: int) -> int:
        await anyio.sleep(8.0 if body == 1 else 1000.0)
        return body

    flow = from_(Feed([1, 2, 3]), int, policy=Policy(concurrency=2)).transform(work).to(sink)
    async with running(flow, setup=setup_for(run, now=wall, drain=12.0)):
        await anyio.sleep(1.0)
    told = [(round(event.seconds), [one.message_id for one in event.flights]) for event in run.of(Draining)]
    assert told == [(12, ["feed-1", "feed-2"]), (7, ["feed-1", "feed-2"]), (2, ["feed-2"])]
    (stopped,) = run.of(RouteStopped)
    assert (stopped.unfinished, stopped.durable) == (1, False)
    assert [(one.message_id, one.step, round(one.seconds)) for one in stopped.left] == [
        ("feed-2", "transform(work)", 13)
    ]
    assert sink.bodies == [1]


async def test_a_stop_with_nothing_at_work_waits_for_nothing() -> None:
    """And says nothing of it."""
    run = Run()
    async with running(from_(Feed([1]), int).to(Sink()), setup=setup_for(run)):
        await anyio.sleep(1.0)
    assert run.of(Draining) == []
    assert [event.left for event in run.of(RouteStopped)] == [()]
