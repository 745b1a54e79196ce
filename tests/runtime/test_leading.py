"""Leading: in two services on one store, the source of a route that must run alone runs in one of them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest

from routekit import Flow, Message, Unavailable, from_
from routekit.events import RoutePaused, RouteResumed
from routekit.runtime.service import Service, Setup
from routekit.testing import Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, wall
from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


class Lonely(Watched):
    """A source that must run alone."""

    singleton: ClassVar[bool] = True

    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)


class Seat:
    """One process's place in an election; what `Office` asks for."""

    def __init__(self, name: str) -> None:
        self.name, self.leader, self.term, self.since = name, "", 0, None
        self.stalled = False
        self._changed = anyio.Event()

    @property
    def leads(self) -> bool:
        return self.term > 0 and not self.stalled

    def changed(self) -> anyio.Event:
        return self._changed

    def tell(self, leader: str, term: int = 0, since: float | None = None) -> None:
        self.leader, self.term, self.since = leader, term, since
        self.ring()

    def ring(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


class Council(DurableStore):
    """A store whose processes elect, as a plugin's would: who came first leads, then the next."""

    def __init__(self) -> None:
        super().__init__()
        self.seats: dict[str, list[Seat]] = {}
        self.term = 0

    def process(self, name: str) -> "Process":
        """The store as the process of that name has it."""
        return Process(self, name)

    def elect(self, office: str, since: float | None) -> None:
        seats = self.seats[office]
        for number, seat in enumerate(seats):
            if number == 0 and not seat.term:
                self.term += 1
                seat.tell(seat.name, self.term, since)
            elif number:
                seat.tell(seats[0].name)


class Process:
    """The store of one process."""

    def __init__(self, council: Council, owner: str) -> None:
        self._council = council
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._council, name)

    @asynccontextmanager
    async def leading(self, name: str) -> AsyncGenerator[Seat]:
        seat = Seat(self.owner)
        seats = self._council.seats.setdefault(name, [])
        seats.append(seat)
        self._council.elect(name, None)
        try:
            yield seat
        finally:
            seats.remove(seat)
            if seats:
                self._council.elect(name, wall())


def on(council: Council, name: str, run: Run | None = None) -> Setup:
    """The setup of a process on that store."""
    return setup_for(run or Run(), store=council.process(name), now=wall)


def state(service: Service) -> tuple[str, str]:
    (runner,) = service.runners
    stats = runner.stats()
    return stats["state"], stats["why"]


async def test_the_route_waits_where_another_process_leads_and_goes_on_there_when_that_stops() -> None:
    """One source at a time is opened; who waits says for whom, and follows at an orderly end."""
    council, run = Council(), Run()
    one, two = Lonely([1, 2]), Lonely([3])
    sink = Sink()
    async with anyio.create_task_group() as tasks:
        leave = anyio.Event()

        async def first() -> None:
            async with running(from_(one, int).to(sink), setup=on(council, "first")) as service:
                await anyio.sleep(1)
                assert state(service) == ("running", "")
                await leave.wait()

        tasks.start_soon(first)
        await anyio.sleep(0.5)
        async with running(from_(two, int).to(sink), setup=on(council, "second", run)) as service:
            await anyio.sleep(1)
            assert state(service) == ("paused", "waits: first leads")
            assert two.state["opened"] == 0
            leave.set()
            await anyio.sleep(1)
            assert state(service) == ("running", "")
            assert sink.bodies[-1] == 3
    assert [event.why for event in run.of(RoutePaused)] == ["waits: first leads"]
    assert len(run.of(RouteResumed)) == 1


async def test_a_message_after_the_lease_is_left_and_the_source_is_opened_anew() -> None:
    """A leader that stalled looks before each message: what its source gives then is neither handled nor told of."""
    council = Council()
    sink = Sink()
    gate = anyio.Event()

    class Slow(Lonely):
        async def consume(self, runtime: Any) -> AsyncGenerator[Any]:
            self.state["opened"] += 1
            if self.state["opened"] == 1:
                await gate.wait()
                yield self.delivery(Message("late", id="m1"))
            else:
                yield self.delivery(Message("in time", id="m1"))
            await anyio.sleep_forever()

    source = Slow(items=[])
    async with running(from_(source, str).to(sink), setup=on(council, "first")) as service:
        await anyio.sleep(1)
        (seat,) = council.seats["route-1"]
        seat.stalled = True  # and nobody has told it
        gate.set()
        await anyio.sleep(1)
        assert sink.bodies == []
        assert source.told == []
        assert state(service)[0] == "paused"
        seat.stalled = False
        seat.ring()
        await anyio.sleep(1)
        assert sink.bodies == ["in time"]
        assert source.state["opened"] == 2


async def test_a_route_that_cannot_run_in_the_leader_goes_to_another_process() -> None:
    """A leader whose source breaks gives the office up while it waits to try again."""
    council, sink = Council(), Sink()
    broken, whole = Lonely([Unavailable("away")]), Lonely([1])
    async with running(from_(broken, int).to(Sink()), setup=on(council, "first")):
        await anyio.sleep(0.01)
        async with running(from_(whole, int).to(sink), setup=on(council, "second")) as service:
            await anyio.sleep(60)
            assert sink.bodies == [1]
            assert state(service) == ("running", "")


async def test_a_source_that_is_exhausted_is_not_begun_anew_in_another_process() -> None:
    """The process where it has ended keeps the office as long as it lives."""
    council = Council()
    fired: list[str] = []

    def beats(name: str) -> Flow[Any]:
        return from_("timer:t?every=1&repeat=2", int).transform(lambda tick: fired.append(name))

    async with running(beats("first"), setup=on(council, "first")):
        await anyio.sleep(0.5)
        async with running(beats("second"), setup=on(council, "second")):
            await anyio.sleep(60)
    assert fired == ["first", "first"]


async def test_a_sink_is_open_where_a_route_waits() -> None:
    """It can take over without opening anything; and what its steps keep goes on there."""
    council = Council()
    opened: list[str] = []

    async def opening() -> None:
        opened.append("second")

    async with running(from_(Lonely([]), int).to(Sink()), setup=on(council, "first")):
        await anyio.sleep(1)
        async with running(from_(Lonely([]), int).to(Hooked(opening=opening)), setup=on(council, "second")):
            await anyio.sleep(1)
            assert opened == ["second"]


@pytest.mark.parametrize("uri", ["timer:t?every=10&missed={missed}", "cron:* * * * *?missed={missed}"])
@pytest.mark.parametrize("missed", ["skip", "once", "all"])
async def test_no_time_is_left_out_by_a_change_of_the_leader(uri: str, missed: str) -> None:
    """What has passed since somebody led last is fired, whatever `missed` says of other times; `once` fires one."""
    council = Council()
    fired: list[float] = []
    every = 10 if uri.startswith("timer") else 60

    def flow() -> Flow[Any]:
        return from_(uri.format(missed=missed), object).transform(lambda body: fired.append(wall()))

    async with running(flow(), setup=on(council, "first")):
        await anyio.sleep(every * 2 + 1)
    count = len(fired)
    led = wall()
    await anyio.sleep(every * 3)
    seat_of = council.elect

    def elect(office: str, since: float | None) -> None:
        seat_of(office, led)  # as if this process had waited since then

    council.elect = elect
    async with running(flow(), setup=on(council, "second")):
        await anyio.sleep(1)
    assert len(fired) - count == (1 if missed == "once" else 3)


async def test_what_the_leader_had_begun_is_not_fired_again_by_the_next_one() -> None:
    """With missed=skip a time that was at work when the leader died is left to it."""
    council = Council()
    fired: list[str] = []

    def flow(name: str) -> Flow[Any]:
        async def fire(tick: int) -> None:
            fired.append(name)
            await anyio.sleep(5 if name == "second" else 3600)

        return from_("timer:t?every=10&missed=skip", int).transform(fire)

    with anyio.move_on_after(15):  # it is gone at once, while the first tick is at work
        async with running(flow("first"), setup=on(council, "first")) as service:
            await anyio.sleep(12)
            service.force()
            await anyio.sleep_forever()
    assert fired == ["first"]
    elected = council.elect
    council.elect = lambda office, since: elected(office, wall() - 10)
    async with running(flow("second"), setup=on(council, "second")):
        await anyio.sleep(4)
        assert fired == ["first"]
        await anyio.sleep(10)
    assert fired == ["first", "second"]


async def test_nobody_is_elected_where_the_store_is_for_one_process() -> None:
    """A timer in memory starts as it always did."""
    sink = Sink()
    run = await run_routes(from_("timer:t?every=1&repeat=2", int).to(sink))
    assert sink.bodies == [1, 2]
    assert run.of(RoutePaused) == []


async def test_run_waits_for_the_election_and_not_for_the_office() -> None:
    """`run` is not over before it is known who leads; where another process does, it has nothing to do."""
    council, sink = Council(), Sink()
    service = Service([from_(Lonely([1]), int).to(sink).route("beats")], on(council, "first"))
    await service.run(until_idle=True)
    assert sink.bodies == [1]
    async with running(beats=from_(Lonely([]), int).to(Sink()), setup=on(council, "first")):
        await anyio.sleep(1)
        service = Service([from_(Lonely([2]), int).to(sink).route("beats")], on(council, "second"))
        await service.run(until_idle=True)
    assert sink.bodies == [1]
