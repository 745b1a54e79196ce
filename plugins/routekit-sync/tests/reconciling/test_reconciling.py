"""Reconciling: it finds what differs, all of it and nothing else, cheaply; and what it gives repairs that."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Store
from routekit.remotes import Record
from routekit.testing.remote import Deletes, Fault, FaultKind, Knobs, Paging, Versions
from routekit_sync import Deleted, Rule, Unit
from routekit_sync.bench import Bench
from routekit_sync.differing import Difference, Why
from routekit_sync.engine import Hint
from routekit_sync.reconciling import Reconciliation, reconcile
from routekit_sync.repairing import Repair, ask, repair
from routekit_sync.suppressing import places, remembered, secret_of
from routekit_sync.testing import World, renamed
from routekit_sync.totalling import Total

T = TypeVar("T")


def units() -> list[Unit]:
    return [renamed("name", "title"), renamed("phone", "tel", rule=Rule.B)]


def world(count: int = 30, **options: Any) -> World:
    """A pair in step."""
    made = World(options.pop("units", units()), **options)
    for number in range(count):
        made.a.user_create({"name": f"n{number}", "phone": f"p{number}"})
    made.quiet()
    return made


def on_bench(world: World, act: Callable[[Bench], Awaitable[T]]) -> T:
    async def acting(store: Store) -> T:
        return await act(world.engine(store).bench())

    return world.run(acting)


def looked(world: World, **options: Any) -> Reconciliation:
    return on_bench(world, lambda bench: reconcile(bench, **options))


def repaired(world: World, **options: Any) -> Repair:
    """Compare, and let the engine do what brings both sides in step."""

    async def repairing(bench: Bench) -> Repair:
        given = await repair(bench, await reconcile(bench, **options))
        await ask(bench.ledger, given)
        return given

    done = on_bench(world, repairing)
    world.cycle(hints=[Hint(side, own) for side, own in done.loose])
    world.quiet()
    return done


def unseen(world: World, side: str, act: Callable[[], object]) -> None:
    """Something happens on a side, and its feed never tells: the cursor is moved behind it."""
    world.wait(100.0)
    act()
    world.wait(100.0)

    async def passing(bench: Bench) -> None:
        cursor = await bench.ledger.cursor("a" if side == "a" else "b")
        await bench.ledger.move("a" if side == "a" else "b", cursor.model_copy(update={"value": world.now()}))

    on_bench(world, passing)


def secretly(world: World, side: str, own: str, **fields: Any) -> None:
    """A record changes, and neither its stamp nor its version does."""
    row = (world.a if side == "a" else world.b).rows[own]
    row.states[-1] = replace(row.current, fields={**row.current.fields, **fields})


def told(found: Reconciliation) -> Counter[tuple[str, str | None, str]]:
    return Counter((each.why.value, each.side, each.unit) for each in found.differences)


def in_step(world: World) -> bool:
    a = sorted((r.fields.get("name"), r.fields.get("phone")) for r in world.a.records.values())
    b = sorted((r.fields.get("title"), r.fields.get("tel")) for r in world.b.records.values())
    return a == b


def test_a_pair_in_step_is_read_once_and_cheaply() -> None:
    """As many calls as there are pages, no field of any record, and nothing is written anywhere."""
    made = world(30, a=Knobs(prefix="a", page_size=10), b=Knobs(prefix="b", page_size=15))
    before = made.writes
    found = looked(made)
    assert found.in_step
    assert (found.records, found.links) == ({"a": 30, "b": 30}, {"linked": 30})
    assert found.calls == {"a": 3, "b": 2}
    assert (found.buckets, found.examined, made.writes) == (0, 0, before)


def test_what_the_feed_did_not_tell_is_found_where_it_is() -> None:
    """An edit, a deletion, a new record: one difference each, with the side, and few records are read whole."""
    made = world(100)
    ids = sorted(made.a.records)
    unseen(made, "a", lambda: made.a.user_edit(ids[3], {"name": "changed"}))
    unseen(made, "b", lambda: made.b.user_edit(sorted(made.b.records)[7], {"tel": "changed"}))
    unseen(made, "a", lambda: made.a.user_delete(ids[5]))
    unseen(made, "b", lambda: made.b.user_create({"title": "new", "tel": "0"}))
    found = looked(made)
    assert told(found) == {
        ("changed", "a", "name"): 1,
        ("changed", "b", "phone"): 1,
        ("missing", "a", ""): 1,
        ("unlinked", "b", ""): 1,
    }
    assert found.examined <= 10
    assert [each.a for each in found.differences if each.unit == "name"] == [{"name": "changed"}]


def test_repair_brings_both_sides_in_step() -> None:
    """By the engine: an edit goes over, a deletion has the effect that the pair wants, a new record is created."""
    made = world(20, deletes=Deleted.DELETE)
    ids = sorted(made.a.records)
    unseen(made, "a", lambda: made.a.user_edit(ids[3], {"name": "changed"}))
    unseen(made, "a", lambda: made.a.user_delete(ids[5]))
    unseen(made, "b", lambda: made.b.user_create({"title": "new", "tel": "0"}))
    before = made.writes
    done = repaired(made)
    assert [write.op for plan in done.plans for write in plan.writes] == ["update", "delete"] or [
        write.op for plan in done.plans for write in plan.writes
    ] == ["delete", "update"]
    assert made.writes - before == 3
    assert in_step(made)
    assert looked(made).in_step


def test_drift_is_found_and_repaired_by_the_rule_of_the_unit() -> None:
    """What nobody has changed since it was last seen, and is unequal all the same: the owner's value counts."""
    made = world(20)
    own = sorted(made.a.records)[4]

    async def drifted(bench: Bench) -> None:
        known = (await bench.ledger.linked("a", [own]))[own]
        assert known.link.b is not None
        there = known.link.b.id
        secretly(made, "b", there, title="drifted", tel="drifted")
        shadow = known.link.b.model_copy(update={"fields": {"title": "drifted", "tel": "drifted"}})
        await bench.save(known, known.link.model_copy(update={"b": shadow}))

    on_bench(made, drifted)
    found = looked(made)
    assert told(found) == {("drift", None, "name"): 1, ("drift", None, "phone"): 1}
    repaired(made)
    assert made.a.records[own].fields["phone"] == "drifted"
    assert "drifted" not in [record.fields["title"] for record in made.b.records.values()]
    assert looked(made).in_step


def test_what_moves_no_stamp_is_found_if_it_is_thorough() -> None:
    """A cheap look cannot see it, and says that both are in step."""
    made = world(20)
    own = sorted(made.b.records)[4]
    secretly(made, "b", own, title="secret")
    assert looked(made).in_step
    found = looked(made, thorough=True)
    assert told(found) == {("changed", "b", "name"): 1}
    repaired(made, thorough=True)
    assert in_step(made)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 12))
def test_k_divergences_are_exactly_the_k_that_are_reported(seed: int, count: int) -> None:
    """P28: behind the engine's back, on either side, of every kind; and repair restores convergence."""
    random = Random(seed)
    made = world(25, deletes=Deleted.DELETE, a=Knobs(prefix="a", page_size=7), b=Knobs(prefix="b", page_size=6))
    wanted: Counter[tuple[str, str | None, str]] = Counter()
    linked = [(link.a.id, link.b.id) for link in made.links() if link.a and link.b]
    for a, b in random.sample(linked, count):
        side = random.choice(["a", "b"])
        system, own = (made.a, a) if side == "a" else (made.b, b)
        kind = random.choice(["name", "phone", "missing", "unlinked"])
        if kind == "missing":
            unseen(made, side, lambda system=system, own=own: system.user_delete(own))
            wanted["missing", side, ""] += 1
        elif kind == "unlinked":
            fields = {"name": f"new {a}"} if side == "a" else {"title": f"new {b}"}
            unseen(made, side, lambda system=system, fields=fields: system.user_create(fields))
            wanted["unlinked", side, ""] += 1
        else:
            field = kind if side == "a" else {"name": "title", "phone": "tel"}[kind]
            unseen(made, side, lambda system=system, own=own, field=field: system.user_edit(own, {field: f"x{own}"}))
            wanted["changed", side, kind] += 1
    found = looked(made)
    assert told(found) == wanted
    before = made.writes
    repaired(made)
    assert made.writes - before == count
    assert in_step(made)
    assert looked(made, thorough=True).in_step


@pytest.mark.parametrize("versions", [Versions.STAMP, Versions.NONE])
@pytest.mark.parametrize("paging", list(Paging))
def test_it_works_with_what_a_side_can_give(versions: Versions, paging: Paging) -> None:
    """By stamps where there are no versions, by either paging, and where deletions show nowhere but in a scan."""
    knobs = {"versions": versions, "compare_and_set": False, "paging": paging, "page_size": 4, "deletes": Deletes.SCAN}
    made = world(11, a=Knobs(prefix="a", **knobs), b=Knobs(prefix="b", **knobs))
    assert looked(made).in_step
    own = sorted(made.a.records)[4]
    unseen(made, "a", lambda: made.a.user_edit(own, {"name": "changed"}))
    assert told(looked(made)) == {("changed", "a", "name"): 1}


def test_a_record_that_may_not_be_seen_is_not_missing() -> None:
    """It is hidden, and no repair deletes anything for it."""
    made = world(10, deletes=Deleted.DELETE)
    own = sorted(made.a.records)[4]
    made.a.user_hide(own)
    assert told(looked(made)) == {("hidden", "a", ""): 1}
    before = made.writes
    assert [each.why for each in repaired(made).left] == [Why.HIDDEN]
    assert made.writes == before


def test_what_waits_for_a_person_is_listed_as_that() -> None:
    """A conflict of both sides under the manual rule, and a field that the other side refuses."""
    made = world(10, units=[renamed("name", "title", rule=Rule.MANUAL), renamed("phone", "tel")])
    a, b = next((link.a.id, link.b.id) for link in made.links() if link.a and link.b)
    made.a.user_edit(a, {"name": "here"})
    made.b.user_edit(b, {"title": "there"})
    made.b.faults.plan(Fault(FaultKind.REFUSED, op="update", field="tel", times=None, why="no number"))
    made.a.user_edit(sorted(made.a.records)[-1], {"phone": "x"})
    made.quiet()
    found = looked(made)
    assert told(found) == {("conflict", None, "name"): 1, ("blocked", None, "phone"): 1}
    assert [each.note for each in found.differences if each.why is Why.BLOCKED] == ["no number"]
    assert {each.why for each in repaired(made).left} == {Why.CONFLICT, Why.BLOCKED}


def test_totals_show_by_group_what_is_not_the_same() -> None:
    """Sums by a field of each side; the group that differs is named."""
    amount = renamed("amount", "sum")
    made = World([renamed("name", "title"), amount, renamed("currency", "cur")])
    for number in range(6):
        made.a.user_create({"name": f"n{number}", "amount": 10, "currency": "EUR" if number % 2 else "USD"})
    made.quiet()
    total = Total("amount", "amount", "sum", by_a=["currency"], by_b=["cur"])
    assert all(line.equal for line in looked(made, totals=[total]).totals)
    changed = next(own for own, record in made.b.records.items() if record.fields["cur"] == "EUR")
    unseen(made, "b", lambda: made.b.user_edit(changed, {"sum": 12.5}))
    lines = {line.group: (line.a, line.b, line.equal) for line in looked(made, totals=[total]).totals}
    assert lines["USD",][2]
    assert [str(each) for each in lines["EUR",]] == ["30", "32.5", "False"]


def test_only_so_many_differences_are_listed() -> None:
    """All are counted."""
    made = world(12)
    for own in sorted(made.a.records)[:9]:
        unseen(made, "a", lambda own=own: made.a.user_edit(own, {"name": "x"}))
    found = looked(made, most=4)
    assert (len(found.differences), found.more, found.found) == (4, 5, {Why.CHANGED: 9})


def test_a_side_that_is_busy_or_loses_answers_is_asked_again() -> None:
    """A comparison waits, and reads again: it writes nothing, so that is safe."""
    made = world(12, a=Knobs(prefix="a", page_size=4))
    made.a.faults.plan(Fault(FaultKind.BUSY, op="scan", times=2, after=7.0), Fault(FaultKind.LOST, op="scan", at=3))
    assert looked(made).in_step


def test_a_difference_does_not_show_values_by_itself() -> None:
    """They may be personal."""
    difference = Difference(Why.CHANGED, "a", "l", a={"email": "ada@example.org"})
    assert "ada" not in repr(difference)
    assert Record("1", {}) is not None


def test_a_merge_that_was_not_told_leaves_one_link() -> None:
    """The loser is missing, and it is said into which record it went; the engine does what a merge asks for."""
    made = world(6)
    loser, winner = sorted(made.a.records)[:2]
    unseen(made, "a", lambda: made.a.user_merge(loser, winner))
    missing = [each for each in looked(made).differences if each.why is Why.MISSING]
    assert [(each.side, each.note) for each in missing] == [("a", f"merged into {winner}")]
    repaired(made)
    living = [link for link in made.links() if link.state == "linked" and link.a and link.a.id == winner]
    assert len(living) == 1
    assert not [each for each in looked(made).differences if each.why is not Why.EXTRA]


def test_a_parked_link_is_compared_too() -> None:
    """That a person has to look at it does not make it equal."""
    made = world(6)
    own = sorted(made.a.records)[2]

    async def park(bench: Bench) -> None:
        known = (await bench.ledger.linked("a", [own]))[own]
        await bench.save(known, known.link.model_copy(update={"state": "parked", "why": "ping-pong"}))

    on_bench(made, park)
    assert looked(made).in_step
    made.wait(10.0)
    made.a.user_edit(own, {"name": "changed"})
    made.quiet()
    assert [(each.why, each.note) for each in looked(made).differences] == [(Why.CHANGED, "parked: ping-pong")]
    before = made.writes
    assert [each.note for each in repaired(made).left] == ["parked: ping-pong"]
    assert made.writes == before


def test_records_out_of_scope_or_of_an_erased_person_are_no_difference() -> None:
    """They have no counterpart, and are to have none; a scope that fails leaves its record out."""
    made = world(6, scope_a=lambda record: bool(record.fields["phone"][0] == "p"))
    made.a.user_create({"name": "outside", "phone": "x"})
    made.a.user_create({"name": "no phone", "phone": None})
    own = made.a.user_create({"name": "erased", "phone": "p"})

    async def keep_out(bench: Bench) -> None:
        secret = await secret_of(bench.ledger)
        await bench.ledger.write(remembered(places(secret, "a", own, {}), "erasure"))

    on_bench(made, keep_out)
    found = looked(made)
    assert (found.in_step, found.kept_out, found.records) == (True, 1, {"a": 9, "b": 6})
