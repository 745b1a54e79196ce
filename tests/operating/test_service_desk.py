"""The desk of one process: what it shows is so, and what it is told happens, and is written down first."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import BadOption, Flow, Policy, Rejected, StoreError, Unavailable, UnknownName, from_
from routekit.operating.desk import Operator, Order
from routekit.operating.seen import Seen
from routekit.operating.service_desk import Around, ServiceDesk
from routekit.operating.sights import DeedSight, RouteSight
from routekit.runtime.service import Service
from routekit.testing import Clock, Feed, Run, Sink, routes_of, setup_for

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio

ADA = Operator("ada")
READER = Operator("bob", "reader")


@dataclass
class Sat:
    """A desk with what it stands on."""

    desk: ServiceDesk
    service: Service
    clock: Clock

    async def sight(self, name: str) -> RouteSight:
        return next(route for route in await self.desk.routes() if route.name == name)

    async def deeds(self) -> list[tuple[str, str, str, str]]:
        return [(one.who, one.action, one.what, one.details) for one in await self.desk.audit()]


@asynccontextmanager
async def desk_of(around: Around | None = None, **flows: Flow[Any]) -> AsyncGenerator[Sat]:
    """A desk over a service that runs these routes."""
    clock = Clock()
    seen = Seen(clock.now)
    setup = setup_for(Run(), watch=seen.hear, now=clock.now, metrics=True)
    service = Service(routes_of(**flows), setup)
    async with service.started():
        for runner in service.runners:
            with anyio.move_on_after(10):
                await runner.tried.wait()
        yield Sat(ServiceDesk(service, setup, seen, around), service, clock)


async def test_routes_are_shown_as_they_run() -> None:
    """By name, with state, counts, where they send, and how many may be in flight."""
    inner = from_("direct:inner", int).to(Sink())
    async with desk_of(
        outer=from_(Watched([1, 2, 3]), int, policy=Policy(concurrency=2)).to("direct:inner"), inner=inner
    ) as sat:
        await anyio.sleep(5)
        first, second = await sat.desk.routes()
        assert (first.name, first.state, first.done, first.concurrency, first.feeds) == ("inner", "running", 3, 0, [])
        assert (second.name, second.received, second.done, second.concurrency) == ("outer", 3, 3, 2)
        assert (second.feeds, second.in_flight, second.source[:8]) == (["inner"], 0, "watched:")
        detail = await sat.desk.route("outer")
        assert detail.route.name == "outer"
        assert [(step.label, step.count) for step in detail.steps] == [("to direct:inner", 3)]
        assert [(promise.sink, promise.survives) for promise in detail.promises] == [("sink:", False)]
        assert detail.drawing["name"] == "outer"
        assert "test_service_desk.py" in detail.place


async def test_failures_are_shown_with_the_route() -> None:
    """The newest first, with the message, the step, and what became of it."""
    async with desk_of(
        r=from_(Watched([1, 2]), int, policy=Policy(dead_letter="store")).to(Sink(fail={2: ValueError("no")}))
    ) as sat:
        await anyio.sleep(5)
        failures = (await sat.desk.route("r")).failures
        assert [(one.message, one.error, one.reason, one.outcome) for one in failures] == [
            ("m2", "ValueError", "no", "dead")
        ]


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("stop", "stopped")])
async def test_an_order_is_carried_out_and_written_down(action: Order, state: str) -> None:
    """Of one route or of all that fit; the others go on."""
    flows = {name: from_(Watched(), int).to(Sink()) for name in ("a.one", "a.two", "b.one")}
    async with desk_of(**flows) as sat:
        assert [one.name for one in await sat.desk.order(action, "a.*", by=ADA)] == ["a.one", "a.two"]
        await anyio.sleep(1)
        assert [one.state for one in await sat.desk.routes()] == [state, state, "running"]
        back: Order = "resume" if action == "pause" else "start"
        await sat.desk.order(back, "a.one", by=ADA)
        await anyio.sleep(1)
        assert [one.state for one in await sat.desk.routes()] == ["running", state, "running"]
        assert await sat.deeds() == [
            ("ada", f"routes.{back}", "a.one", ""), ("ada", f"routes.{action}", "a.*", "a.one, a.two"),
        ]  # fmt: skip


async def test_a_reader_changes_nothing() -> None:
    """Whatever he asks for is refused, and nothing is written down."""
    async with desk_of(r=from_(Watched(), int).to(Sink())) as sat:
        desk = sat.desk
        asked = [
            desk.order("pause", "r", by=READER),
            desk.concurrency("r", 3, by=READER),
            desk.flush("x", by=READER),
            desk.breaker("open", "x", by=READER),
            desk.reload(by=READER),
        ]
        for one in asked:
            with pytest.raises(Rejected, match="'bob' may look"):
                await one
        assert ((await sat.sight("r")).state, await sat.deeds()) == ("running", [])


async def test_what_cannot_be_written_down_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that nobody could ever account for is none: the store is asked first."""

    async def broken(deed: Any) -> None:
        raise StoreError("the disk is full")

    async with desk_of(r=from_(Watched(), int).to(Sink())) as sat:
        assert sat.service.store is not None
        monkeypatch.setattr(sat.service.store.audit, "add", broken)
        with pytest.raises(StoreError, match="disk is full"):
            await sat.desk.order("stop", "r", by=ADA)
        await anyio.sleep(1)
        assert (await sat.sight("r")).state == "running"


async def test_names_that_there_are_not() -> None:
    """They are told with those that are near."""
    flow = from_(Watched(), int).aggregate("sums", int, key=lambda n: "k", size=9).to(Sink())
    guarded = from_(Watched(), int).circuit_breaker(lambda flow: flow.to(Sink()), name="erp")
    async with desk_of(**{"shop.orders": flow, "guarded": guarded}) as sat:
        desk = sat.desk
        for asked, hint in (
            (desk.route("shop.order"), "did you mean 'shop.orders'?"),
            (desk.order("pause", "shop.order", by=ADA), "did you mean 'shop.orders'?"),
            (desk.order("pause", "x*", by=ADA), "see: routekit get routes"),
            (desk.flights("shop.order"), "did you mean 'shop.orders'?"),
            (desk.groups("shop.order"), "did you mean 'shop.orders'?"),
            (desk.flush("sum", by=ADA), "did you mean 'sums'?"),
            (desk.breaker("open", "erb", by=ADA), "did you mean 'erp'?"),
            (desk.trace("m1"), "no route is traced"),
        ):
            with pytest.raises(UnknownName) as unknown:
                await asked
            assert unknown.value.hint == hint
        assert await sat.deeds() == []


async def test_groups_are_shown_and_flushed() -> None:
    """One of them by its key, or all; where there are no keys, a key is refused."""
    sink, late = Sink(), Sink()
    flow = from_(Watched([1, 2, 11, 21]), int).aggregate("sums", int, key=lambda n: n // 10, size=9).to(sink)
    later = from_(Watched([7]), int).delay("later", int, by=3600).to(late)
    async with desk_of(sums=flow, later=later) as sat:
        await anyio.sleep(5)
        assert [(one.name, one.key, one.size) for one in await sat.desk.groups("sums")] == [
            ("sums", "int:0", 2), ("sums", "int:1", 1), ("sums", "int:2", 1),
        ]  # fmt: skip
        assert await sat.desk.flush("sums", "int:1", by=ADA) == 1
        assert await sat.desk.flush("sums", by=ADA) == 2
        with pytest.raises(BadOption, match="what 'later' keeps has no keys"):
            await sat.desk.flush("later", "7", by=ADA)
        assert await sat.desk.flush("later", by=ADA) == 1
        await anyio.sleep(5)
        assert (sink.bodies, late.bodies) == ([[11], [1, 2], [21]], [7])
        assert ("ada", "groups.flush", "sums", "key int:1") in await sat.deeds()


async def test_breakers_are_shown_opened_and_closed() -> None:
    """With why, and since when."""
    flow = from_(Watched(), int).circuit_breaker(lambda flow: flow.to(Sink()), name="erp")
    async with desk_of(r=flow) as sat:
        (breaker,) = await sat.desk.breakers()
        assert (breaker.name, breaker.route, breaker.state, breaker.since) == ("erp", "r", "closed", None)
        await anyio.sleep(5)
        await sat.desk.breaker("open", "erp", by=ADA)
        (breaker,) = await sat.desk.breakers()
        assert (breaker.state, breaker.why, breaker.since) == ("open", "it was opened by hand", sat.clock.now())
        await sat.desk.breaker("close", "erp", by=ADA)
        assert [one.state for one in await sat.desk.breakers()] == ["closed"]
        assert [deed[1] for deed in await sat.deeds()] == ["breakers.close", "breakers.open"]


async def test_more_messages_in_flight_when_told_so() -> None:
    """The slots of the running route change; less than one is refused."""

    async def long(n: int) -> int:
        await anyio.sleep(100)
        return n

    async with desk_of(r=from_(Watched(range(9)), int, policy=Policy(concurrency=2)).transform(long)) as sat:
        await anyio.sleep(5)
        assert (await sat.desk.concurrency("r", 5, by=ADA)).concurrency == 5
        await anyio.sleep(5)
        flights = await sat.desk.flights()
        assert [(one.route, one.message) for one in flights] == [("r", f"m{n}") for n in range(5)]
        assert [round(one.seconds) for one in flights] == [10, 10, 5, 5, 5]
        assert flights[0].step.startswith("transform(")
        with pytest.raises(BadOption, match="concurrency is 0"):
            await sat.desk.concurrency("r", 0, by=ADA)
        assert await sat.deeds() == [("ada", "routes.concurrency", "r", "from 2 to 5")]


async def test_a_sink_that_is_away_makes_it_unready() -> None:
    """The route is degraded, its reason and since when; the sink that is named is down, the other endpoints are not."""

    async def refuse() -> None:
        raise Unavailable("hooked: is away")

    flows = {"well": from_(Watched(), int).to(Sink()), "ill": from_(Watched(), int).to(Hooked(opening=refuse))}
    async with desk_of(**flows) as sat:
        since = sat.clock.now()
        await anyio.sleep(5)
        health = await sat.desk.health()
        assert not health.ready
        parts = {(part.kind, part.name): part for part in health.parts}
        assert parts["store", "store"].ok
        assert parts["route", "well"].ok
        ill = parts["route", "ill"]
        assert (ill.ok, ill.state, ill.reason) == (False, "degraded", "hooked: is away")
        assert ill.since == pytest.approx(since, abs=1)
        ends = [(one.route, one.scheme, one.health) for one in await sat.desk.endpoints()]
        assert ends == [
            ("ill", "watched", "ok"), ("ill", "hooked", "down"), ("well", "watched", "ok"), ("well", "sink", "ok"),
        ]  # fmt: skip


async def test_a_sink_that_fails_is_down_for_a_while() -> None:
    """From the first failure of a row; a minute after the last one nobody says so any more."""
    sink = Sink(fail={1: Unavailable("no answer")})
    async with desk_of(r=from_(Watched([1]), int, policy=Policy(dead_letter="store")).to(sink)) as sat:
        await anyio.sleep(5)
        end = (await sat.desk.endpoints())[1]
        assert (end.health, end.reason) == ("down", "Unavailable: no answer")
        assert (await sat.desk.health()).ready
        await anyio.sleep(70)
        assert (await sat.desk.endpoints())[1].health == "ok"


async def test_a_store_that_is_away_makes_it_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and since when."""

    async def broken(**options: Any) -> Sequence[Any]:
        raise StoreError("locked by nobody knows whom")

    async with desk_of(r=from_(Watched(), int).to(Sink())) as sat:
        assert (await sat.desk.health()).ready
        await anyio.sleep(100)
        assert sat.service.store is not None
        monkeypatch.setattr(sat.service.store.audit, "list", broken)
        since = sat.clock.now()
        for _ in range(2):
            part = (await sat.desk.health()).parts[0]
            assert (part.kind, part.ok, part.state, part.reason) == (
                "store",
                False,
                "away",
                "locked by nobody knows whom",
            )
            assert part.since == since
            await anyio.sleep(10)


async def test_what_is_not_there_yet() -> None:
    """Before the service runs nothing is ready, and nothing raises but what needs the store."""
    setup = setup_for(Run())
    desk = ServiceDesk(Service(routes_of(r=from_(Feed(), int).to(Sink())), setup), setup, Seen())
    assert not (await desk.health()).ready
    assert (await desk.routes(), await desk.endpoints(), await desk.flights(), await desk.breakers()) == (
        [],
        [],
        [],
        [],
    )
    with pytest.raises(StoreError, match="not open yet"):
        await desk.store()


async def test_the_audit_is_read_as_it_was_written() -> None:
    """The newest first, from a time on, and not more than were asked for."""
    async with desk_of(r=from_(Watched(), int).to(Sink())) as sat:
        for action in ("pause", "resume", "pause"):
            await sat.desk.order(action, "r", by=ADA)
            await anyio.sleep(10)
        now = sat.clock.now()
        assert [one.action for one in await sat.desk.audit(limit=2)] == ["routes.pause", "routes.resume"]
        assert await sat.desk.audit(since=now - 11) == [
            DeedSight(when=now - 10, who="ada", action="routes.pause", what="r")
        ]


async def test_a_reload_says_what_it_did() -> None:
    """It is written down; a service that cannot says so."""

    async def reload() -> Sequence[str]:
        return ["r: exchanged"]

    async with desk_of(Around(reload=reload), r=from_(Watched(), int).to(Sink())) as sat:
        assert await sat.desk.reload(by=ADA) == ["r: exchanged"]
        assert [deed[1] for deed in await sat.deeds()] == ["service.reload"]
    async with desk_of(r=from_(Watched(), int).to(Sink())) as sat:
        with pytest.raises(Unavailable, match="cannot reload"):
            await sat.desk.reload(by=ADA)
