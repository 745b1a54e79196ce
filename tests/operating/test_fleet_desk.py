"""The desk of a supervisor over two real ones: what they say is joined, and what it is told happens in both."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest

from routekit import Flow, Rejected, Unavailable, UnknownName, from_
from routekit.operating.desk import Desk, Operator
from routekit.operating.fleet_desk import FleetDesk
from routekit.operating.seen import Seen
from routekit.operating.service_desk import Around, ServiceDesk
from routekit.operating.sights import RouteSight
from routekit.runtime.service import Service
from routekit.testing import Clock, Run, Sink, routes_of, setup_for

from ..crashing import DurableStore
from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio

ADA = Operator("ada")
NAMES = ("worker-1", "worker-2")


@asynccontextmanager
async def fleet(*flows: Flow[Any]) -> AsyncGenerator[tuple[FleetDesk, dict[str, Desk]]]:
    """A desk over services that share a store, one for each flow; and the desks by name, to take one away."""
    desks: dict[str, Desk] = {}
    clock, store = Clock(), DurableStore()
    async with AsyncExitStack() as stack:
        for name, flow in zip(NAMES, flows, strict=True):
            seen = Seen(clock.now)
            setup = setup_for(Run(), watch=seen.hear, now=clock.now, metrics=True, store=store)
            service = Service(routes_of(work=flow), setup)
            await stack.enter_async_context(service.started())
            desks[name] = ServiceDesk(service, setup, seen, Around(routes="routes"))
        await anyio.sleep(5)
        yield FleetDesk(NAMES, lambda: desks, 1.0), desks


def failing() -> Flow[Any]:
    def fail(body: int) -> int:
        raise ValueError(f"no {body}")

    return from_(Watched([4]), int).transform(fail).to(Sink())


def working(*bodies: int) -> Flow[Any]:
    return from_(Watched(list(bodies)), int).to(Sink())


async def only(desk: FleetDesk) -> RouteSight:
    (route,) = await desk.routes()
    return route


async def test_counts_are_summed_and_states_joined() -> None:
    """A route is there once; it runs if one of them runs it."""
    async with fleet(working(1, 2), working(3)) as (desk, desks):
        route = await only(desk)
        assert (route.name, route.state, route.received, route.done) == ("work", "running", 3, 3)
        await desks["worker-1"].order("pause", "work", by=ADA)
        assert (await only(desk)).state == "running"
        detail = await desk.route("work")
        assert [step.count for step in detail.steps] == [3]
        about = await desk.about()
        assert (list(about.workers), about.started, about.leader) == (list(NAMES), 1.0, "")
        assert (await desk.health()).ready


async def test_orders_go_to_all() -> None:
    """And stand in the audit, in the name of who gave them."""
    async with fleet(working(), working()) as (desk, desks):
        (route,) = await desk.order("pause", "w*", by=ADA)
        assert (route.state, route.why) == ("paused", "asked for")
        for one in desks.values():
            assert [sight.state for sight in await one.routes()] == ["paused"]
        assert (await desk.concurrency("work", 4, by=ADA)).concurrency == 4
        assert {(deed.who, deed.action) for deed in await desk.audit()} == {
            ("ada", "routes.pause"),
            ("ada", "routes.concurrency"),
        }
        with pytest.raises(Rejected):
            await desk.order("stop", "work", by=Operator("bob", "reader"))
        with pytest.raises(UnknownName):
            await desk.order("stop", "wrok", by=ADA)
        with pytest.raises(UnknownName):
            await desk.flush("nothing", by=ADA)


async def test_what_is_wrong_in_one_worker_is_told_with_its_name() -> None:
    """Degraded wins over running, and failures of all are there."""

    async def opening() -> None:
        raise Unavailable("the CRM is away")

    async with fleet(failing(), from_(Watched([]), int).to(Hooked(opening=opening))) as (desk, _):
        route = await only(desk)
        assert route.state == "degraded"
        assert route.why == "worker-2: the CRM is away"
        assert (await desk.health()).ready is False
        detail = await desk.route("work")
        assert {failure.reason for failure in detail.failures} == {"no 4"}  # more than one, if it took long to ask
        reasons = [end.reason for end in await desk.endpoints() if end.health == "down"]
        assert all(reason.startswith("worker-2: ") for reason in reasons)


async def test_a_worker_that_does_not_answer_is_left_out_and_told() -> None:
    """The others are shown; with nobody left it says so."""
    async with fleet(working(1), working(2)) as (desk, desks):
        del desks["worker-2"]
        assert (await only(desk)).done == 1
        health = await desk.health()
        assert not health.ready
        assert [part.name for part in health.parts if not part.ok] == ["worker-2"]
        desks.clear()
        with pytest.raises(Unavailable):
            await desk.routes()
        with pytest.raises(Unavailable):
            await desk.store()


async def test_who_runs_what_others_wait_for_leads() -> None:
    """It is told by the worker's name, and the route is what it is there."""
    running = RouteSight(name="beat", state="running", since=1.0, module="m", source="timer:", done=3)
    waiting = running.model_copy(update={"state": "paused", "why": "waits: process-1 leads", "done": 0})

    class Showing(ServiceDesk):
        def __init__(self, *shown: RouteSight) -> None:
            self.shown = shown

        async def routes(self) -> Sequence[RouteSight]:
            return self.shown

    async with fleet(working(), working()) as (_, desks):
        about = desks["worker-1"].about

        class Both(Showing):
            async def about(self) -> Any:
                return await about()

        desk = FleetDesk(NAMES, lambda: {"worker-1": Both(waiting), "worker-2": Both(running)}, 1.0)
        assert (await desk.about()).leader == "worker-2"
        route = await only(desk)
        assert (route.state, route.why, route.done) == ("running", "", 3)
