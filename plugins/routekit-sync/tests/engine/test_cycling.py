"""A cycle: what it costs, what it does at once, what it leaves to a person, and what it goes on with."""

from collections import Counter
from typing import Any

import pytest

from routekit import Store
from routekit.remotes import Creating, Feed
from routekit.testing.remote import Deletes, Fault, FaultKind, Knobs
from routekit_sync import Brake, Deleted, Match
from routekit_sync.deciding import confirm, release, replay, unpark
from routekit_sync.ledger import Ledger
from routekit_sync.testing import World, renamed

UNITS = [renamed("email", "mail"), renamed("name", "title")]
EMAIL = [Match("email", ["email"], ["mail"])]


def filled(count: int, **options: Any) -> World:
    """So many people, linked and in step."""
    world = World(UNITS, **{"match": EMAIL, **options})
    for number in range(count):
        world.a.user_create({"email": f"e{number}", "name": f"N{number}"})
    world.quiet()
    return world


def decided(world: World, act: Any) -> Any:
    """What a person does to the ledger."""

    async def doing(store: Store) -> Any:
        return await act(Ledger(store.values(f"sync:{world.pair.name}"), world.now))

    return world.run(doing)


def tried(world: World) -> None:
    """So many cycles that what fails is given up."""
    for _ in range(8):
        world.wait(400)
        world.cycle()


class Counted:
    """The values of a store, each call counted."""

    def __init__(self, inner: Any, calls: Counter[str]) -> None:
        self._inner = inner
        self._calls = calls

    def values(self, name: str) -> Any:
        return Counted(self._inner.values(name), self._calls)

    def __getattr__(self, name: str) -> Any:
        self._calls[name] += 1
        return getattr(self._inner, name)


@pytest.mark.parametrize("feed", [Feed.STAMP, Feed.NONE])
def test_records_that_have_not_changed_cost_reads_in_batches_and_no_write(feed: Feed) -> None:
    """A comparison of 300 records on 6 pages: two looks into the ledger for each page, and no write."""
    world = filled(300, a=Knobs(prefix="a", feed=feed, page_size=50), b=Knobs(prefix="b", page_size=50))
    calls: Counter[str] = Counter()

    async def cycling(store: Store) -> Any:
        return await world.engine(Counted(store, calls)).cycle(full=True)  # type: ignore[arg-type]

    world.wait(1000)
    summary = world.run(cycling)
    assert (summary.scanned, summary.changed, summary.writes) == (600, 0, 0)
    assert 12 <= calls["many"] <= 2 * 12 + 2
    assert calls["write"] <= 8  # cursors and the run
    assert summary.calls_a + summary.calls_b <= 12 + 2


def test_few_changes_cost_few_calls() -> None:
    """No more calls than changed records and pages: two edits of a hundred are two writes and two pages."""
    world = filled(100)
    ids = sorted(world.a.records)
    world.a.user_edit(ids[3], {"name": "changed"})
    world.b.user_edit(sorted(world.b.records)[9], {"title": "changed"})
    world.wait(10)
    summary = world.cycle()
    assert summary is not None
    assert summary.writes == 2
    assert summary.calls_a + summary.calls_b <= 4


def test_links_are_worked_at_at_once_and_no_more_than_allowed() -> None:
    """Twenty writes of a second each, four at once, take five seconds; the system never sees a fifth."""
    world = filled(20, b=Knobs(prefix="b", concurrent=4), at_once=4)
    for each in sorted(world.a.records):
        world.a.user_edit(each, {"name": "changed"})
    world.remote_b.system.knobs = Knobs(prefix="b", concurrent=4, latency=1.0)
    world.wait(10)
    summary = world.cycle()
    assert summary is not None
    assert summary.updated_b == 20
    assert summary.seconds <= 5 + 2
    assert summary.complete


def test_a_side_that_is_down_costs_no_try() -> None:
    """The cycle ends when nothing gets through, and says so; when the side is up again, all is written once."""
    world = filled(20)
    for each in sorted(world.a.records):
        world.a.user_edit(each, {"name": "changed"})
    world.b.faults.plan(Fault(FaultKind.UNSENT, "update", times=None))
    for _ in range(30):
        world.wait(400)
        summary = world.cycle()
        assert summary is not None
        assert not summary.complete
        assert "a planned fault" in summary.note
    assert {link.attempts for link in world.links()} == {0}
    assert world.quarantine() == []
    world.b.faults.clear()
    before = len(world.b.writes)
    world.quiet()
    assert len(world.b.writes) - before == 20


def test_a_fault_of_a_connector_stops_no_other_record() -> None:
    """An error that no connector should raise concerns the record that it came with."""
    world = filled(6)
    ids = sorted(world.a.records)
    broken = next(own for own, record in world.b.records.items() if record.fields["mail"] == "e2")
    for each in ids:
        world.a.user_edit(each, {"name": "changed"})

    def failing(call: Any) -> None:
        if call.op in ("update", "get") and call.id == broken:
            raise KeyError("no such thing")

    world.b.before = failing
    for _ in range(12):
        world.wait(400)
        world.cycle()
    titles = {record.fields["mail"]: record.fields["title"] for record in world.b.records.values()}
    assert titles == {f"e{number}": "changed" for number in range(6)} | {"e2": "N2"}
    world.b.before = None
    world.quiet(most=20)
    assert world.b.records[broken].fields["title"] == "changed"
    assert {link.why for link in world.links()} == {""}


def test_what_was_given_up_is_tried_again_once_its_record_changes() -> None:
    """Not before: nobody asks for the same thing for ever; a person may, too."""
    world = filled(3)
    there = next(own for own, record in world.b.records.items() if record.fields["mail"] == "e1")
    here = next(own for own, record in world.a.records.items() if record.fields["email"] == "e1")
    world.b.faults.plan(Fault(FaultKind.REFUSED, "update", id=there, times=None, why="locked"))
    world.a.user_edit(here, {"name": "one"})
    tried(world)
    (given,) = world.quarantine()
    assert (given.code, given.attempts, given.why) == ("refused", 5, f"update {there}: locked")
    calls = world.b.calls["update"]
    for _ in range(5):
        world.wait(4000)
        world.cycle()
    assert world.b.calls["update"] == calls
    world.b.faults.clear()
    world.a.user_edit(here, {"name": "two"})
    world.quiet()
    assert world.b.records[there].fields["title"] == "two"
    assert world.quarantine() == []


def test_a_person_may_have_it_tried_again() -> None:
    """Its tries begin anew."""
    world = filled(2)
    there = next(own for own, record in world.b.records.items() if record.fields["mail"] == "e1")
    here = next(own for own, record in world.a.records.items() if record.fields["email"] == "e1")
    world.b.faults.plan(Fault(FaultKind.REFUSED, "update", id=there, times=None))
    world.a.user_edit(here, {"name": "one"})
    tried(world)
    world.b.faults.clear()
    (given,) = world.quarantine()
    decided(world, lambda ledger: replay(ledger, given))
    world.quiet()
    assert world.b.records[there].fields["title"] == "one"


def test_deletions_that_are_held_wait_for_a_person_and_no_more_go_than_were_counted() -> None:
    """P16: nothing is deleted, one alert; then these are, and more than these are held anew."""
    world = filled(30, deletes=Deleted.DELETE, brake=Brake(count=5, ratio=0.0))
    ids = sorted(world.a.records)
    for each in ids[:10]:
        world.a.user_delete(each)
    for _ in range(3):
        world.wait(400)
        world.cycle()
    assert len(world.b.records) == 30
    assert sum("gone at once" in alert for alert in world.alerts) == 1
    held = decided(world, release)
    assert held.count == 10
    world.wait(400)
    summary = world.cycle()
    assert summary is not None
    assert (summary.deleted_b, summary.held) == (10, 0)
    for each in ids[10:20]:
        world.a.user_delete(each)
    world.wait(400)
    world.cycle()
    assert len(world.b.records) == 20


def test_what_was_gone_and_is_there_again_is_no_deletion() -> None:
    """A list that was empty by mistake: the brake held, and when it is whole again nothing is deleted at all."""
    world = filled(
        30, a=Knobs(prefix="a", deletes=Deletes.SCAN), deletes=Deleted.DELETE, brake=Brake(count=5, ratio=0.0),
    )  # fmt: skip
    ids = sorted(world.a.records)
    for each in ids:
        world.a.user_hide(each)
    world.wait(400)
    world.cycle(full=True)
    for each in ids:
        world.a.user_show(each)
    world.wait(400)
    world.cycle(full=True)
    world.quiet()
    assert len(world.b.records) == 30
    assert {link.state for link in world.links()} == {"linked"}


def test_both_sides_are_matched_before_anything_is_created() -> None:
    """P1: fifty people on each side, forty the same, and no way to look them up: ten are created on each."""
    key = [
        Match("email", ["email"], ["mail"], key=lambda fields: str(fields.get("email") or fields.get("mail")).lower())
    ]
    world = World(UNITS, match=key, a=Knobs(prefix="a", page_size=7), b=Knobs(prefix="b", page_size=9))
    for number in range(50):
        world.a.user_create({"email": f"E{number}", "name": f"N{number}"})
        world.b.user_create({"mail": f"e{number + 10}", "title": f"N{number + 10}"})
    summary = world.cycle()
    assert summary is not None
    assert (summary.linked, summary.created_a, summary.created_b) == (40, 10, 10)
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 60


def test_a_match_that_is_weak_waits_for_a_person() -> None:
    """Nothing is linked and nothing is created for it until somebody has said."""
    rules = [Match("name", ["name"], ["title"], review=True)]
    world = World(UNITS, match=rules)
    world.a.user_create({"email": "one", "name": "Ann"})
    world.b.user_create({"mail": "two", "title": "Ann"})
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 1
    assert [link.state for link in world.links()] == ["parked", "parked"]
    assert all("to be confirmed" in link.why for link in world.links())


def weakly_matched() -> World:
    """A person on each side of the same name, which is a weak match."""
    world = World(UNITS, match=[Match("name", ["name"], ["title"], review=True)])
    world.a.user_create({"email": "one", "name": "Ann"})
    world.b.user_create({"mail": "two", "title": "Ann"})
    world.quiet()
    return world


def test_a_person_says_that_two_are_one() -> None:
    """They are linked, and what differs is decided by the rules."""
    world = weakly_matched()
    one, other = (link.id for link in world.links())
    decided(world, lambda ledger: _confirmed(ledger, one, other))
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 1
    assert [record.fields["mail"] for record in world.b.records.values()] == ["one"]


def test_a_person_says_that_two_are_not_one() -> None:
    """Each is created on the other side, once, and nobody is asked again."""
    world = weakly_matched()
    for link in world.links():
        decided(world, lambda ledger, own=link.id: _unparked(ledger, own))
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 2
    assert [link.state for link in world.links()] == ["linked", "linked"]


async def _confirmed(ledger: Ledger, one: str, other: str) -> None:
    first, second = await ledger.link(one), await ledger.link(other)
    assert first is not None
    assert second is not None
    await confirm(ledger, first, second)


def test_a_person_says_that_a_record_was_not_created() -> None:
    """The answer was lost before anything was done: let go, it is created once."""
    world = World(UNITS, b=Knobs(prefix="b", creating=Creating.NONE))
    world.a.user_create({"email": "ann", "name": "Ann"})
    world.b.faults.plan(Fault(FaultKind.BEFORE, "create"))
    world.quiet(most=20)
    (link,) = world.links()
    assert (link.state, len(world.b.records)) == ("parked", 0)
    decided(world, lambda ledger: _unparked(ledger, link.id))
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 1


@pytest.mark.parametrize("findable", [(), ("mail",)])
def test_two_that_match_wait_for_a_person(findable: tuple[str, ...]) -> None:
    """Nobody can tell which of them it is: neither is linked, and no third one is made."""
    world = World(UNITS, match=EMAIL, b=Knobs(prefix="b", findable=findable))
    for _ in range(2):
        world.b.user_create({"mail": "same", "title": "Ann"})
    world.a.user_create({"email": "same", "name": "Ann"})
    world.quiet()
    assert (len(world.a.records), len(world.b.records)) == (1, 2)


def test_a_record_that_is_there_already_is_linked_instead_of_created() -> None:
    """The other side refuses a second one with that key, and names the first: it matches, so it is the one."""
    world = World(UNITS, match=EMAIL, b=Knobs(prefix="b", unique=["mail"], lag=60.0))
    world.cycle()
    world.wait(100)
    world.a.user_create({"email": "ann", "name": "Ann"})
    world.b.user_create({"mail": "ann", "title": "Ann"})
    world.cycle()
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 1
    assert [link.state for link in world.links() if link.state != "dead"] == ["linked"]


def test_a_person_settles_a_create_of_which_nobody_knows_the_outcome() -> None:
    """The record that it probably made is named and not touched; once a person lets it go on, it is linked."""
    world = World(UNITS, b=Knobs(prefix="b", creating=Creating.NONE))
    world.a.user_create({"email": "ann", "name": "Ann"})
    world.b.faults.plan(Fault(FaultKind.LOST, "create"))
    world.quiet(most=20)
    (link,) = world.links()
    (made,) = world.b.records
    assert link.state == "parked"
    assert made in link.why
    decided(world, lambda ledger: _unparked(ledger, link.id))
    world.quiet()
    assert len(world.a.records) == len(world.b.records) == 1
    assert [each.state for each in world.links()] == ["linked"]


async def _unparked(ledger: Ledger, own: str) -> None:
    known = await ledger.link(own)
    assert known is not None
    await unpark(ledger, known)


def test_a_sweep_finds_what_no_feed_tells() -> None:
    """A change that moved no stamp, and a deletion without a word."""
    world = filled(5, a=Knobs(prefix="a", deletes=Deletes.SCAN), deletes=Deleted.DELETE, sweep=5000.0)
    ids = sorted(world.a.records)
    world.a.user_delete(ids[0])
    for _ in range(3):
        world.wait(400)
        world.cycle()
    assert len(world.b.records) == 5
    world.wait(5000)
    world.cycle()
    assert len(world.b.records) == 4


def test_values_that_take_turns_park_their_link() -> None:
    """P32: A-B-A-B is two systems that answer each other, though it is slow."""
    world = filled(1)
    (own,) = world.a.records
    for turn in range(12):
        world.a.user_edit(own, {"name": "A" if turn % 2 else "B"})
        world.wait(60)
        world.cycle()
    (link,) = world.links()
    assert link.state == "parked"
    assert "take turns" in link.why
    assert len(world.b.writes) <= 8


@pytest.mark.parametrize("kind", [FaultKind.BEFORE, FaultKind.FORBIDDEN])
def test_a_record_that_cannot_be_read_stops_no_other(kind: FaultKind) -> None:
    """P20: a call for many fails for the sake of one of them: they are asked for one by one, and the rest is done."""
    world = World(UNITS, match=EMAIL)
    ids = [world.a.user_create({"email": f"e{number}", "name": f"N{number}"}) for number in range(6)]
    world.a.faults.plan(Fault(kind, "many", times=None), Fault(kind, "get", id=ids[2], times=None))
    for _ in range(4):
        world.wait(400)
        world.cycle()
    assert sorted(record.fields["mail"] for record in world.b.records.values()) == ["e0", "e1", "e3", "e4", "e5"]
    world.a.faults.clear()
    for _ in range(4):
        world.wait(4000)
        world.cycle()
    assert len(world.b.records) == 6


def test_a_deletion_that_fails_stops_no_other() -> None:
    """P20: one record over there cannot be asked for; the other deletions are carried out."""
    world = filled(5, deletes=Deleted.DELETE)
    there = next(own for own, record in world.b.records.items() if record.fields["mail"] == "e1")
    for own, record in list(world.a.records.items()):
        if record.fields["email"] in ("e0", "e1", "e2"):
            world.a.user_delete(own)
    world.b.faults.plan(Fault(FaultKind.BEFORE, id=there, times=None))
    for _ in range(3):
        world.wait(400)
        world.cycle()
    assert sorted(record.fields["mail"] for record in world.b.records.values()) == ["e1", "e3", "e4"]
    world.b.faults.clear()
    for _ in range(4):
        world.wait(4000)
        world.cycle()
    assert sorted(record.fields["mail"] for record in world.b.records.values()) == ["e3", "e4"]


def test_a_scope_or_key_that_fails_stops_no_other() -> None:
    """P20: a function of the user that cannot take one record leaves that one out, and a person is told."""

    def scope(record: Any) -> bool:
        return len(record.fields["name"]) > 1

    def key(fields: Any) -> str | None:
        return (fields.get("email") or fields.get("mail")).lower()

    world = World(UNITS, match=[Match("email", ["email"], ["mail"], key=key)], scope_a=scope)
    world.a.user_create({"email": "ann", "name": "Ann"})
    world.a.user_create({"email": None, "name": "Bob"})
    world.a.user_create({"email": "cid", "name": None})
    world.quiet()
    assert sorted(record.fields["title"] for record in world.b.records.values()) == ["Ann", "Bob"]
    assert any("scope" in alert for alert in world.alerts)


@pytest.mark.parametrize("compare_and_set", [False, True])
def test_a_plan_knows_of_a_deletion_that_no_feed_has_told(compare_and_set: bool) -> None:
    """P27: what would be written is read for the plan: the record is brought back, not changed."""
    b = Knobs(prefix="b", deletes=Deletes.SCAN, compare_and_set=compare_and_set)
    world = filled(1, b=b, deletes=Deleted.DELETE, sweep=1e9)
    (here,), (there,) = world.a.records, world.b.records
    world.b.user_delete(there)
    world.a.user_edit(here, {"name": "changed"})
    world.wait(400)
    planned = [(write.side, write.op) for each in world.plan() for write in each.writes]
    before = len(world.b.writes)
    world.cycle()
    assert planned == [("b", written.op) for written in world.b.writes[before:]] == [("b", "create")]
