"""The control bus, route policies and switches: as Camel's controlbus, controllers and route policies, or better."""

from typing import Any

import anyio
import pytest

from routekit import Message, Policy, Runs, Switch, Window, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio


async def test_a_route_is_paused_resumed_and_asked_by_a_message() -> None:
    """As `controlbus:route?action=suspend`: what is in flight is finished, and no more is taken."""
    source, out = Watched(range(100)), Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(10)
        return n

    orders = from_(source, int).transform(slow).to(out)
    boss = from_(Trickle(items=[(5, "pause")]), str).to("control:pause?route=orders")
    wake = from_(Trickle(items=[(500, "resume")]), str).to("control:resume?route=orders")
    async with running(orders=orders, boss=boss, wake=wake):
        await anyio.sleep(400)
        assert out.bodies == [0]
        await anyio.sleep(200)
        assert len(out.bodies) > 5


async def test_the_answer_of_the_bus_is_data() -> None:
    """As `action=status` and `action=stats`; departure: no XML of a management bean."""
    out = Sink()
    await run_routes(orders=from_(Feed([1]), int).enrich("control:stats?route=orders", answer=dict[str, Any]).to(out))
    assert out.bodies[0]["state"] == "running"


async def test_the_groups_of_an_aggregate_can_be_completed_from_outside() -> None:
    """As the AggregateController's forceCompletionOfGroup."""
    out = Sink()
    flow = from_(Watched([1, 2]), int).aggregate("t", int, key=lambda n: 0, size=9).to(out)
    flush = from_(Trickle(items=[(5, 0)]), int).to("control:flush?name=t")
    async with running(flow, flush):
        await anyio.sleep(10)
        assert out.bodies == [[1, 2]]


def test_an_order_that_nobody_takes_is_a_mistake() -> None:
    """Departure: an unknown route id or action is found at the message."""
    for uri in ("control:pause?route=odrers", "control:flsh?name=t", "control:flush?name=nobody"):
        flows = {"orders": from_("timer:t", int), "boss": from_("timer:u", int).to(uri)}
        assert len(check(routes_of(**flows), Catalog())) == 1


async def test_a_message_cannot_choose_what_is_done() -> None:
    """Departure: with a dynamic URI the action comes from data; here it is the author's, always."""
    evil = Message("x", {"action": "stop", "route": "orders", "CamelControlBusAction": "stop"})
    orders, out = Watched(range(3)), Sink()
    async with running(orders=from_(orders, int).to(out), boss=from_(Feed([evil]), str).to("log:x")) as service:
        await anyio.sleep(5)
        assert [runner.state for runner in service.runners if runner.route.name == "orders"] == ["running"]


async def test_a_switch_is_turned_while_routes_run() -> None:
    """The book's detour, turned by the control bus."""
    out, seen = Sink(), Sink()
    feed = from_(Trickle(items=[(0, 1), (10, 2), (20, 3)]), int).detour(Switch("audit"), lambda f: f.to(seen)).to(out)
    on = from_(Trickle(items=[(5, 0)]), int).to("control:turn?name=audit&on=true")
    off = from_(Trickle(items=[(15, 0)]), int).to("control:turn?name=audit&on=false")
    await run_routes(feed, on, off)
    assert (seen.bodies, out.bodies) == ([2], [1, 2, 3])


async def test_a_route_may_start_by_hand_or_after_another() -> None:
    """As `autoStartup=false` and `startupOrder`; departure: by the names of routes, not by numbers."""
    order: list[str] = []
    flows = {
        "late": from_(Feed([1]), int, policy=Policy(runs=Runs(after="early"))).transform(
            lambda _: order.append("late")
        ),
        "early": from_(Feed([1]), int).transform(lambda _: order.append("early")),
        "manual": from_(Feed([1]), int, policy=Policy(runs=Runs(start="manual"))).transform(order.append),
    }
    async with running(**flows):
        await anyio.sleep(60)
    assert order == ["early", "late"]


async def test_a_route_runs_only_in_its_hours() -> None:
    """As the scheduled route policies: outside of the window the route is paused, and nothing is lost."""
    start = 1_700_000_000.0  # 22:13:20 in UTC

    def now() -> float:
        return start + anyio.current_time()

    source, at = Watched([1]), []
    policy = Policy(runs=Runs(during=Window("08:00", "18:00")))
    flow = from_(source, int, policy=policy).transform(lambda _: at.append(now()))
    async with running(flow, setup=setup_for(Run(), now=now)):
        await anyio.sleep(36 * 3600)
    (seen,) = at
    assert seen % 86400 == pytest.approx(8 * 3600, abs=120)


async def test_an_open_circuit_pauses_its_source() -> None:
    """As the ThrottlingExceptionRoutePolicy: nothing is taken that could only be refused."""
    source, crm = Watched(range(1000)), Sink(fail={n: ConnectionError("down") for n in range(10**4)})
    policy = Policy(dead_letter="refuse", runs=Runs(pause_when_open="crm"))
    flow = from_(source, int, policy=policy).circuit_breaker(
        lambda f: f.to(crm), name="crm", window=4, minimum=4, open_for=600
    )
    async with running(flow):
        await anyio.sleep(300)
        assert source.state["asked"] <= 6
