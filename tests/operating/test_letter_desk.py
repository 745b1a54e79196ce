"""Dead letters in a running daemon: replays that take long, and what may not happen at one time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from routekit import Flow, Message, Policy, Rejected, StoreError, Unavailable, UnknownName, from_
from routekit.lettering.selecting import Selection
from routekit.operating.desk import Operator
from routekit.operating.letter_desk import LetterDesk
from routekit.operating.letter_way import way_of
from routekit.runtime.service import Service
from routekit.testing import Run, Sink, routes_of, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio

ADA = Operator("ada")
READER = Operator("bob", "reader")


@dataclass
class Mended:
    """A desk whose letters cannot fail any more once `fixed`; and what their route sends."""

    desk: LetterDesk
    service: Service
    sink: Sink
    fixed: bool = False


@asynccontextmanager
async def mended(letters: int) -> AsyncGenerator[Mended]:
    """A desk with so many letters, numbered from 0."""
    sink = Sink()

    def broken(n: int) -> int:
        if not one.fixed:
            raise ValueError(f"{n} is not for us")
        return n

    flow = from_(Watched(range(letters)), int, policy=Policy(dead_letter="store")).transform(broken).to(sink)
    setup = setup_for(Run())
    service = Service(routes_of(r=flow), setup)
    tool = replace(setup, watch=lambda event: None)
    desk = LetterDesk(lambda: service.store, lambda: [one.route for one in service.runners], lambda: tool)
    one = Mended(desk, service, sink)
    async with service.started(), desk.opened():
        await anyio.sleep(5)
        assert (await desk.list(by=ADA)).count == letters
        yield one


async def test_a_long_replay_goes_on_by_itself() -> None:
    """Who asks is told how far it has come; it goes at its rate, and then says how it ended."""
    async with mended(10) as one:
        one.fixed = True
        begun = await one.desk.replay(Selection(route="r"), rate=1, patience=2.5, by=ADA)
        assert (begun.running, begun.total, begun.done, begun.who) == (True, 10, 3, "ada")
        await anyio.sleep(20)
        (ended,) = await one.desk.replays(by=READER)
        assert (ended.running, ended.done, ended.failed, ended.ended is None) == (False, 10, 0, False)
        assert sorted(one.sink.bodies) == list(range(10))
        assert (await one.desk.list(by=ADA)).count == 0


async def test_nothing_else_is_changed_while_a_replay_runs() -> None:
    """One process is not kept apart from itself by the store: the second one is told to wait. Looking is free."""
    async with mended(10) as one:
        one.fixed = True
        begun = await one.desk.replay(Selection(), rate=1, patience=0, by=ADA)
        some = (await one.desk.list(by=READER)).letters[0].id
        for asked in (
            one.desk.replay(Selection(), by=ADA),
            one.desk.edit(some, body=1, why="x", by=ADA),
            one.desk.discard(Selection(), why="x", by=ADA),
            one.desk.restore("x", by=ADA),
        ):
            with pytest.raises(Unavailable, match="replay 1 runs"):
                await asked
        stopped = await one.desk.stop_replay(begun.id, by=ADA)
        assert stopped.stopped == "stopped by ada"
        await anyio.sleep(1)
        assert await one.desk.discard(Selection(), why="x", by=ADA) == 10 - len(one.sink.bodies)


async def test_a_replay_stops_after_failures() -> None:
    """And says why, with those that failed; letters stay with what happened now."""
    async with mended(5) as one:
        report = await one.desk.replay(Selection(), failures=2, by=ADA)
        assert (report.failed, report.stopped, report.running) == (2, "stopped after 2 failures", False)
        assert [outcome.error for outcome in report.outcomes] == ["ValueError", "ValueError"]
        detail = await one.desk.get(report.outcomes[0].letter, by=ADA)
        assert [(tried.who, tried.error) for tried in detail.replays] == [("ada", "ValueError")]
        assert (await one.desk.list(by=ADA)).count == 5


async def test_a_reader_may_look() -> None:
    """And is refused all that changes something."""
    async with mended(1) as one:
        (letter,) = (await one.desk.list(by=READER)).letters
        assert (await one.desk.get(letter.id, by=READER)).masked
        for asked in (
            one.desk.edit(letter.id, body=1, why="x", by=READER),
            one.desk.try_(letter.id, by=READER),
            one.desk.replay(Selection(), by=READER),
            one.desk.stop_replay("1", by=READER),
            one.desk.discard(Selection(), why="x", by=READER),
            one.desk.restore(letter.id, by=READER),
        ):
            with pytest.raises(Rejected, match="'bob' may look"):
                await asked
        assert one.service.store is not None
        assert await one.service.store.audit.list() == []


async def test_names_that_there_are_not() -> None:
    """Of letters, clusters, routes and replays."""
    async with mended(1) as one:
        for asked in (
            one.desk.get("x", by=ADA),
            one.desk.list(Selection(cluster="x"), by=ADA),
            one.desk.list(Selection(ids=("x",)), by=ADA),
            one.desk.stop_replay("7", by=ADA),
            one.desk.restore("x", by=ADA),
        ):
            with pytest.raises(UnknownName):
                await asked


async def test_what_breaks_a_replay_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon goes on, and the next replay begins where this one was."""
    async with mended(3) as one:
        one.fixed = True

        async def locked(*_: Any, **__: Any) -> Any:
            raise StoreError("the disk is gone")

        with monkeypatch.context() as patched:
            assert one.service.store is not None
            patched.setattr(one.service.store.audit, "add", locked)
            report = await one.desk.replay(Selection(), by=ADA)
        assert (report.running, report.error, report.done) == (False, "StoreError: the disk is gone", 0)
        assert (await one.desk.replay(Selection(), by=ADA)).done == 3


async def test_without_a_store_there_are_no_letters() -> None:
    """While the daemon starts, who asks is told so; and no replay begins in one that stops."""
    setup = setup_for(Run())
    desk = LetterDesk(lambda: None, list, lambda: setup)
    with pytest.raises(StoreError, match="not open"):
        await desk.list(by=ADA)
    async with mended(1) as one:
        pass
    with pytest.raises(Unavailable, match="stopping"):
        await one.desk.replay(Selection(), by=ADA)


@asynccontextmanager
async def living(run: Run, **flows: Flow[Any]) -> AsyncGenerator[tuple[LetterDesk, Service]]:
    """A desk whose letters go through the routes as they run."""
    setup = setup_for(run)
    service = Service(routes_of(**flows), setup)
    tool = replace(setup, watch=lambda event: None)
    desk = LetterDesk(
        lambda: service.store,
        lambda: [one.route for one in service.runners],
        lambda: tool,
        lambda letter: way_of(letter, service),
    )
    async with service.started(), desk.opened():
        await anyio.sleep(5)
        yield desk, service


async def test_a_letter_joins_the_group_that_the_running_route_keeps() -> None:
    """It goes through the route that runs, with what that keeps and has open; the letter is gone, and none is new."""
    sink, refuses = Sink(), {2}

    def picky(n: int) -> int:
        if n in refuses:
            raise ValueError(n)
        return n

    flow = from_(Watched([1, 2, 3]), int, policy=Policy(dead_letter="store")).transform(picky)
    async with living(Run(), r=flow.aggregate("sums", int, key=lambda n: "k", size=3).to(sink)) as (desk, service):
        (letter,) = (await desk.list(by=ADA)).letters
        again = await desk.replay(Selection(), by=ADA)
        assert (again.failed, again.outcomes[0].error, (await desk.list(by=ADA)).count) == (1, "ValueError", 1)
        detail = await desk.get(letter.id, by=ADA)
        assert [(tried.step, tried.error) for tried in detail.replays] == [("transform(picky)", "ValueError")]
        refuses.clear()
        assert (await desk.replay(Selection(), by=ADA)).done == 1
        await anyio.sleep(1)
        assert sink.bodies == [[1, 3, 2]]
        assert (await desk.list(by=ADA)).count == 0
        counts = service.counts()["r"]
        assert (counts.received, counts.in_flight, counts.held, counts.refused) == (3, 0, 0, 1)


async def test_a_letter_that_a_step_holds_in_memory_is_kept_until_that_is_done() -> None:
    """What is in memory alone is not done: should the process die, the letter is still there."""
    sink, refuses = Sink(), {2}

    def picky(n: int) -> int:
        if n in refuses:
            raise ValueError(n)
        return n

    flow = from_(Watched([1, 2]), int, policy=Policy(dead_letter="store")).transform(picky)
    async with living(Run(), r=flow.aggregate("sums", int, key=lambda n: "k", size=9).to(sink)) as (desk, service):
        refuses.clear()
        begun = await desk.replay(Selection(), patience=1, by=ADA)
        assert (begun.running, (await desk.list(by=ADA)).count, sink.bodies) == (True, 1, [])
        await service.control("flush", "sums")
        await anyio.sleep(1)
        (ended,) = await desk.replays(by=ADA)
        assert (ended.done, (await desk.list(by=ADA)).count, sink.bodies) == (1, 0, [[1, 2]])


async def test_a_service_that_stops_is_given_no_more_letters() -> None:
    """They stay as they are: nothing has failed."""
    flow = from_(Watched([1, 2]), int, policy=Policy(dead_letter="store")).to(
        Sink(fail={1: ValueError(), 2: OSError()})
    )
    async with living(Run(), r=flow) as (desk, service):
        service.stop()
        report = await desk.replay(Selection(), by=ADA)
        assert (report.done, report.failed, report.skipped) == (0, 0, 2)
        assert report.outcomes[0].reason == "the daemon is stopping; the letter stays"
        letters = (await desk.list(by=ADA)).letters
        assert [letter.replays for letter in letters] == [0, 0]


async def test_a_letter_of_a_part_enters_where_parts_do() -> None:
    """It is not taken apart again."""
    sink, refuses = Sink(), {2}

    def picky(n: int) -> int:
        if n in refuses:
            raise ValueError(n)
        return n

    flow = from_(Watched([Message([1, 2, 3], id="m1")]), list[int], policy=Policy(dead_letter="store"))
    parts = flow.split(lambda ns: ns, on_error="dead_letter_items").transform(picky).to(sink)
    async with living(Run(), r=parts) as (desk, _):
        assert sink.bodies == [1, 3]
        refuses.clear()
        assert (await desk.replay(Selection(), by=ADA)).done == 1
        assert sink.bodies == [1, 3, 2]


async def test_a_route_that_is_stopped_is_started_for_its_letters() -> None:
    """As by the command, beside a daemon in which it does not run."""
    sink, refuses = Sink(), {2}

    def picky(n: int) -> int:
        if n in refuses:
            raise ValueError(n)
        return n

    flow = from_(Watched([1, 2]), int, policy=Policy(dead_letter="store")).transform(picky).to(sink)
    async with living(Run(), r=flow) as (desk, service):
        refuses.clear()
        await service.control("stop", "r")
        await anyio.sleep(1)
        assert service.runners[0].state == "stopped"
        assert (await desk.replay(Selection(), by=ADA)).done == 1
        assert sink.bodies == [1, 2]
