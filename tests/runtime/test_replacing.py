"""A running service is brought in line with other routes: nothing is lost, and nothing is had twice."""

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from routekit import DefinitionError, Flow, Policy, Runs, Unavailable, UnknownName, from_
from routekit.events import RouteStarted, RouteStopped
from routekit.runtime.replacing import difference
from routekit.runtime.service import Service
from routekit.testing import Inlet, Run, Sink, routes_of, running, setup_for

from ..fakes import Calls, Watched

pytestmark = pytest.mark.anyio


def seconds(length: float) -> Callable[[Any], Any]:
    async def worked(body: Any) -> Any:
        await anyio.sleep(length)
        return body

    return worked


def states(service: Service) -> dict[str, str]:
    return {runner.route.name: runner.state for runner in service.runners}


async def settled(*names: str, service: Service) -> None:
    """Until these routes run."""
    while any(states(service).get(name) != "running" for name in names):
        await anyio.sleep(0.01)


def test_the_difference_is_by_definition() -> None:
    """Each route is kept, changed, new or gone; two of one name are a mistake."""

    def flow(add: int) -> Flow[Any]:
        return from_("timer:t", int).transform(lambda n: n + add)

    found = difference(routes_of(a=flow(1), b=flow(2), c=flow(3)), routes_of(d=flow(4), c=flow(4), a=flow(1)))
    assert (found.changed, found.new, found.gone) == (["c"], ["d"], ["b"])
    with pytest.raises(DefinitionError, match="two routes 'a'"):
        difference((), [*routes_of(a=flow(1)), *routes_of(a=flow(1))])


async def test_what_says_the_same_goes_on_untouched() -> None:
    """Its source is not even opened again, whatever happens around it."""
    run, sources = Run(), [Watched(), Watched()]

    def flows(add: int) -> dict[str, Flow[Any]]:
        return {
            "kept": from_(sources[0], int).transform(lambda n: n + 1),
            "changed": from_(sources[1], int).transform(lambda n: n + add),
        }

    async with running(*routes_of(**flows(1)), setup=setup_for(run)) as service:
        await settled("kept", "changed", service=service)
        kept = service.runners[0]
        assert await service.replace(routes_of(**flows(1))) == []
        assert await service.replace(routes_of(**flows(2))) == ["changed: exchanged"]
        assert service.runners[0] is kept
        assert [source.state["opened"] for source in sources] == [1, 2]
    assert sorted(event.route for event in run.of(RouteStarted)) == ["changed", "changed", "kept"]


async def test_in_flight_messages_finish_on_the_old_version() -> None:
    """The new one takes its first message when the last of the old one is acknowledged."""
    inlet, sink = Inlet(), Sink()

    def flow(version: int) -> Flow[Any]:
        policy = Policy(concurrency=2)
        return from_(inlet, str, policy=policy).transform(seconds(10)).transform(lambda s: f"{s}{version}").to(sink)

    async with running(r=flow(1)) as service, anyio.create_task_group() as tasks:
        await settled("r", service=service)
        for name in "abcd":
            tasks.start_soon(inlet.give, name)
        await anyio.sleep(5)
        before = anyio.current_time()
        assert await service.replace(routes_of(r=flow(2))) == ["r: exchanged"]
        assert anyio.current_time() - before == pytest.approx(5)
        assert [body[1] for body in sink.bodies] == ["1", "1"]
        await anyio.sleep(11)
        assert [body[1] for body in sink.bodies] == ["1", "1", "2", "2"]
        assert {body[0] for body in sink.bodies} == {*"abcd"}
        assert service.counts()["r"].done == 4, "the figures go on"


async def test_new_routes_start_and_gone_ones_end() -> None:
    """Also by another name: then the one that was ends before the one that is starts."""
    run, source = Run(), Watched([1])
    async with running(a=from_(source, int).transform(seconds(10)), setup=setup_for(run)) as service:
        await settled("a", service=service)
        await anyio.sleep(5)
        lines = await service.replace(routes_of(b=from_(source, int), c=from_("timer:t", int)))
        assert lines == ["b: started", "c: started", "a: ended"]
        assert states(service) == {"b": "running", "c": "running"}
        with pytest.raises(UnknownName):
            await service.control("stop", "a")
    assert source.told == [("ack", "m1")]
    order = [
        (type(event).__name__, event.route) for event in run.events if isinstance(event, RouteStarted | RouteStopped)
    ]
    assert order.index(("RouteStopped", "a")) < order.index(("RouteStarted", "b"))


async def test_a_definition_that_cannot_work_touches_nothing() -> None:
    """It is found before anything is stopped."""
    source = Watched()
    flow = from_(source, int)
    async with running(a=flow) as service:
        await settled("a", service=service)
        runner = service.runners[0]
        with pytest.raises(DefinitionError):
            await service.replace(routes_of(a=flow.to("nowhere:at-all"), b=from_("timer:t", int)))
        after = Policy(runs=Runs(after="b")), Policy(runs=Runs(after="a"))
        with pytest.raises(DefinitionError, match="after each other"):
            await service.replace(routes_of(a=from_(source, policy=after[0]), b=from_("timer:t", policy=after[1])))
        assert service.runners == [runner]
        assert states(service) == {"a": "running"}
        assert await service.replace(routes_of(a=flow)) == []


async def test_only_a_running_service_is_brought_in_line() -> None:
    """Before and after it says so."""
    service = Service(routes_of(a=from_("timer:t", int)), setup_for(Run()))
    with pytest.raises(Unavailable, match="does not run"):
        await service.replace([])
    async with service.started():
        pass
    with pytest.raises(Unavailable, match="does not run"):
        await service.replace([])


@pytest.mark.parametrize("both", [False, True])
async def test_calls_from_inside_wait_and_none_fails(both: bool) -> None:
    """Callers of a route that is exchanged are answered by the old version or by the new one."""
    inlet, sink, acknowledged = Inlet(), Sink(), list[str]()

    def flows(version: int) -> dict[str, Flow[Any]]:
        caller = from_(inlet, str, policy=Policy(concurrency=10)).to("direct:b")
        if both:
            caller = caller.transform(lambda s: (s, version)[0])
        return {
            "a": caller,
            "b": from_("direct:b", str).transform(seconds(1)).transform(lambda s: f"{s}{version}").to(sink),
        }

    async def ask(name: str) -> None:
        await inlet.give(name)
        acknowledged.append(name)

    async with running(*routes_of(**flows(1))) as service, anyio.create_task_group() as tasks:
        await settled("a", "b", service=service)
        for version in range(2, 5):
            for n in range(10):
                tasks.start_soon(ask, f"{version}.{n}:")
                await anyio.sleep(0.3)
                if n == 5:
                    tasks.start_soon(service.replace, routes_of(**flows(version)))
        await anyio.sleep(10)
        assert len(acknowledged) == len({body.rpartition(":")[0] for body in sink.bodies}) == len(sink.bodies) == 30
        assert {body.rpartition(":")[2] for body in sink.bodies} == {"1", "2", "3", "4"}


async def test_what_calls_a_gone_route_finishes_first() -> None:
    """A route that is gone ends after those that call it, as they end too."""
    inlet, sink = Inlet(), Sink()
    caller = from_(inlet, str).transform(seconds(5)).to("direct:b")
    async with running(a=caller, b=from_("direct:b", str).to(sink)) as service, anyio.create_task_group() as tasks:
        await settled("a", "b", service=service)
        tasks.start_soon(inlet.give, "x")
        await anyio.sleep(1)
        assert await service.replace([]) == ["a: ended", "b: ended"]
        assert sink.bodies == ["x"]


async def test_a_queue_that_nobody_will_read_is_worked_off() -> None:
    """What waits in memory is not lost when its reader is taken out together with those who fill it."""
    inlet, sink = Inlet(), Sink()
    reader = from_("queue:q", int).transform(seconds(1)).to(sink)
    async with running(a=from_(inlet, int).to("queue:q"), b=reader) as service:
        await settled("a", "b", service=service)
        for n in range(5):
            await inlet.give(n)
        assert await service.replace([]) == ["a: ended", "b: ended"]
        assert sink.bodies == [0, 1, 2, 3, 4]


async def test_a_queue_keeps_what_waits_for_the_next_version() -> None:
    """Both ends are exchanged while it is full: all arrives, once."""
    inlet, sink = Inlet(), Sink()

    def flows(version: int) -> dict[str, Flow[Any]]:
        return {
            "a": from_(inlet, int).transform(lambda n: n + 0 * version).to("queue:q"),
            "b": from_("queue:q", int).transform(seconds(1)).transform(lambda n: (n, version)).to(sink),
        }

    async with running(*routes_of(**flows(1))) as service:
        await settled("a", "b", service=service)
        for n in range(5):
            await inlet.give(n)
        assert await service.replace(routes_of(**flows(2))) == ["a: exchanged", "b: exchanged"]
        await inlet.give(5)
        await anyio.sleep(10)
        assert [n for n, _ in sink.bodies] == [0, 1, 2, 3, 4, 5]
        assert {version for _, version in sink.bodies} == {1, 2}


async def test_what_takes_longer_than_the_drain_time_is_told_and_goes_on() -> None:
    """The exchange is not given up, nor is the message; a further change takes its place in the row."""
    run, inlet, sink = Run(), Inlet(), Sink()

    def flow(version: int) -> Flow[Any]:
        return from_(inlet, str).transform(seconds(100)).transform(lambda s: f"{s}{version}").to(sink)

    async with running(r=flow(1), setup=setup_for(run, drain=30)) as service, anyio.create_task_group() as tasks:
        await settled("r", service=service)
        tasks.start_soon(inlet.give, "a")
        await anyio.sleep(1)
        late = "r: exchanged, once 1 in flight in the version before are done"
        assert await service.replace(routes_of(r=flow(2))) == [late]
        assert service.runners[0].stats()["why"] == "the version before is still at work"
        assert await service.replace(routes_of(r=flow(3))) == [late]
        tasks.start_soon(inlet.give, "b")
        await anyio.sleep(200)
        assert sink.bodies == ["a1", "b3"]
        assert [event.route for event in run.of(RouteStarted)] == ["r", "r"], "the one in between never ran"


async def test_a_stop_waits_for_the_old_versions_too() -> None:
    """Whoever stops in the midst of an exchange finds all that was in flight done."""
    source, sink = Watched([1]), Sink()

    def flow(version: int) -> Flow[Any]:
        return from_(source, int).transform(seconds(20)).transform(lambda n: n + version).to(sink)

    async with anyio.create_task_group() as tasks:
        async with running(r=flow(1), setup=setup_for(Run(), drain=30)) as service:
            await settled("r", service=service)
            await anyio.sleep(1)
            tasks.start_soon(service.replace, routes_of(r=flow(2)))
            await anyio.sleep(1)
        assert sink.bodies == [2]
        assert source.told == [("ack", "m1")]


async def test_what_was_asked_of_a_route_holds_for_its_next_version() -> None:
    """One that was paused stays paused, one that was stopped stays stopped, one that was started goes on."""
    manual = Policy(runs=Runs(start="manual"))

    def flows(version: int) -> dict[str, Flow[Any]]:
        return {
            "paused": from_("timer:a", int).transform(lambda n: n + version),
            "stopped": from_("timer:b", int).transform(lambda n: n + version),
            "started": from_("timer:c", int, policy=manual).transform(lambda n: n + version),
            "waiting": from_("timer:d", int, policy=manual).transform(lambda n: n + version),
        }

    wanted = {"paused": "paused", "stopped": "stopped", "started": "running", "waiting": "stopped"}
    async with running(*routes_of(**flows(1))) as service:
        await settled("paused", "stopped", service=service)
        for action, name in (("pause", "paused"), ("stop", "stopped"), ("start", "started")):
            await service.control(action, name)
        await anyio.sleep(1)
        assert states(service) == wanted
        await service.replace(routes_of(**flows(2)))
        await anyio.sleep(1)
        assert states(service) == wanted
        await service.control("resume", "paused")
        await service.control("start", "stopped")
        await anyio.sleep(1)
        assert states(service)["paused"] == states(service)["stopped"] == "running"


async def test_a_named_state_is_kept_or_made_anew() -> None:
    """A circuit breaker stays as it is while its options do; with others it is a new one, and a clash is told."""

    def flows(window: int, version: int = 1, other: int | None = None) -> dict[str, Flow[Any]]:
        def guarded(size: int) -> Flow[Any]:
            return from_("timer:u", int).circuit_breaker(lambda f: f.transform(lambda n: n), name="erp", window=size)

        flow = from_("timer:t", int).circuit_breaker(
            lambda f: f.transform(lambda n: n + version), name="erp", window=window
        )
        return {"a": flow} | ({} if other is None else {"b": guarded(other)})

    async with running(*routes_of(**flows(10))) as service:
        await settled("a", service=service)
        await service.control("open", "erp")
        await service.replace(routes_of(**flows(10, version=2)))
        assert (await service.control("stats", "erp"))["state"] == "open"
        with pytest.raises(DefinitionError, match="other options"):
            await service.replace(routes_of(**flows(10, version=2, other=20)))
        assert await service.replace(routes_of(**flows(20, version=2, other=20))) == ["a: exchanged", "b: started"]
        await settled("a", "b", service=service)
        assert [found["state"] for found in await service.control("stats", "erp")] == ["closed", "closed"]


async def test_listeners_refuse_while_they_are_exchanged_and_lose_nothing() -> None:
    """A caller from outside is answered by the version that took its call."""
    calls = Calls([1, 2])

    def flow(version: int) -> Flow[Any]:
        return from_(calls, int).transform(seconds(5)).transform(lambda n: (n, version))

    async with running(r=flow(1)) as service:
        await settled("r", service=service)
        await anyio.sleep(1)
        calls.requests[:] = [3]
        await service.replace(routes_of(r=flow(2)))
        await anyio.sleep(6)
        assert calls.answers == {1: (1, 1), 2: (2, 1), 3: (3, 2)}


async def test_a_route_that_waits_for_another_waits_for_its_next_version() -> None:
    """The other was never up: now its successor is waited for."""
    manual, after = Policy(runs=Runs(start="manual")), Policy(runs=Runs(after="first"))
    last = from_("timer:b", int, policy=after)
    async with running(first=from_("timer:a", int, policy=manual), last=last) as service:
        await anyio.sleep(1)
        assert states(service)["last"] == "starting"
        await service.replace(routes_of(first=from_("timer:a", int), last=last))
        await settled("first", "last", service=service)


async def test_a_degraded_route_is_mended_by_its_next_version() -> None:
    """It is not waited for until it would try again."""
    broken = Watched([OSError("away")])
    async with running(a=from_(broken, int)) as service:
        await anyio.lowlevel.checkpoint()
        while states(service)["a"] != "degraded":
            await anyio.lowlevel.checkpoint()
        await service.replace(routes_of(a=from_("timer:t", int)))
        assert states(service) == {"a": "running"}


async def test_an_exhausted_route_starts_again_when_it_has_changed() -> None:
    """Its new definition may have more."""
    sink = Sink()
    first = Watched([1], endless=False)
    async with running(a=from_(first, int).to(sink), b=from_("timer:t", int)) as service:
        await settled("b", service=service)
        while states(service)["a"] != "stopped":
            await anyio.sleep(0.1)
        await service.replace(routes_of(a=from_(Watched([2], endless=False), int).to(sink), b=from_("timer:t", int)))
        await anyio.sleep(0.5)
        assert sink.bodies == [1, 2]


async def test_held_messages_are_held_also_by_routes_that_knew_of_no_holding() -> None:
    """A step comes in that keeps messages in memory: their sources are told when it has let them go, not before."""
    inlet, sink, told = Inlet(), Sink(), list[int]()

    async def give(n: int) -> None:
        await inlet.give(n)
        told.append(n)

    caller = from_(inlet, int).to("direct:b")
    kept = from_("direct:b", int).aggregate("pairs", int, key=lambda n: 1, size=2).to(sink)
    async with running(a=caller, b=from_("direct:b", int)) as service, anyio.create_task_group() as tasks:
        await settled("a", "b", service=service)
        assert await service.replace(routes_of(a=caller, b=kept)) == ["a: exchanged", "b: exchanged"]
        await settled("a", "b", service=service)
        tasks.start_soon(give, 1)
        await anyio.sleep(60)
        assert (told, sink.bodies) == ([], [])
        tasks.start_soon(give, 2)
        await anyio.sleep(60)
        assert (sorted(told), sink.bodies) == ([1, 2], [[1, 2]])


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("stops", [False, True])
async def test_a_route_that_calls_itself_is_finished_by_its_old_version(parallel: int, stops: bool) -> None:
    """Its own calls do not wait for the new version, which waits for them; also not from tasks of their own."""
    inlet, sink = Inlet(), Sink()

    def flows(version: int) -> dict[str, Flow[Any]]:
        walk = (
            from_("direct:walk", int)
            .transform(seconds(5))
            .choice()
            .when(
                lambda n: n > 0,
                lambda more: more.for_each(
                    lambda n: [n - 1] * 2, lambda part: part.to("direct:walk"), parallel=parallel
                ),
            )
            .otherwise(lambda last: last.transform(lambda n: version).to(sink).for_each(lambda n: [], lambda f: f))
        )
        return {"a": from_(inlet, int).to("direct:walk"), "walk": walk}

    async with anyio.create_task_group() as tasks:
        async with running(*routes_of(**flows(1)), setup=setup_for(Run(), drain=100)) as service:
            await settled("a", "walk", service=service)
            tasks.start_soon(inlet.give, 2)
            await anyio.sleep(6)
            before = anyio.current_time()
            if not stops:
                await service.replace(routes_of(**flows(2)))
                assert sink.bodies == [1, 1, 1, 1]
                await inlet.give(0)
        assert anyio.current_time() - before < 50
        assert sink.bodies == [1, 1, 1, 1] + ([] if stops else [2])
