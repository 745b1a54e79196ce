"""The engine on both event loops and on a store in a file: parents, parts of a pair, rehearsals, and lost leases."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from routekit import Store, ValueChange
from routekit.remotes import Busy
from routekit.testing import Catalog
from routekit.testing.remote import FakeRemote, FakeSystem, Fault, FaultKind, Knobs
from routekit_sync import Match, SyncPair, Unit
from routekit_sync.engine import Engine
from routekit_sync.ledger import Ledger
from routekit_sync.testing import renamed

pytestmark = pytest.mark.anyio

NAME = renamed("name", "title")


class Bed:
    """A store, a clock, and the pairs over them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.time = 1_000_000.0
        self.remotes: dict[str, FakeRemote] = {}

    def now(self) -> float:
        return self.time

    def pair(self, name: str, *units: Unit, a: Knobs | None = None, b: Knobs | None = None, **more: Any) -> SyncPair:
        for side, knobs in (("a", a), ("b", b)):
            remote = FakeRemote(f"{name} {side}", knobs or Knobs(prefix=f"{name[:2]}{side}"), now=self.now)
            self.remotes[f"{name}/{side}"] = remote
        return SyncPair(name, self.remotes[f"{name}/a"], self.remotes[f"{name}/b"], units or (NAME,), **more)

    def system(self, pair: SyncPair, side: str) -> FakeSystem:
        return self.remotes[f"{pair.name}/{side}"].system

    def ledger(self, name: str, owner: str = "") -> Ledger:
        return Ledger(self.store.values(f"sync:{name}"), self.now, owner=owner)

    def engine(self, pair: SyncPair, *, owner: str = "", partition: int = 0) -> Engine:
        a, b = self.remotes[f"{pair.name}/a"].session(), self.remotes[f"{pair.name}/b"].session()
        return Engine(
            pair, self.ledger(pair.name, owner), a, b,
            now=self.now, random=Random(1), kin=self.ledger, partition=partition,
        )  # fmt: skip

    async def quiet(self, *pairs: SyncPair) -> None:
        for _ in range(6):
            self.time += 400
            for pair in pairs:
                for partition in range(pair.partitions):
                    await self.engine(pair, partition=partition).cycle()


@pytest.fixture(params=["memory", "sqlite"])
async def bed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bed]:
    beds: list[Bed] = []
    uri = "memory:" if request.param == "memory" else f"sqlite:{tmp_path}/state.db"
    async with Catalog().open_store(uri, lambda: beds[0].now() if beds else 1_000_000.0) as store:
        beds.append(Bed(store))
        yield beds[0]


def titles(system: FakeSystem, name: str = "title") -> list[Any]:
    return sorted(record.fields[name] for record in system.records.values())


async def test_both_sides_come_to_the_same(bed: Bed) -> None:
    """New ones, edits and a second cycle that has nothing to do."""
    people = bed.pair("people")
    one = bed.system(people, "a").user_create({"name": "Ann"})
    bed.system(people, "b").user_create({"title": "Bob"})
    await bed.quiet(people)
    bed.system(people, "a").user_edit(one, {"name": "Anna"})
    bed.time += 10
    summary = await bed.engine(people).cycle()
    assert (summary.updated_b, summary.writes, summary.complete) == (1, 1, True)
    assert titles(bed.system(people, "b")) == titles(bed.system(people, "a"), "name") == ["Anna", "Bob"]
    bed.time += 10
    assert (await bed.engine(people).cycle()).writes == 0


async def test_a_child_waits_for_its_parent_and_is_let_go_once(bed: Bed) -> None:
    """P19: a contact is created when its account is linked, with the account's id over there, and then one time."""
    accounts = bed.pair("accounts")
    contacts = bed.pair("contacts", NAME, renamed("account", "firm"), parents={"account": "accounts"})
    firm = bed.system(accounts, "a").user_create({"name": "Firm"})
    bed.system(contacts, "a").user_create({"name": "Ann", "account": firm})
    for _ in range(3):
        bed.time += 10
        summary = await bed.engine(contacts).cycle()
        assert (summary.waiting, summary.writes) == (1, 0)
    await bed.quiet(accounts, contacts)
    ((there, _),) = bed.system(accounts, "b").records.items()
    (child,) = bed.system(contacts, "b").records.values()
    assert child.fields == {"title": "Ann", "firm": there}
    assert [written.op for written in bed.system(contacts, "b").writes] == ["create"]


async def test_who_waits_for_a_parent_writes_nothing_while_it_waits(bed: Bed) -> None:
    """P19: looking again costs reads, and no write into the ledger but that of the run."""
    contacts = bed.pair("contacts", NAME, renamed("account", "firm"), parents={"account": "accounts"})
    bed.system(contacts, "a").user_create({"name": "Ann", "account": "77"})
    await bed.quiet(contacts)
    (before,) = [known async for known in bed.ledger("contacts").links()]
    await bed.quiet(contacts)
    (after,) = [known async for known in bed.ledger("contacts").links()]
    assert before == after
    assert before.link.waits_for == "accounts/a/77"


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_references_in_a_circle_end(bed: Bed, count: int) -> None:
    """P19: each waits for the next, or a record for itself: one is created without, and it is written later."""
    folders = bed.pair("folders", NAME, renamed("parent", "above"), parents={"parent": "folders"})
    a, b = bed.system(folders, "a"), bed.system(folders, "b")
    ids = [a.user_create({"name": f"F{number}"}) for number in range(count)]
    for number, own in enumerate(ids):
        a.user_edit(own, {"parent": ids[(number + 1) % count]})
    for _ in range(3):
        await bed.quiet(folders)
    there = {record.fields["title"]: own for own, record in b.records.items()}
    assert len(there) == count
    for number in range(count):
        assert b.records[there[f"F{number}"]].fields["above"] == there[f"F{(number + 1) % count}"]
    assert sum(written.op == "create" for written in b.writes) == count


async def test_parts_of_a_pair_share_its_links(bed: Bed) -> None:
    """Each link is worked at by one part, all of them together do it all, and no record is made twice."""
    people = bed.pair("people", partitions=3)
    a, b = bed.system(people, "a"), bed.system(people, "b")
    for number in range(20):
        a.user_create({"name": f"N{number}"})
    await bed.quiet(people)
    assert len(b.records) == 20
    for own in a.records:
        a.user_edit(own, {"name": f"{own} again"})
    before = len(b.writes)
    shares: list[int] = []
    bed.time += 400
    for partition in range(3):
        shares.append((await bed.engine(people, partition=partition).cycle()).updated_b)
    assert (sum(shares), len(b.writes) - before) == (20, 20)
    assert all(shares)
    assert titles(b) == titles(a, "name")


async def test_a_rehearsal_changes_nothing_anywhere(bed: Bed) -> None:
    """P27: neither the store nor a side has another value than before, and the lease is nobody's."""
    people = bed.pair("people", match=[Match("name", ["name"], ["title"])])
    a, b = bed.system(people, "a"), bed.system(people, "b")
    kept = a.user_create({"name": "Ann"})
    await bed.quiet(people)
    a.user_edit(kept, {"name": "Anna"})
    a.user_create({"name": "Cid"})
    b.user_create({"title": "Cid"})
    b.user_create({"title": "Dan"})
    bed.time += 400
    values = bed.store.values("sync:people")
    before = await values.items(), len(a.writes), len(b.writes)
    plans = [each async for each in bed.engine(people).plan()]
    assert (await values.items(), len(a.writes), len(b.writes)) == before
    planned = sorted((write.side, write.op) for each in plans for write in each.writes)
    assert planned == [("a", "create"), ("b", "update")]
    summary = await bed.engine(people).cycle()
    assert (summary.created_a, summary.updated_b, summary.writes, summary.linked) == (1, 1, 2, 1)


async def test_a_second_engine_waits_until_the_first_has_ended(bed: Bed) -> None:
    """P29: while one has the lease the other one does nothing, and says why."""
    people = bed.pair("people")
    bed.system(people, "a").user_create({"name": "Ann"})
    held = bed.ledger("people", "first")
    assert await held.acquire(seconds=300)
    summary = await bed.engine(people, owner="second").cycle()
    assert (summary.complete, summary.note) == (False, "another process works at this pair")
    assert bed.system(people, "a").calls.total() == 0
    await held.release()
    assert (await bed.engine(people, owner="second").cycle()).created_b == 1


async def test_an_engine_that_is_late_writes_neither_here_nor_there(bed: Bed) -> None:
    """P29: it sleeps in the middle of a cycle until its lease has run out, and another one has done its work."""
    people = bed.pair("people")
    a, b = bed.system(people, "a"), bed.system(people, "b")
    own = a.user_create({"name": "Ann"})
    await bed.quiet(people)
    a.user_edit(own, {"name": "Anna"})
    bed.time += 10
    late = bed.engine(people, owner="late")

    async def meanwhile() -> None:
        bed.time += 1000
        await bed.engine(people, owner="other").cycle()

    late.ledger = _Asleep(late.ledger, meanwhile)  # type: ignore[assignment]
    summary = await late.cycle()
    assert not summary.complete
    assert [written.op for written in b.writes] == ["create", "update"]
    assert titles(b) == ["Anna"]
    (known,) = [each async for each in bed.ledger("people").links()]
    assert known.link.intents == []
    assert known.link.a is not None
    assert known.link.a.fields == {"name": "Anna"}


class _Asleep:
    """A ledger whose process sleeps once, right before it keeps its first link."""

    def __init__(self, ledger: Ledger, meanwhile: Callable[[], Any]) -> None:
        self._ledger = ledger
        self._meanwhile: Callable[[], Any] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def save(self, *savings: Any, extra: tuple[ValueChange, ...] = ()) -> None:
        if savings and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        await self._ledger.save(*savings, extra=extra)


async def test_a_cycle_tells_how_far_it_is_and_what_it_did(bed: Bed) -> None:
    """The last one is in the ledger with its figures, and whoever listens hears of each part."""
    people = bed.pair("people")
    bed.system(people, "a").user_create({"name": "Ann"})
    heard: list[str] = []
    engine = bed.engine(people)
    engine.report = lambda progress: heard.append(progress.stage)
    await engine.cycle()
    assert heard[-1] == "done"
    assert {"reading a", "reading b", "creating", "deleting"} <= set(heard)
    (run,) = await bed.ledger("people").runs()
    assert run.figures["created_b"] == 1.0


async def test_a_side_that_was_busy_is_asked_again_by_the_next_plan(bed: Bed) -> None:
    """A cycle that was stopped leaves nothing behind that stops a rehearsal; one that is stopped itself says so."""
    people = bed.pair("people")
    own = bed.system(people, "a").user_create({"name": "Ann"})
    await bed.quiet(people)
    bed.system(people, "a").user_edit(own, {"name": "Anna"})
    bed.time += 10
    engine = bed.engine(people)
    bed.system(people, "b").faults.plan(Fault(FaultKind.BUSY, "update", after=30.0))
    summary = await engine.cycle()
    assert (summary.complete, summary.wait) == (False, 30.0)
    plans = [each async for each in engine.plan()]
    assert [write.op for each in plans for write in each.writes] == ["update"]
    bed.system(people, "a").faults.plan(Fault(FaultKind.BUSY, "changes"))
    with pytest.raises(Busy):
        [each async for each in engine.plan()]
