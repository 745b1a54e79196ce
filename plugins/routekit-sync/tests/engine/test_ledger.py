"""The ledger: a link and its index are one, whoever has lost the lease writes nothing, and what is done is not due."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from routekit import Values
from routekit.testing import Catalog
from routekit_sync.kept import Cursor, RunRecord
from routekit_sync.ledger import Changed, Known, LeaseLost, Ledger, Saving
from routekit_sync.rehearsing import Overlay
from routekit_sync.state import Intent, Link, Shadow

pytestmark = pytest.mark.anyio


class Clock:
    """The time, as the test says."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "overlay"])
async def values(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> AsyncIterator[Values]:
    """The values of a pair in each store that needs no server, and under a rehearsal."""
    uri = f"sqlite:{tmp_path}/state.db" if request.param == "sqlite" else "memory:"
    async with Catalog().open_store(uri, clock.now) as store:
        plain = store.values("sync:people")
        yield Overlay(plain, clock.now) if request.param == "overlay" else plain


def link(id: str, a: str | None = None, b: str | None = None, **more: object) -> Link:
    sides = {side: Shadow(id=own, fields={}) for side, own in (("a", a), ("b", b)) if own is not None}
    return Link(id=id, **sides, **more)  # type: ignore[arg-type]


async def all_of(ledger: Ledger) -> list[str]:
    return [known.link.id async for known in ledger.links()]


async def test_a_link_is_found_by_each_of_its_records_and_its_aliases(values: Values, clock: Clock) -> None:
    """The index moves with the link: what it had before is free, what it has now is its own."""
    ledger = Ledger(values, clock.now)
    await ledger.save(Saving(None, link("l1", "7", "9", aliases_a=["5", "6"])))
    for side, own in (("a", "7"), ("a", "5"), ("a", "6"), ("b", "9")):
        assert (await ledger.linked("a" if side == "a" else "b", [own]))[own].link.id == "l1"
    known = await ledger.link("l1")
    assert known is not None
    await ledger.save(Saving(known, link("l1", "8", "9", aliases_a=["7"])))
    assert sorted(await ledger.linked("a", ["5", "6", "7", "8"])) == ["7", "8"]


async def test_no_record_is_in_two_links(values: Values, clock: Clock) -> None:
    """A record that has a link cannot be given to a second one, and nothing of what was asked is written."""
    ledger = Ledger(values, clock.now)
    await ledger.save(Saving(None, link("l1", "7", "9")))
    with pytest.raises(Changed):
        await ledger.save(Saving(None, link("l2", "8", "9")))
    assert await all_of(ledger) == ["l1"]
    assert await ledger.linked("a", ["8"]) == {}


async def test_a_link_that_was_changed_since_it_was_read_is_not_overwritten(values: Values, clock: Clock) -> None:
    """Whoever has read an older one is told so."""
    ledger = Ledger(values, clock.now)
    await ledger.save(Saving(None, link("l1", "7")))
    first = await ledger.link("l1")
    await ledger.save(Saving(first, link("l1", "7", why="one")))
    with pytest.raises(Changed):
        await ledger.save(Saving(first, link("l1", "7", why="two")))
    found = await ledger.link("l1")
    assert found is not None
    assert found.link.why == "one"


async def test_an_id_moves_from_one_link_to_another_in_one_step(values: Values, clock: Clock) -> None:
    """At a merge the winner's link takes the ids of the one that ends."""
    ledger = Ledger(values, clock.now)
    await ledger.save(Saving(None, link("l1", "7", "9")), Saving(None, link("l2", "8")))
    one, two = await ledger.link("l1"), await ledger.link("l2")
    await ledger.save(Saving(two, None), Saving(one, link("l1", "7", "9", aliases_a=["8"])))
    assert (await ledger.linked("a", ["8"]))["8"].link.id == "l1"
    assert await all_of(ledger) == ["l1"]


async def test_what_has_to_be_looked_at_is_listed_until_it_is_done(values: Values, clock: Clock) -> None:
    """A link is due by its time, or for an open write; one that is parked or dead is not."""
    ledger = Ledger(values, clock.now)
    intent = Intent(id="i", side="b", op="update")
    await ledger.save(
        Saving(None, link("due", due=5.0)),
        Saving(None, link("open", intents=[intent])),
        Saving(None, link("rest")),
        Saving(None, link("parked", due=5.0, state="parked")),
        Saving(None, link("dead", due=5.0, state="dead")),
    )
    assert [each async for each in ledger.todo()] == [("due", 5.0), ("open", 0.0)]
    known = await ledger.link("due")
    await ledger.save(Saving(known, link("due")))
    assert [each async for each in ledger.todo()] == [("open", 0.0)]


async def test_all_links_are_listed_whatever_their_number(values: Values, clock: Clock) -> None:
    """They come a page at a time, and nothing else comes with them."""
    ledger = Ledger(values, clock.now)
    for start in range(0, 1200, 300):
        await ledger.save(*(Saving(None, link(f"l{number:05}", str(number))) for number in range(start, start + 300)))
    assert await all_of(ledger) == [f"l{number:05}" for number in range(1200)]


async def test_the_lease_is_had_by_one_at_a_time(values: Values, clock: Clock) -> None:
    """A second process gets it once it has run out, or has been given back."""
    one, two = Ledger(values, clock.now, owner="one"), Ledger(values, clock.now, owner="two")
    assert await one.acquire(seconds=60)
    assert not await two.acquire(seconds=60)
    clock.time += 59
    assert not await two.acquire(seconds=60)
    clock.time += 1
    assert await two.acquire(seconds=60)
    await two.release()
    assert await one.acquire(seconds=60)


async def test_whoever_has_lost_the_lease_writes_nothing(values: Values, clock: Clock) -> None:
    """P29: neither a link nor a cursor of the former one gets in, though nobody has changed them."""
    one, two = Ledger(values, clock.now, owner="one"), Ledger(values, clock.now, owner="two")
    await one.acquire(seconds=60)
    await one.save(Saving(None, link("l1", "7")))
    clock.time += 61
    with pytest.raises(LeaseLost):
        one.hold()
    assert await two.acquire(seconds=60)
    with pytest.raises(LeaseLost):
        await one.save(Saving(Known(link("l1", "7"), 1), link("l1", "7", why="late")))
    with pytest.raises(LeaseLost):
        await one.move("a", Cursor(value=9.0))
    assert await two.cursor("a") == Cursor()
    await two.release()
    with pytest.raises(LeaseLost):
        await one.save(Saving(Known(link("l1", "7"), 1), link("l1", "7", why="late")))


async def test_a_lease_that_is_renewed_goes_on(values: Values, clock: Clock) -> None:
    """What is written with it after that is fenced by it as before."""
    one, two = Ledger(values, clock.now, owner="one"), Ledger(values, clock.now, owner="two")
    await one.acquire(seconds=60)
    clock.time += 40
    await one.renew(seconds=60)
    clock.time += 40
    assert not await two.acquire(seconds=60)
    await one.save(Saving(None, link("l1", "7")))
    assert await all_of(one) == ["l1"]


async def test_dead_links_are_remembered_for_their_time(values: Values, clock: Clock) -> None:
    """So that a late page does not bring them back; then their place is free."""
    if isinstance(values, Overlay):
        return  # a rehearsal is over before anything is forgotten
    ledger = Ledger(values, clock.now, tombstones=100.0)
    await ledger.save(Saving(None, link("l1", "7", "9")))
    known = await ledger.link("l1")
    await ledger.save(Saving(known, link("l1", "7", "9", state="dead")))
    clock.time += 99
    assert "7" in await ledger.linked("a", ["7"])
    clock.time += 2
    assert await ledger.linked("a", ["7"]) == {}
    assert await all_of(ledger) == []


async def test_the_last_runs_are_kept(values: Values, clock: Clock) -> None:
    """The newest last, and not without end."""
    ledger = Ledger(values, clock.now)
    for number in range(60):
        await ledger.ran(RunRecord(at=float(number), seconds=1.0))
    runs = await ledger.runs()
    assert (len(runs), runs[-1].at) == (50, 59.0)


async def test_who_finds_the_lease_taken_gives_nothing_back(values: Values, clock: Clock) -> None:
    """A ledger whose lease another process has by now asks again, and leaves that one's alone."""
    one, two = Ledger(values, clock.now, owner="one"), Ledger(values, clock.now, owner="two")
    await one.acquire(seconds=60)
    clock.time += 61
    assert await two.acquire(seconds=60)
    assert not await one.acquire(seconds=60)
    await one.release()
    lease = await one.lease()
    assert lease is not None
    assert lease.owner == "two"
    clock.time += 61
    assert await one.acquire(seconds=60)
    with pytest.raises(LeaseLost):
        await two.renew(seconds=10_000)
    assert not await two.acquire(seconds=60)
    await two.release()
    await one.save(Saving(None, link("l1", "7")))
