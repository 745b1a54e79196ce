"""What goes wrong with a remote in memory: planned, by chance from a seed, or as there are too many calls."""

from datetime import date
from random import Random
from typing import Any

import anyio
import pytest

from routekit.remotes import (
    Abilities,
    Budget,
    Busy,
    Feed,
    FeedExpired,
    Forbidden,
    Refused,
    Remote,
    RemoteError,
    Unclear,
    Unsent,
)
from routekit.testing.remote import Call, FakeRemote, Fault, FaultKind, Knobs

pytestmark = pytest.mark.anyio


class Hand:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def made(seed: int = 0, **knobs: Any) -> tuple[FakeRemote, Hand]:
    """A remote, and its clock."""
    clock = Hand()
    return FakeRemote("crm", Knobs(**knobs), now=clock, random=Random(seed)), clock


@pytest.mark.parametrize(
    ("kind", "error", "done"),
    [
        (FaultKind.UNSENT, Unsent, False),
        (FaultKind.BEFORE, Unclear, False),
        (FaultKind.AFTER, Unclear, True),
        (FaultKind.LOST, Unclear, True),
        (FaultKind.BUSY, Busy, False),
        (FaultKind.REFUSED, Refused, False),
        (FaultKind.FORBIDDEN, Forbidden, False),
    ],
)
async def test_a_fault_tells_only_what_can_be_known(kind: FaultKind, error: type[Exception], done: bool) -> None:
    """The write is done or not, and the error is the one that a caller would see."""
    remote, _ = made()
    remote.system.faults.plan(Fault(kind, op="create", after=7.0))
    session = remote.session()
    with pytest.raises(error) as raised:
        await session.create({"n": 1}, key="k")
    assert (len(remote.system.records), len(remote.system.writes)) == (int(done), int(done))
    assert getattr(raised.value, "after", 7.0) == 7.0
    await session.create({"n": 1}, key="other")


async def test_a_fault_hits_the_calls_it_is_planned_for() -> None:
    """The second update of one record, twice; no other call, and not for ever."""
    remote, _ = made()
    for _ in range(2):
        remote.system.user_create({"n": 0})
    remote.system.faults.plan(Fault(FaultKind.UNSENT, op="update", id="000001", at=2, times=2))
    session = remote.session()
    told: list[str] = []
    for number in range(4):
        for wanted in ("000001", "000002"):
            try:
                await session.update(wanted, {"n": number})
                told.append("ok")
            except Unsent:
                told.append(wanted)
    assert told == ["ok", "ok", "000001", "ok", "000001", "ok", "ok", "ok"]
    assert remote.system.calls["update"] == 8
    assert remote.system.faults.hit == 2


async def test_a_refused_field_is_named_and_hits_only_writes_of_it() -> None:
    """It lasts until it is cleared if it is planned without end."""
    remote, _ = made()
    session = remote.session()
    remote.system.user_create({"n": 0})
    remote.system.faults.plan(Fault(FaultKind.REFUSED, field="vat", times=None, why="no number"))
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            await session.update("000001", {"n": 1, "vat": "x"})
        assert refused.value.fields == {"vat": "no number"}
    await session.update("000001", {"n": 1})
    remote.system.faults.clear()
    await session.update("000001", {"vat": "x"})


async def test_an_expired_feed_can_be_planned() -> None:
    """So that it happens when a test wants it."""
    remote, _ = made(feed=Feed.TOKEN)
    remote.system.faults.plan(Fault(FaultKind.EXPIRED, op="changes", at=2))
    page = await remote.session().changes(None)
    with pytest.raises(FeedExpired):
        await remote.session().changes(page.token)


async def drawn(seed: int) -> list[str]:
    """What two hundred calls end with, by chance."""
    remote, _ = made(seed)
    remote.system.user_create({"n": 0})
    remote.system.faults.chances = {FaultKind.LOST: 0.1, FaultKind.UNSENT: 0.1, FaultKind.EXPIRED: 1.0}
    session = remote.session()
    told: list[str] = []
    for number in range(200):
        try:
            await session.update("000001", {"n": number})
            told.append("ok")
        except RemoteError as error:
            told.append(type(error).__name__)
    return told


async def test_chance_comes_from_the_seed() -> None:
    """The same seed goes wrong at the same calls, another one elsewhere; about as often as was said."""
    first = await drawn(1)
    assert first == await drawn(1)
    assert first != await drawn(2)
    assert 10 < first.count("Unclear") < 35
    assert 10 < first.count("Unsent") < 35
    assert set(first) == {"ok", "Unclear", "Unsent"}


async def test_more_calls_than_the_budget_are_told_when_to_come_back() -> None:
    """Nothing is done then, and the call is counted as one too many; the window slides."""
    remote, clock = made(budget=Budget(2, 10.0))
    session = remote.session()
    await session.create({}, key="1")
    clock.at += 4.0
    await session.create({}, key="2")
    with pytest.raises(Busy) as busy:
        await session.create({}, key="3")
    assert busy.value.after == 6.0
    assert (len(remote.system.records), remote.system.over_budget) == (2, 1)
    clock.at += 6.0
    await session.create({}, key="3")
    assert remote.system.over_budget == 1


async def test_more_calls_at_once_than_are_allowed_are_refused() -> None:
    """One of three is told to wait."""
    remote, _ = made(concurrent=2, latency=1.0)
    told: list[str] = []

    async def one(key: str) -> None:
        try:
            await remote.session().create({}, key=key)
            told.append("ok")
        except Busy:
            told.append("busy")

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(one, str(number))
    assert sorted(told) == ["busy", "ok", "ok"]


async def test_a_call_takes_as_long_as_it_is_told() -> None:
    """By anyio's clock."""
    remote, _ = made(latency=2.5)
    began = anyio.current_time()
    await remote.session().scan()
    assert 2.5 <= anyio.current_time() - began < 3.0


async def test_a_user_can_come_between_two_calls() -> None:
    """What is hung in before a call happens first; what it raises goes through, and the call is not carried out."""
    remote, _ = made()
    system, session = remote.system, remote.session()
    system.user_create({"n": 1})
    seen: list[Call] = []

    def edit(call: Call) -> None:
        seen.append(call)
        system.user_edit("000001", {"m": 2})

    system.before = edit
    assert (await session.update("000001", {"n": 3})).fields == {"n": 3, "m": 2}
    assert (seen[0].op, seen[0].id, seen[0].fields) == ("update", "000001", {"n": 3})

    def crash(call: Call) -> None:
        raise KeyboardInterrupt(call.op)

    system.before, system.after = None, crash
    with pytest.raises(KeyboardInterrupt):
        await session.update("000001", {"n": 4})
    assert system.records["000001"].fields["n"] == 4
    system.before = crash
    with pytest.raises(KeyboardInterrupt):
        await session.update("000001", {"n": 5})
    assert system.records["000001"].fields["n"] == 4


async def test_a_session_ends_with_its_block() -> None:
    """A call after that is a mistake of the caller."""
    remote, _ = made()
    async with remote.open() as session:
        await session.scan()
    with pytest.raises(RuntimeError, match="closed"):
        await session.scan()


def test_it_is_a_remote_and_says_what_it_can() -> None:
    """The abilities follow from the knobs, unless a claim says otherwise."""
    remote, _ = made(granularity=1.0, lag=4.0)
    assert isinstance(remote, Remote)
    told = remote.abilities
    assert (told.overlap, told.tombstones, told.compare_and_set) == (5.0, True, True)
    assert not made(feed=Feed.NONE)[0].abilities.tombstones
    lying, _ = made(claims={"lag": 0.0, "verified": date(2026, 1, 1)}, lag=4.0)
    assert lying.abilities.lag == 0.0
    assert isinstance(lying.abilities, Abilities)
