"""Routes that are paused by their policy: outside a window of time, and while a circuit breaker is open."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from routekit import DefinitionError, Message, Policy, Runs, Step, Window, from_
from routekit.events import CircuitChanged, RoutePaused, RouteResumed, RouteStarted
from routekit.runtime.service import Service, Setup
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


class Clock:
    """Wall time that follows anyio's clock from a given moment on, and can be set."""

    def __init__(self, start: str) -> None:
        self.start = datetime.fromisoformat(start).timestamp()
        self.first: float | None = None

    def __call__(self) -> float:
        now = anyio.current_time()
        self.first = now if self.first is None else self.first
        return self.start + now - self.first

    def __str__(self) -> str:
        return f"{datetime.fromtimestamp(round(self(), 3), UTC):%d %H:%M:%S}"


def setup_at(clock: Clock, run: Run, **changes: Any) -> Setup:
    def watch(event: Any) -> None:
        run.events.append((str(clock), type(event).__name__, event.route))

    return setup_for(run, now=clock, watch=watch, **changes)


async def test_a_route_runs_in_its_window() -> None:
    """It is paused and resumed at the very moment, day after day; its message in flight is finished."""
    clock, run = Clock("2026-11-20T17:59:30+00:00"), Run()
    source = Watched(range(3000))

    async def work(n: int) -> int:
        await anyio.sleep(45)
        return n

    policy = Policy(runs=Runs(during=Window("08:00", "18:00", days="mon-fri")))
    async with running(r=from_(source, int, policy=policy).transform(work), setup=setup_at(clock, run)) as service:
        await anyio.sleep(60)
        assert source.state["asked"] == len(source.told) == 1
        stats = await service.control("stats", "r")
        assert (stats["state"], stats["why"]) == ("paused", "outside mon-fri 08:00-18:00 UTC")
        await anyio.sleep(4 * 86400)
    assert [event[:2] for event in run.events][:6] == [
        ("20 17:59:30", "RouteStarted"),
        ("20 18:00:00", "RoutePaused"),
        ("23 08:00:00", "RouteResumed"),
        ("23 18:00:00", "RoutePaused"),
        ("24 08:00:00", "RouteResumed"),
        ("24 18:00:00", "RoutePaused"),
    ]
    assert len(source.told) == 1 + 800 + 800


async def test_a_route_that_starts_outside_its_window_waits_for_it() -> None:
    """It is up, and takes nothing."""
    clock, run = Clock("2026-11-20T03:00:00+00:00"), Run()
    source = Watched([1])
    policy = Policy(runs=Runs(during=(Window("08:00", "12:00"), Window("13:00", "18:00"))))
    async with running(r=from_(source, int, policy=policy), setup=setup_at(clock, run)):
        await anyio.sleep(3600)
        assert (source.state["opened"], source.told) == (0, [])
        await anyio.sleep(10 * 3600)
    assert [event[:2] for event in run.events][:5] == [
        ("20 03:00:00", "RouteStarted"),
        ("20 03:00:00", "RoutePaused"),
        ("20 08:00:00", "RouteResumed"),
        ("20 12:00:00", "RoutePaused"),
        ("20 13:00:00", "RouteResumed"),
    ]
    assert source.told == [("ack", "m1")]


@pytest.mark.parametrize(
    ("start", "times"),
    [
        ("2026-03-28T12:00:00+01:00", ["28 21:00:00", "29 01:00:00", "29 20:00:00", "30 01:00:00"]),
        ("2026-10-24T12:00:00+02:00", ["24 20:00:00", "25 02:00:00", "25 21:00:00", "26 02:00:00"]),
    ],
)
async def test_windows_follow_the_clock_on_the_wall(start: str, times: list[str]) -> None:
    """Over both nights of daylight saving: 22:00 to 03:00 in Berlin, here in UTC."""
    clock, run = Clock(start), Run()
    policy = Policy(runs=Runs(during=Window("22:00", "03:00", zone="Europe/Berlin")))
    async with running(r=from_(Watched([]), policy=policy), setup=setup_at(clock, run)):
        await anyio.sleep(2 * 86400)
    found = [(when, name) for when, name, _ in run.events[2:6]]
    assert found == list(zip(times, ["RouteResumed", "RoutePaused"] * 2, strict=True))
    assert datetime.fromisoformat(start).astimezone(ZoneInfo("Europe/Berlin")).hour == 12


@pytest.mark.parametrize("hours", [10, -10])
async def test_a_clock_that_is_set_is_noticed(hours: int) -> None:
    """Within a minute, forwards and back."""
    clock, run = Clock(f"2026-11-20T{12 - hours:02}:00:00+00:00"), Run()
    policy = Policy(runs=Runs(during=Window("11:00", "13:00")))
    async with running(r=from_(Watched([]), policy=policy), setup=setup_at(clock, run)) as service:
        await anyio.sleep(600)
        assert service.runners[0].state == "paused"
        clock.start += hours * 3600
        await anyio.sleep(61)
        assert service.runners[0].state == "running"


async def test_orders_and_windows_hold_a_route_up_apart() -> None:
    """A route runs when nothing holds it up: `resume` does not open a window, nor does a window undo `pause`."""
    clock, run = Clock("2026-11-20T07:00:00+00:00"), Run()
    policy = Policy(runs=Runs(during=Window("08:00", "18:00")))
    async with running(r=from_(Watched([]), policy=policy), setup=setup_at(clock, run)) as service:
        await anyio.sleep(1)
        assert (await service.control("resume", "r"))["state"] == "paused"
        assert (await service.control("start", "r"))["state"] == "paused"
        assert (await service.control("pause", "r"))["why"] == "asked for, outside 08:00-18:00 UTC"
        await anyio.sleep(2 * 3600)
        assert (await service.control("stats", "r"))["why"] == "asked for"
        assert (await service.control("resume", "r"))["state"] == "running"
    assert [name for _, name, _ in run.events] == ["RouteStarted", "RoutePaused", "RouteResumed", "RouteStopped"]


async def test_a_run_does_not_wait_for_a_window() -> None:
    """Outside it there is nothing to do."""
    clock, feed = Clock("2026-11-20T07:00:00+00:00"), Feed([1])
    policy = Policy(runs=Runs(during=Window("08:00", "18:00")))
    await run_routes(r=from_(feed, int, policy=policy), setup=setup_for(Run(), now=clock))
    assert feed.acknowledged == []


async def test_calls_wait_for_the_window_of_the_called() -> None:
    """A message from inside the service is not refused outside the hours."""
    clock, sink = Clock("2026-11-20T07:00:00+00:00"), Sink()
    policy = Policy(runs=Runs(during=Window("08:00", "18:00")))
    async with running(
        outer=from_(Watched([1]), int).to("direct:inner"),
        inner=from_("direct:inner", int, policy=policy).to(sink),
        setup=setup_for(Run(), now=clock),
    ):
        await anyio.sleep(3599)
        assert sink.bodies == []
        await anyio.sleep(2)
        assert sink.bodies == [1]


async def test_the_settings_may_have_hours_for_all() -> None:
    """A policy for routes that say nothing counts as their own."""
    clock = Clock("2026-11-20T07:00:00+00:00")
    policy = Policy(runs=Runs(during=Window("08:00", "18:00")))
    own = Policy(runs=Runs(during=Window("06:00", "18:00")))
    setup = setup_for(Run(), now=clock, policy=policy)
    async with running(r=from_(Watched([])), own=from_(Watched([]), policy=own), setup=setup) as service:
        await anyio.sleep(1)
        assert [runner.state for runner in service.runners] == ["paused", "running"]


@dataclass(frozen=True)
class Fuse(Step[Any, Any]):
    """Blows when a body says so, for as long as that says."""

    name: str = "erp"

    def bind(self, proceed: Any, runtime: Any) -> Any:
        async def handle(message: Message[Any]) -> Any:
            state, wait = message.body
            runtime.emit(CircuitChanged(runtime.route, self.name, state, "a test", wait))
            return await proceed(message)

        return handle


WAITS = Policy(runs=Runs(pause_when_open="erp"))


async def test_a_route_waits_while_its_breaker_is_open() -> None:
    """It goes on when the breaker lets a probe through, which the route itself has to bring."""
    run, source = Run(), Watched([("open", 60.0), ("half-open", None), ("closed", None), ("open", 30.0), (1, None)])
    start = anyio.current_time()
    times: list[float] = []
    flow = from_(source, policy=WAITS).transform(lambda body: times.append(anyio.current_time() - start) or body)
    async with running(r=flow.then(Fuse()), setup=setup_for(run)) as service:
        await anyio.sleep(1)
        assert (await service.control("stats", "r"))["why"] == "circuit breaker 'erp' is open"
        await anyio.sleep(200)
    assert times == pytest.approx([0, 60, 60, 60, 90])
    assert len(run.of(RoutePaused)) == len(run.of(RouteResumed)) == 2


async def test_a_breaker_that_another_route_opens() -> None:
    """Its name is known in the whole service; a breaker of another name holds up nobody."""
    source = Watched([])
    gate = anyio.Event()
    other = from_(Feed([("open", None)], gate=gate)).then(Fuse()).then(Fuse("crm"))
    async with running(r=from_(source, policy=WAITS), other=other) as service:
        await anyio.sleep(1)
        assert service.runners[0].state == "running"
        gate.set()
        await anyio.sleep(80000)
        assert service.runners[0].state == "paused", "one that was opened by hand is waited for"


async def test_a_breaker_that_opens_anew_is_waited_for_anew() -> None:
    """The last word counts."""
    first, second = anyio.Event(), anyio.Event()
    flows = [from_(Feed([("open", wait)], gate=gate)).then(Fuse()) for wait, gate in ((60.0, first), (100.0, second))]
    async with running(r=from_(Watched([]), policy=WAITS), a=flows[0], b=flows[1]) as service:
        first.set()
        await anyio.sleep(50)
        second.set()
        await anyio.sleep(99)
        assert service.runners[0].state == "paused"
        await anyio.sleep(2)
        assert service.runners[0].state == "running"


async def test_a_run_waits_for_a_breaker_that_will_close() -> None:
    """As for a system that is away: there is something left to do."""
    source = Watched([("open", 60.0), ("closed", None)])
    before = anyio.current_time()
    await run_routes(r=from_(source, policy=WAITS).then(Fuse()))
    assert len(source.told) == 2
    assert anyio.current_time() - before == pytest.approx(60)


async def test_a_stop_does_not_wait_for_a_breaker() -> None:
    """Nobody takes up a reader again that its breaker has paused: the service ends without its drain time."""
    source = Watched([("open", 1000.0)])
    before = anyio.current_time()
    async with running(outer=from_(source).then(Fuse()), inner=from_("queue:q", policy=WAITS)) as service:
        await anyio.sleep(5)
        assert service.runners[1].state == "paused"
    assert anyio.current_time() - before == pytest.approx(5)


async def test_a_breaker_is_heard_of_while_the_route_is_stopped() -> None:
    """A route that is started while the breaker is open comes up paused."""
    service = Service(
        routes_of(r=from_(Watched([]), policy=Policy(runs=Runs(start="manual", pause_when_open="erp")))),
        setup_for(run := Run()),
    )
    async with service.started():
        await anyio.sleep(1)
        service.runners[0].hear(CircuitChanged("x", "erp", "open", "a test", 100.0))
        await anyio.sleep(50)
        await service.control("start", "r")
        await anyio.sleep(1)
        assert service.runners[0].state == "paused"
        await anyio.sleep(50)
        assert service.runners[0].state == "running"
    assert [type(event) for event in run.events][:3] == [RouteStarted, RoutePaused, RouteResumed]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"start": "never"}, "start is 'never'; it is 'auto' or 'manual'"),
        ({"during": "08:00-18:00"}, "during is '08:00-18:00'; write a Window('08:00', '18:00'), or a tuple of them"),
        ({"after": ["a"]}, "after is ['a']; write the name of a route, or a tuple of them"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(wrong: Any, error: str) -> None:
    """With what to write instead."""
    with pytest.raises(DefinitionError) as caught:
        Runs(**wrong)
    assert str(caught.value) == error
