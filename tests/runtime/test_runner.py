"""One route from start to stop, and again when something is away."""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import BadOption, DefinitionError, Message, Policy, Step, Unavailable, UnknownScheme, from_
from routekit.events import RouteDegraded, RouteStarted, RouteStopped
from routekit.runtime.runner import AGAIN
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


def down(times: int) -> Hooked:
    """A sink that is away the first few times that it is opened."""
    left = [times]

    async def opening() -> None:
        if left[0]:
            left[0] -= 1
            raise Unavailable("sink is away")

    return Hooked(opening=opening)


async def test_a_sink_that_is_away_degrades_only_its_own_route() -> None:
    """The others run; the route takes no message before its sink is up."""
    source, other, run = Watched([1]), Sink(), Run()
    setup = setup_for(run)
    async with running(bad=from_(source, int).to(down(10**9)), good=from_(Feed([1]), int).to(other), setup=setup) as it:
        await anyio.sleep(600)
        assert [(runner.route.name, runner.state) for runner in it.runners] == [
            ("bad", "degraded"),
            ("good", "stopped"),
        ]
    assert other.bodies == [1]
    assert source.state["opened"] == 0
    assert {event.route for event in run.of(RouteDegraded)} == {"bad"}


async def test_a_route_comes_up_once_its_sink_is_there() -> None:
    """After some tries the route starts and loses nothing."""
    feed, run = Feed([1, 2]), Run()
    after = await run_routes(from_(feed, int).to(down(5)), setup=setup_for(run))
    assert len(after.of(RouteDegraded)) == 5
    assert len(after.of(RouteStarted)) == 1
    assert [name for name, _ in feed.acknowledged] == ["feed-1", "feed-2"]


async def test_a_source_that_breaks_is_opened_again() -> None:
    """A source that raises degrades its route, is opened again and goes on; the error is told as it is."""
    source, run = Watched([1, OSError("gone"), 2], endless=False), Run()
    after = await run_routes(from_(source, int), setup=setup_for(run))
    assert source.told == [("ack", "m1"), ("ack", "m2")]
    assert [type(event.error) for event in after.of(RouteDegraded)] == [OSError]


@pytest.mark.parametrize("broken", ["source", "sink"])
async def test_the_backoff_grows_up_to_a_minute(broken: str) -> None:
    """The waits between two starts are random up to 1, 2, 4 ... 60 seconds, for sources and sinks alike."""
    run = Run()
    source = Watched([OSError("gone")] * 30 if broken == "source" else [])
    sink = Sink() if broken == "source" else down(30)
    async with running(from_(source, int).to(sink), setup=setup_for(run)):
        await anyio.sleep(3600)
    waits = [event.wait for event in run.of(RouteDegraded)]
    assert len(waits) == 30
    assert all(wait <= min(60, 2**n) for n, wait in enumerate(waits))
    assert max(waits) > 20


async def test_the_backoff_starts_anew_after_a_good_while() -> None:
    """A failure after a minute of running is a new one: the next wait is short again."""
    run = Run()

    class Hourly(Watched):
        async def consume(self, runtime: Any) -> Any:
            if not self.items:
                await anyio.sleep_forever()
            await anyio.sleep(self.items.pop(0))
            raise OSError("gone")
            yield

    async with running(from_(Hourly([0, 0, 0, 0, 0, 0, 3600, 0]), int), setup=setup_for(run)):
        await anyio.sleep(7200)
    waits = [event.wait for event in run.of(RouteDegraded)]
    assert len(waits) == 8
    assert waits[6] <= AGAIN.first


async def test_what_was_in_flight_when_a_job_broke_is_redelivered() -> None:
    """A background job that fails restarts its route; messages in flight are neither acknowledged nor refused."""
    jobs = [0]

    source, run = Watched([1, 2, 3]), Run()

    @dataclass(frozen=True)
    class Beating(Step[Any, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            async def beat() -> None:
                jobs[0] += 1
                await anyio.sleep(5 if jobs[0] == 1 else 10**6)
                raise OSError("heart stopped")

            runtime.spawn(beat)
            return proceed

    async def slow(n: int) -> int:
        await anyio.sleep(10)
        return n

    policy = Policy(concurrency=2, order_by=lambda n: 0)
    async with running(from_(source, int, policy=policy).then(Beating()).transform(slow), setup=setup_for(run)) as it:
        await anyio.sleep(1000)
        assert it.runners[0].counts.in_flight == 0
    assert source.told == [("ack", "m3")]
    assert [type(event.error) for event in run.of(RouteDegraded)] == [OSError]


async def test_resources_close_after_the_last_message() -> None:
    """A sink is closed once what was in flight is done."""
    log: list[str] = []

    async def sending(message: Message[Any]) -> None:
        await anyio.sleep(5)
        log.append("sent")

    async def closing() -> None:
        log.append("closed")

    async with running(from_(Watched([1, 2]), int).to(Hooked(sending=sending, closing=closing))):
        await anyio.sleep(1)
    assert log == ["sent", "closed"]


@pytest.mark.parametrize(
    ("flow", "error"),
    [
        (from_("nonsense:x"), UnknownScheme),
        (from_("timer:x").to("mokc:x"), UnknownScheme),
        (from_("timer:x").to("mock:x?kep=1"), BadOption),
        (from_("timer:x").to("mock:x", kep=1), BadOption),
        (from_("timer:x").tap(lambda f: f.to("mock:x", keep=lambda b: 1)), BadOption),
        (from_("timer:x?evry=1"), BadOption),
        (from_("timer:x").to("timer:y"), DefinitionError),
        (from_("mock:x"), DefinitionError),
        (from_("timer:x").parse(int, codec="cvs"), DefinitionError),
    ],
)
async def test_a_definition_that_cannot_work_is_raised_at_the_start(flow: Any, error: type[Exception]) -> None:
    """It is not retried for ever, and no route starts before."""
    run = Run()
    with pytest.raises(error):
        await run_routes(from_(Feed([1]), int), flow, setup=setup_for(run))
    assert run.of(RouteStarted) == []


async def test_a_route_tells_of_its_start_and_end() -> None:
    """Start and end are told once, the end with the counts."""
    run = await run_routes(mine=from_(Feed([1, 2]), int))
    assert [event.route for event in run.of(RouteStarted)] == ["mine"]
    (stopped,) = run.of(RouteStopped)
    assert (stopped.route, stopped.counts.done, stopped.unfinished) == ("mine", 2, 0)
