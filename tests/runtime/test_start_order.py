"""Which route starts and stops before which."""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Message, Policy, Runs, Unavailable, from_
from routekit.events import RouteDegraded, RouteStarted, RouteStopped
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


def taking(seconds: float) -> Hooked:
    """A sink that needs so long to open."""

    async def opening() -> None:
        await anyio.sleep(seconds)

    return Hooked(opening=opening)


def away(times: int) -> Hooked:
    """A sink that cannot be opened so many times."""
    left = [times]

    async def opening() -> None:
        if left[0]:
            left[0] -= 1
            raise Unavailable("away")

    return Hooked(opening=opening)


def started(run: Run) -> list[str]:
    return [event.route for event in run.of(RouteStarted)]


def after(*names: str) -> Policy:
    return Policy(runs=Runs(after=names))


async def test_a_called_route_starts_before_its_callers() -> None:
    """However long it takes to open, and through as many routes as it goes."""
    run = Run()
    async with running(
        shop=from_(Watched([]), int).to("direct:book"),
        desk=from_(Watched([]), int).tap(lambda copy: copy.to("queue:later?size=5")),
        book=from_("direct:book", int).to("direct:store"),
        late=from_("queue:later", int).to(taking(3)),
        store=from_("direct:store", int).to(taking(5)),
        setup=setup_for(run),
    ):
        await anyio.sleep(100)
    assert started(run) == ["late", "desk", "store", "book", "shop"]


async def test_a_called_route_that_is_away_holds_up_nobody() -> None:
    """Its callers start once it has tried; their messages wait for it."""
    run, feed = Run(), Feed([1])
    after_run = await run_routes(
        shop=from_(feed, int).to("direct:book"), book=from_("direct:book", int).to(away(3)), setup=setup_for(run)
    )
    assert started(after_run) == ["shop", "book"]
    assert len(after_run.of(RouteDegraded)) == 3
    assert len(feed.acknowledged) == 1


async def test_routes_that_call_each_other_start() -> None:
    """A circle of calls is nothing wrong: somebody is the first."""
    seen: list[int] = []
    run = await run_routes(
        begin=from_(Feed([3]), int).to("queue:a"),
        a=from_("queue:a", int).transform(lambda n: seen.append(n) or n).filter(bool).to("queue:b"),
        b=from_("queue:b", int).transform(lambda n: n - 1).to("queue:a"),
    )
    assert seen == [3, 2, 1, 0]
    assert sorted(started(run)) == ["a", "b", "begin"]


async def test_a_route_starts_after_those_that_it_names() -> None:
    """It waits until they are up, also while they are away."""
    run = Run()
    async with running(
        last=from_(Watched([]), policy=after("first", "second")),
        first=from_(Watched([])).to(away(4)),
        second=from_(Watched([]), policy=Policy(runs=Runs(after="first"))),
        setup=setup_for(run),
    ):
        await anyio.sleep(1000)
    assert started(run) == ["first", "second", "last"]


async def test_one_that_was_up_and_has_ended_counts() -> None:
    """A route that only had to be done with its source lets the others start, and they need not be quick."""
    sink = Sink()
    run = await run_routes(
        last=from_(Feed([2]), int, policy=after("first")).to(sink), first=from_(Feed([1]), int).to(sink)
    )
    assert sink.bodies == [1, 2]
    assert started(run) == ["first", "last"]


async def test_waiting_for_a_manual_route() -> None:
    """It is told as `starting`, ends no run before its time, and keeps none from its end."""
    manual = Policy(runs=Runs(start="manual"))
    async with running(last=from_(Watched([]), policy=after("first")), first=from_(Watched([]), policy=manual)) as it:
        await anyio.sleep(10)
        assert [runner.state for runner in it.runners] == ["starting", "stopped"]
        assert (await it.control("stats", "last"))["why"] == "after first"
        await it.control("start", "first")
        await anyio.sleep(1)
        assert [runner.state for runner in it.runners] == ["running", "running"]
    run = await run_routes(last=from_(Feed([1]), policy=after("first")), first=from_(Feed([1]), policy=manual))
    assert started(run) == []


async def test_a_waiting_route_can_be_stopped() -> None:
    """And started again, to wait again."""
    manual = Policy(runs=Runs(start="manual"))
    async with running(last=from_(Watched([]), policy=after("first")), first=from_(Watched([]), policy=manual)) as it:
        await it.control("stop", "last")
        await anyio.sleep(1)
        await it.control("start", "first")
        await anyio.sleep(1)
        assert [runner.state for runner in it.runners] == ["stopped", "running"]
        await it.control("start", "last")
        await anyio.sleep(1)
        assert [runner.state for runner in it.runners] == ["running", "running"]


async def test_calls_and_names_may_cross() -> None:
    """A route that is called may itself start after its caller: the caller does not wait for it then."""
    run = Run()
    async with running(
        shop=from_(Watched([]), int).to("direct:book"),
        book=from_("direct:book", int, policy=after("shop")),
        setup=setup_for(run),
    ):
        await anyio.sleep(10)
    assert started(run) == ["shop", "book"]


async def test_routes_that_start_after_each_other_never_start() -> None:
    """A circle of names is refused before anything starts."""
    run = Run()
    with pytest.raises(DefinitionError, match="routes start after each other: a after b after a"):
        await run_routes(
            a=from_(Watched([]), policy=after("b")), b=from_(Watched([]), policy=after("a")), setup=setup_for(run)
        )
    assert run.events == []


async def test_routes_stop_in_reverse() -> None:
    """Those that start later stop earlier: callers before the called, and those that name others before these."""
    run = Run()

    async def slow(n: Any) -> Any:
        await anyio.sleep(5)
        return n

    async with running(
        store=from_("direct:store", int),
        book=from_("direct:book", int).to("direct:store"),
        first=from_(Watched([]), int),
        shop=from_(Watched([1]), int, policy=after("first")).transform(slow).to("direct:book"),
        setup=setup_for(run),
    ):
        await anyio.sleep(1)
    assert [event.route for event in run.of(RouteStopped)] == ["shop", "first", "book", "store"]
    assert run.of(RouteStopped)[-1].counts.done == 1


async def test_what_a_route_sends_while_it_closes_is_still_taken() -> None:
    """A step that lets go of its last messages at the stop finds the route that it calls running."""
    from dataclasses import dataclass

    from routekit import Step

    @dataclass(frozen=True)
    class Last(Step[Any, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            send = runtime.sender(self.targets()[0])

            async def close() -> None:
                await anyio.sleep(2)
                await send(Message("last"))

            runtime.closing(close)
            return proceed

        def targets(self) -> Any:
            from routekit import Target

            return [Target("direct:store")]

    sink = Sink()
    async with running(
        store=from_("direct:store").to(sink),
        book=from_("direct:book").then(Last()),
        shop=from_(Watched([1])).to("direct:book"),
    ):
        await anyio.sleep(1)
    assert sink.bodies == ["last"]
