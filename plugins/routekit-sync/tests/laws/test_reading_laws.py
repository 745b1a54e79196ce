"""What is read, when, and how often: P11, P12, P13, P14, P16 and P26."""

from itertools import permutations, product
from typing import Any

import pytest

from routekit.remotes import Budget, Feed
from routekit.testing.remote import Call, Deletes, Fault, FaultKind, Hidden, Knobs, Paging
from routekit_sync import Brake, Deleted, Match
from routekit_sync.engine import Hint
from routekit_sync.testing import World, renamed

UNITS = [renamed("email", "mail"), renamed("name", "title")]
EMAIL = [Match("email", ["email"], ["mail"])]


def titles(world: World) -> dict[str, Any]:
    return {record.fields["mail"]: record.fields.get("title") for record in world.b.records.values()}


def filled(count: int, *, a: Knobs | None = None, b: Knobs | None = None, **options: Any) -> World:
    """So many records on side a, linked."""
    world = World(UNITS, a=a or Knobs(prefix="a"), b=b or Knobs(prefix="b"), match=EMAIL, **options)
    for number in range(count):
        world.a.user_create({"email": f"e{number}", "name": f"N{number}"})
    world.quiet()
    return world


def test_p11_the_order_and_number_of_hints_make_no_difference() -> None:
    """P11: hints in any order, twice or lost; with the feed, what comes out is the same, and each edit one write."""
    pictures: list[dict[str, Any]] = []
    for order in [*permutations(range(3)), (), (0,), (2, 2, 1, 1, 0, 0)]:
        world = filled(3)
        ids = sorted(world.a.records)
        for number, each in enumerate(ids):
            world.a.user_edit(each, {"name": f"changed {number}"})
        before = world.writes
        world.cycle(hints=[Hint("a", ids[each]) for each in order])
        world.quiet()
        assert world.writes - before == 3
        pictures.append(titles(world))
    assert all(picture == pictures[0] for picture in pictures)


@pytest.mark.parametrize("paging", list(Paging))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_p12_equal_stamps_that_fill_pages_are_all_read(paging: Paging, size: int) -> None:
    """P12: more records with one stamp than a page holds: the reading ends, and none is left out."""
    world = filled(0, a=Knobs(prefix="a", granularity=3600.0, page_size=size, paging=paging))
    for number in range(7):
        world.a.user_create({"email": f"e{number}", "name": "N"})
    world.quiet()
    for each in sorted(world.a.records):
        world.a.user_edit(each, {"name": "changed"})
    world.quiet()
    assert set(titles(world).values()) == {"changed"}
    assert len(titles(world)) == 7


@pytest.mark.parametrize(("lag", "grain", "skew"), list(product([0.0, 5.0], [0.0, 1.0, 60.0], [0.0, 600.0, -600.0])))
def test_p12_what_shows_up_late_is_not_missed(lag: float, grain: float, skew: float) -> None:
    """P12: edits that the feed shows late, or with a stamp that has been passed, are read by the next looks."""
    world = filled(2, a=Knobs(prefix="a", lag=lag, granularity=grain, skew=skew), sweep=1e9)
    first, second = sorted(world.a.records)
    for turn in range(12):
        world.a.user_edit((first, second)[turn % 2], {"name": f"turn {turn}"})
        world.wait(0.7)
        world.cycle()
    world.wait(400)
    world.cycle()
    world.cycle()
    assert titles(world) == {"e0": "turn 10", "e1": "turn 11"}


def test_p12_a_cursor_never_passes_what_is_not_done() -> None:
    """P12: a feed that breaks off goes on where it was: what came before is not read again, what came after is."""
    world = filled(0, a=Knobs(prefix="a", page_size=2), sweep=1e9)
    for number in range(9):
        world.a.user_create({"email": f"e{number}", "name": "N"})
        world.wait(1)
    for at in (2, 3, 4):
        world.a.faults.plan(Fault(FaultKind.UNSENT, "changes", at=at))
    world.quiet(most=20)
    assert len(titles(world)) == 9
    assert world.b.calls["create"] == 9


def test_p12_a_kill_loses_no_change() -> None:
    """P12: killed at any step while changes are read and written, no cursor has passed what was not dealt with."""
    at, killed = 0, True
    while killed:
        at += 1
        world = filled(3, a=Knobs(prefix="a", page_size=2), sweep=1e9)
        for each in sorted(world.a.records):
            world.a.user_edit(each, {"name": "changed"})
        world.a.user_create({"email": "new", "name": "changed"})
        world.wait(400)
        killed = world.cycle(kill_at=at) is None
        world.quiet()
        assert list(titles(world).values()) == ["changed"] * 4, f"killed at step {at}"


@pytest.mark.parametrize(("feed", "page"), list(product(list(Feed), [2, 100])))
def test_p13_edits_during_the_first_reading_are_neither_lost_nor_doubled(feed: Feed, page: int) -> None:
    """P13: users edit, create and delete while all is read for the first time; both sides agree in the end."""
    knobs = Knobs(prefix="a", feed=feed, page_size=page, deletes=Deletes.SCAN, paging=Paging.OFFSET)
    world = World(UNITS, a=knobs, b=Knobs(prefix="b"), match=EMAIL, deletes=Deleted.DELETE, sweep=1000.0)
    ids = [world.a.user_create({"email": f"e{number}", "name": f"N{number}"}) for number in range(8)]

    turns: list[int] = []

    def meanwhile(call: Call) -> None:
        turns.append(call.number)
        if call.number == 2:
            world.a.user_edit(ids[0], {"name": "early"})
            world.a.user_create({"email": "new", "name": "New"})
        elif call.number == 3:
            world.a.user_edit(ids[7], {"name": "late"})
            world.a.user_delete(ids[1])

    world.a.after = meanwhile
    world.cycle()
    world.a.after = None
    world.quiet()
    own = {record.fields["email"]: record.fields["name"] for record in world.a.records.values()}
    assert titles(world) == own
    assert len(own) == 8 + (2 in turns) - (3 in turns)
    assert len({written.id for written in world.b.writes if written.op == "create"}) == len(
        [written for written in world.b.writes if written.op == "create"]
    )


@pytest.mark.parametrize("feed", [Feed.TOKEN, Feed.STAMP])
def test_p14_a_token_that_runs_out_costs_a_look_at_all_and_no_write(feed: Feed) -> None:
    """P14: what changed meanwhile is found, deletions too, and nothing that was in step is written again."""
    world = filled(6, a=Knobs(prefix="a", feed=feed, token_life=1000.0), deletes=Deleted.DELETE, sweep=1e9)
    ids = sorted(world.a.records)
    world.wait(5000)
    world.a.user_edit(ids[0], {"name": "changed"})
    world.a.user_delete(ids[1])
    if feed is Feed.STAMP:
        world.a.faults.plan(Fault(FaultKind.EXPIRED, "changes"))
    before = world.writes
    world.quiet()
    assert [written.op for written in world.b.writes[-2:]] in (["update", "delete"], ["delete", "update"])
    assert world.writes - before == 2
    assert titles(world)["e0"] == "changed"


@pytest.mark.parametrize("how", ["hidden", "deleted"])
def test_p16_an_empty_list_deletes_nothing(how: str) -> None:
    """P16: a source that has suddenly nothing any more causes no deletion, and a person is told once."""
    world = filled(
        30, a=Knobs(prefix="a", deletes=Deletes.SCAN, hidden=Hidden.MISSING),
        deletes=Deleted.DELETE, brake=Brake(count=20, ratio=0.02), sweep=1000.0,
    )  # fmt: skip
    for each in sorted(world.a.records):
        world.a.user_hide(each) if how == "hidden" else world.a.user_delete(each)
    world.alerts.clear()
    before = len(world.b.writes)
    for _ in range(6):
        world.wait(600)
        world.cycle(full=True)
    assert len(world.b.writes) == before
    assert len(world.b.records) == 30
    assert len(world.alerts) == 1, world.alerts


def test_p16_a_few_deletions_are_carried_out() -> None:
    """P16: the brake does not stop what is usual."""
    world = filled(30, deletes=Deleted.DELETE)
    for each in sorted(world.a.records)[:5]:
        world.a.user_delete(each)
    world.quiet()
    assert len(world.b.records) == 25


def test_p26_a_budget_is_never_overdrawn() -> None:
    """P26: no window has more calls than its budget, refused calls move no cursor and count as no try."""
    budget = Budget(10, 60.0)
    world = World(
        UNITS, a=Knobs(prefix="a", budget=budget, page_size=5), b=Knobs(prefix="b", budget=budget), match=EMAIL
    )  # fmt: skip
    for number in range(40):
        world.a.user_create({"email": f"e{number}", "name": "N"})
    for _ in range(60):
        world.wait(61)
        world.cycle()
    assert len(titles(world)) == 40
    assert (world.a.over_budget, world.b.over_budget) == (0, 0)
    assert not world.quarantine()
    assert all(link.attempts == 0 for link in world.links())


def test_p26_a_throttled_side_costs_no_try_and_loses_nothing() -> None:
    """P26: a side that says it is busy is asked again later; nothing is given up, nothing is lost."""
    world = filled(3, sweep=1e9)
    for each in sorted(world.a.records):
        world.a.user_edit(each, {"name": "changed"})
    world.b.faults.plan(Fault(FaultKind.BUSY, "update", times=20, after=30.0))
    world.a.faults.plan(Fault(FaultKind.BUSY, "changes", times=3, after=30.0))
    for _ in range(40):
        world.wait(60)
        world.cycle()
    assert set(titles(world).values()) == {"changed"}
    assert not world.quarantine()
