"""The engine is killed before and after every single step, and answers are lost at every call: P6 and P7."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from routekit.remotes import Creating
from routekit.testing.remote import FakeSystem, Fault, FaultKind, Knobs
from routekit_sync import Deleted, Match, Rule
from routekit_sync.testing import World, renamed

UNITS = [renamed("email", "mail"), renamed("name", "title"), renamed("note", "remark", rule=Rule.APPEND)]
CONTRACTS = list(Creating)


def knobs(side: str, creating: Creating, **more: Any) -> Knobs:
    mark = f"{side}_mark" if creating is Creating.NATURAL else None
    names = ["email"] if side == "a" else ["mail"]
    options = {"prefix": side, "creating": creating, "external_key": mark, "findable": names, **more}
    return Knobs(**options)


def busy_day(creating: Creating, store: str = "memory:", **more: Any) -> World:
    """Two linked records, one of which both sides have edited, one that is deleted, and a new one on each side."""
    world = World(
        UNITS, a=knobs("a", creating, **more), b=knobs("b", creating, **more), store=store,
        match=[Match("email", ["email"], ["mail"])], deletes=Deleted.DELETE,
    )  # fmt: skip
    for email in ("ann", "bob", "cid"):
        world.a.user_create({"email": email, "name": email.title(), "note": "old"})
    world.quiet()
    ann, _, cid = sorted(world.a.records)
    there = {record.fields["mail"]: each for each, record in world.b.records.items()}
    world.a.user_edit(ann, {"name": "Anna", "note": "old, from a"})
    world.b.user_edit(there["ann"], {"remark": "old, from b"})
    world.b.user_edit(there["bob"], {"title": "Bobby"})
    world.a.user_delete(cid)
    world.a.user_create({"email": "dan", "name": "Dan", "note": None})
    world.b.user_create({"mail": "eve", "title": "Eve", "remark": "new"})
    world.wait(400)
    return world


def picture(world: World) -> tuple[Any, Any]:
    """All values of the records of both sides, without the ids, which depend on the order."""

    def told(fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return sorted((name, value) for name, value in fields.items() if value is not None and "_mark" not in name)

    a, b = (sorted(told(record.fields) for record in system.records.values()) for system in (world.a, world.b))
    return a, b


def created(system: FakeSystem) -> Counter[Any]:
    """How often a record was made by the API, by its key."""
    return Counter(
        written.fields.get("email", written.fields.get("mail")) for written in system.writes if written.op == "create"
    )


@pytest.fixture(scope="module")
def undisturbed() -> dict[Creating, tuple[tuple[Any, Any], int]]:
    """By contract: what comes of the day if nothing goes wrong, and in how many steps."""
    found: dict[Creating, tuple[tuple[Any, Any], int]] = {}
    for creating in CONTRACTS:
        world = busy_day(creating)
        world.cycle()
        steps = world.steps
        world.quiet()
        found[creating] = picture(world), steps
    return found


def test_a_day_without_a_crash_ends_in_step(undisturbed: dict[Creating, tuple[tuple[Any, Any], int]]) -> None:
    """What the other tests compare with: four records on each side, with every edit."""
    for (a, b), _ in undisturbed.values():
        assert [dict(record)["email"] for record in a] == ["ann", "bob", "dan", "eve"]
        assert [sorted(str(value) for _, value in record) for record in a] == [
            sorted(str(value) for _, value in record) for record in b
        ]
        assert dict(a[0])["note"].count("from") == 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize("creating", CONTRACTS)
def test_p6_a_kill_at_any_step_changes_nothing_in_the_end(
    creating: Creating, undisturbed: dict[Creating, tuple[tuple[Any, Any], int]]
) -> None:
    """P6: killed before or after any step of a cycle, the next engines end where one without a crash would have."""
    expected, steps = undisturbed[creating]
    for at in range(1, steps + 1):
        world = busy_day(creating)
        world.cycle(kill_at=at)
        world.quiet()
        assert picture(world) == expected or left_to_a_person(world), f"killed at step {at} of {steps}"


def left_to_a_person(world: World) -> bool:
    """Whether a create is parked whose outcome nobody can know, and nothing is twice."""
    if Creating.NONE not in (world.a.knobs.creating, world.b.knobs.creating):
        return False
    once = all(max(created(system).values()) == 1 for system in (world.a, world.b))
    parked = [link.why for link in world.links() if link.state == "parked"]
    return once and bool(parked) and all("unknown outcome" in why for why in parked) and bool(world.alerts)


@pytest.mark.parametrize("creating", CONTRACTS)
@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.AFTER, FaultKind.BEFORE, FaultKind.UNSENT])
def test_p7_a_lost_answer_makes_no_second_record(
    creating: Creating, kind: FaultKind, undisturbed: dict[Creating, tuple[tuple[Any, Any], int]]
) -> None:
    """P7: the answer of each create is lost, by every contract of creating; there is one record in the end."""
    world = busy_day(creating)
    world.a.faults.plan(Fault(kind, "create", times=2))
    world.b.faults.plan(Fault(kind, "create", times=2))
    world.quiet(most=20)
    assert picture(world) == undisturbed[creating][0] or left_to_a_person(world)


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.BEFORE])
def test_p7_where_nobody_can_tell_a_person_is_asked(kind: FaultKind) -> None:
    """P7: without a contract and without a way to look the record up, an unknown outcome is parked, not repeated."""
    world = World(UNITS, a=Knobs(prefix="a"), b=Knobs(prefix="b", creating=Creating.NONE, findable=[]))
    world.a.user_create({"email": "ann", "name": "Ann"})
    world.b.faults.plan(Fault(kind, "create"))
    world.quiet(most=20)
    assert world.b.calls["create"] == 1
    assert [link.state for link in world.links()] == ["parked"]
    assert world.alerts


@pytest.mark.parametrize("creating", CONTRACTS)
def test_p6_p7_a_kill_makes_no_second_record_where_nothing_can_be_looked_up(creating: Creating) -> None:
    """P6, P7: killed at any step of a create, by a system in which nothing is found by a value: there is one record."""
    knobs = Knobs(prefix="b", creating=creating, external_key="mark" if creating is Creating.NATURAL else None)
    at, killed = 0, True
    while killed:
        at += 1
        world = World(UNITS, b=knobs)
        world.a.user_create({"email": "ann", "name": "Ann"})
        killed = world.cycle(kill_at=at) is None
        world.quiet(most=20)
        assert len(world.b.records) <= 1, f"killed at step {at}"
        assert len(world.a.records) == 1, f"killed at step {at}"
        assert world.b.records or [link.state for link in world.links()] == ["parked"], f"killed at step {at}"


@pytest.mark.parametrize("op", ["update", "delete", "get", "many", "find", "changes", "scan"])
@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.AFTER, FaultKind.BEFORE, FaultKind.UNSENT, FaultKind.BUSY])
def test_p6_a_call_that_fails_changes_nothing_in_the_end(
    op: str, kind: FaultKind, undisturbed: dict[Creating, tuple[tuple[Any, Any], int]]
) -> None:
    """P6: whatever call fails, and however, what comes out is the same, and each write is made once."""
    world = busy_day(Creating.REPLAY, answers=False)
    for system in (world.a, world.b):
        system.faults.plan(Fault(kind, op, times=2))
    world.quiet(most=20)
    assert picture(world) == undisturbed[Creating.REPLAY][0]


@pytest.mark.timeout(300)
def test_p6_holds_on_sqlite(tmp_path: Any, undisturbed: dict[Creating, tuple[tuple[Any, Any], int]]) -> None:
    """P6: the same with what is remembered in a file, for some of the steps."""
    expected, steps = undisturbed[Creating.REFUSE]
    for at in range(3, steps, 12):
        world = busy_day(Creating.REFUSE, store=f"sqlite:{tmp_path / f'{at}.db'}")
        world.cycle(kill_at=at)
        world.quiet()
        assert picture(world) == expected, f"killed at step {at} of {steps}"
