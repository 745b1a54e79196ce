"""Dead letters in a running daemon: replays that take long, and what may not happen at one time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from routekit import Policy, Rejected, StoreError, Unavailable, UnknownName, from_
from routekit.lettering.selecting import Selection
from routekit.operating.desk import Operator
from routekit.operating.letter_desk import LetterDesk
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
