"""Reading a side: pages are kept up with, a budget is kept, clocks are measured, and paging cannot go in a circle."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from routekit.remotes import Abilities, Budget, Busy, Feed, Page, Record, Refused
from routekit.testing.remote import FakeRemote, Knobs, Paging
from routekit_sync.calling import FAILURES, Calls
from routekit_sync.kept import Cursor
from routekit_sync.reading import Ids, Look, everything, feed

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


def side(clock: Clock, **knobs: Any) -> tuple[FakeRemote, Calls]:
    remote = FakeRemote("a", Knobs(**knobs), now=clock.now, random=Random(1))
    return remote, Calls("a", remote.session(), remote.abilities, clock.now)


async def looks(calls: Calls, cursor: Cursor, clock: Clock) -> list[Look]:
    return [look async for look in feed(calls, cursor, clock.now)]


def ids(found: Sequence[Look]) -> list[str]:
    return [record.id for look in found for record in look.records]


@pytest.mark.parametrize("paging", list(Paging))
async def test_equal_stamps_beyond_a_page_come_once_each(paging: Paging) -> None:
    """P12: twenty records of one stamp, three on a page: all are read, and the reading ends."""
    clock = Clock()
    remote, calls = side(clock, page_size=3, granularity=10.0, paging=paging)
    wanted = [remote.system.user_create({"n": number}) for number in range(20)]
    assert sorted(ids(await looks(calls, Cursor(), clock))) == sorted(wanted)


async def test_each_page_brings_the_cursor_on() -> None:
    """Who is stopped in the middle goes on from the page that was dealt with last."""
    clock = Clock()
    remote, calls = side(clock, page_size=2)
    for number in range(9):
        remote.system.user_create({"n": number})
        clock.time += 1
    found = await looks(calls, Cursor(), clock)
    middle = found[2].cursor
    assert middle is not None
    assert not middle.complete
    before = calls.count
    rest = await looks(calls, middle, clock)
    assert calls.count - before < before
    assert {*ids(found[:3]), *ids(rest)} == set(remote.system.records)
    assert rest[-1].cursor is not None
    assert rest[-1].cursor.complete


async def test_the_pages_of_a_feed_by_token_are_kept_up_with_too() -> None:
    """The token itself moves at the end alone; the page is what is gone on from."""
    clock = Clock()
    remote, calls = side(clock, page_size=2, feed=Feed.TOKEN)
    for number in range(7):
        remote.system.user_create({"n": number})
    found = await looks(calls, Cursor(), clock)
    middle = found[1].cursor
    assert middle is not None
    assert (middle.token, middle.complete) == (None, False)
    rest = await looks(calls, middle, clock)
    assert sorted([*ids(found[:2]), *ids(rest)]) == sorted(remote.system.records)
    assert rest[-1].cursor is not None
    assert rest[-1].cursor.token
    assert ids(await looks(calls, rest[-1].cursor, clock)) == []


async def test_the_cursor_is_the_side_s_time_at_the_first_page() -> None:
    """Changes that come while pages are read are read again, not passed over."""
    clock = Clock()
    remote, calls = side(clock, page_size=2, skew=500.0)
    for number in range(4):
        remote.system.user_create({"n": number})

    def later(_: object) -> None:
        clock.time += 10

    remote.system.after = later
    clock.time += 100
    cursor = (await looks(calls, Cursor(), clock))[-1].cursor
    assert cursor is not None
    assert cursor.value == 1000.0 + 100 + 500


async def test_what_was_dealt_with_at_the_boundary_is_not_read_as_new() -> None:
    """The overlap shows it again; only what has changed since, even within one stamp, is news."""
    clock = Clock()
    remote, calls = side(clock, granularity=10.0, lag=30.0)
    one, two = remote.system.user_create({"n": 1}), remote.system.user_create({"n": 2})
    clock.time += 40
    cursor = (await looks(calls, Cursor(), clock))[-1].cursor
    assert cursor is not None
    assert ids(await looks(calls, cursor, clock)) == []
    remote.system.user_edit(two, {"n": 3})
    clock.time += 31
    assert ids(await looks(calls, cursor, clock)) == [two]
    assert one != two


@pytest.mark.parametrize("turns", [["x", "x"], ["x", "y", "x"]])
async def test_pages_that_lead_back_end_the_reading(turns: list[str]) -> None:
    """It would go on for ever."""

    class Circle:
        def __init__(self) -> None:
            self.turns = iter(turns)

        async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
            return Page([Record("1")], next(self.turns))

    clock = Clock()
    calls = Calls("a", Circle(), Abilities(), clock.now)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="leads back to itself"):
        async for _ in everything(calls, Ids()):
            pass


async def test_a_budget_is_kept_before_the_side_has_to_say_so() -> None:
    """P26: the call that would be one too many is not made, and says when there is room again."""
    clock = Clock()
    budget = Budget(3, 60.0)
    remote, calls = side(clock, budget=budget)
    for _ in range(3):
        await calls.get("1")
        clock.time += 10
    with pytest.raises(Busy) as raised:
        await calls.get("1")
    assert raised.value.after == 30.0
    assert (remote.system.calls.total(), calls.count) == (3, 3)
    assert calls.trouble is raised.value
    clock.time += 31
    await calls.get("1")


async def test_a_clock_is_measured_by_the_fastest_answer() -> None:
    """The offset is that of the call which took the least time, and the uncertainty half of that time."""
    clock = Clock()
    remote, calls = side(clock, skew=120.25)
    took = iter([8.0, 0.5, 20.0])

    def slow(_: object) -> None:
        clock.time += next(took)

    remote.system.after = slow
    for _ in range(3):
        await calls.scan()
    assert calls.offset is not None
    assert calls.offset.uncertainty == 0.25
    assert abs(calls.offset.ahead - 120.25) <= 0.25


async def test_a_side_that_gives_no_answer_so_often_counts_as_down() -> None:
    """An answer in between, even a refusal, says that it is up."""
    from routekit.remotes import Unclear
    from routekit.testing.remote import Fault, FaultKind

    clock = Clock()
    remote, calls = side(clock)
    remote.system.faults.plan(Fault(FaultKind.BEFORE, "get", times=FAILURES - 1))
    for _ in range(FAILURES - 1):
        with pytest.raises(Unclear):
            await calls.get("1")
    await calls.get("1")
    remote.system.faults.plan(Fault(FaultKind.BEFORE, "get", times=FAILURES))
    for _ in range(FAILURES):
        assert calls.trouble is None
        with pytest.raises(Unclear):
            await calls.get("1")
    assert isinstance(calls.trouble, Unclear)


def test_ids_take_eight_bytes_each() -> None:
    """A hundred thousand of them are found again, in less than a megabyte."""
    seen = Ids()
    seen.add(str(number) for number in range(100_000))
    assert "99999" in seen
    assert "100000" not in seen
    seen.add(["100000"])
    assert "100000" in seen
    assert len(seen) == 100_001
    assert seen.size <= 8 * 110_000


async def test_pages_of_two_stamps_may_have_the_same_name() -> None:
    """A page that is named by its place is another one from another stamp on: that is no circle."""
    clock = Clock()
    remote, calls = side(clock, page_size=2, paging=Paging.OFFSET)
    wanted = [remote.system.user_create({"n": number}) for number in range(2)]
    clock.time += 0.5
    wanted += [remote.system.user_create({"n": number}) for number in range(3)]
    assert ids(await looks(calls, Cursor(), clock)) == wanted
