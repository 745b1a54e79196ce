"""What the engine makes of two edits at once, of refusals, and of systems that answer back: P3 to P5, P8 to P10,
P20 to P22, P24, P27 and P32.

In one file although it is long: files of tests import nothing from each other, and these share their world.
"""

from dataclasses import asdict
from itertools import product
from typing import Any

import pytest

from routekit.remotes import Fields
from routekit.testing.remote import Call, Fault, FaultKind, Knobs
from routekit_sync import Breaker, Match, Retrying, Rule, Unit
from routekit_sync.testing import World, renamed

EMAIL = [Match("email", ["email"], ["mail"])]
KEY = renamed("email", "mail")


def one(world: World, side: str) -> Any:
    """The only record of a side."""
    (record,) = (world.a if side == "a" else world.b).records.values()
    return record


def linked(
    *units: Unit, a: Knobs | None = None, b: Knobs | None = None, fields: Fields | None = None, **options: Any
) -> World:
    """One record, linked and in step."""
    world = World([KEY, *units], a=a or Knobs(prefix="a"), b=b or Knobs(prefix="b"), match=EMAIL, **options)
    world.a.user_create({"email": "ann", **(fields or {})})
    world.quiet()
    return world


def cut(value: Any) -> Any:
    return value.strip().lower()[:8] if isinstance(value, str) else value


@pytest.mark.parametrize(("answers", "side"), list(product([True, False], ["a", "b"])))
def test_p3_p5_a_normalised_edit_is_one_write_and_stays_as_typed(answers: bool, side: str) -> None:
    """P3, P5: the other side cuts what it is given, undeclared; the typed value stays, and nothing is written back."""
    world = linked(renamed("name", "title"), b=Knobs(prefix="b", normalise={"title": cut}, answers=answers))
    if side == "a":
        world.a.user_edit(one(world, "a").id, {"name": "  Annabella Longname"})
        assert world.quiet() == 1
        assert one(world, "a").fields["name"] == "  Annabella Longname"
        assert one(world, "b").fields["title"] == "annabell"
    else:
        world.b.user_edit(one(world, "b").id, {"title": "Annabella Longname"})
        assert world.quiet() == 1
        assert one(world, "a").fields["name"] == one(world, "b").fields["title"] == "annabell"


def test_p4_a_write_holds_the_changed_field_alone() -> None:
    """P4: of a record with many fields the edited one is sent, and what it is kept with as one."""

    def to_b(fields: Fields) -> Fields:
        return {"road": fields.get("street"), "city": fields.get("town")}

    def to_a(fields: Fields) -> Fields:
        return {"street": fields.get("road"), "town": fields.get("city")}

    place = Unit("place", ["street", "town"], ["road", "city"], to_b, to_a)
    world = linked(renamed("name", "title"), place, fields={"name": "Ann", "street": "Main 1", "town": "York"})
    world.a.user_edit(one(world, "a").id, {"town": "Bath"})
    world.quiet()
    assert dict(world.b.writes[-1].fields) == {"road": "Main 1", "city": "Bath"}
    world.b.user_edit(one(world, "b").id, {"title": "Anna"})
    world.quiet()
    assert dict(world.a.writes[-1].fields) == {"name": "Anna"}


@pytest.mark.parametrize("rule", [Rule.A, Rule.B, Rule.NEWEST, Rule.MANUAL, Rule.NON_EMPTY])
def test_p8_the_loser_of_a_conflict_is_kept(rule: Rule) -> None:
    """P8: both sides edit one unit: one value is on both sides or none is, and both are in the conflict."""
    world = linked(renamed("name", "title", rule=rule))
    world.a.user_edit(one(world, "a").id, {"name": "left"})
    world.wait(30)
    world.b.user_edit(one(world, "b").id, {"title": "right"})
    assert world.quiet() == (0 if rule is Rule.MANUAL else 1)
    told = [(conflict.value_a, conflict.value_b) for conflict in world.conflicts()]
    assert told == [({"name": "left"}, {"title": "right"})]
    values = {one(world, "a").fields["name"], one(world, "b").fields["title"]}
    assert values == {
        Rule.A: {"left"}, Rule.NON_EMPTY: {"left"}, Rule.B: {"right"}, Rule.NEWEST: {"right"},
        Rule.MANUAL: {"left", "right"},
    }[rule]  # fmt: skip


def test_p8_a_frozen_unit_lets_others_flow() -> None:
    """P8: while one unit waits for a person, other units of the link go on."""
    world = linked(renamed("name", "title", rule=Rule.MANUAL), renamed("note", "remark"))
    world.a.user_edit(one(world, "a").id, {"name": "left"})
    world.b.user_edit(one(world, "b").id, {"title": "right"})
    world.quiet()
    world.a.user_edit(one(world, "a").id, {"note": "n"})
    assert world.quiet() == 1
    assert (one(world, "b").fields["remark"], one(world, "b").fields["title"]) == ("n", "right")


@pytest.mark.parametrize(("skew_a", "skew_b"), [(600.0, -600.0), (-600.0, 600.0), (86400.0 * 365, 0.0)])
def test_p9_a_change_on_one_side_needs_no_clock(skew_a: float, skew_b: float) -> None:
    """P9: whatever the clocks of the systems say, a change goes to the other side, in both directions."""
    world = linked(
        renamed("name", "title", rule=Rule.NEWEST), a=Knobs(prefix="a", skew=skew_a), b=Knobs(prefix="b", skew=skew_b)
    )
    for value, side in (("one", "a"), ("two", "b"), ("three", "a")):
        system, name = (world.a, "name") if side == "a" else (world.b, "title")
        system.user_edit(one(world, side).id, {name: value})
        assert world.quiet() == 1
        assert one(world, "a").fields["name"] == one(world, "b").fields["title"] == value
    assert not world.conflicts()


@pytest.mark.parametrize(
    ("skew_a", "skew_b", "tells", "latency"),
    [(600.0, -600.0, 0.0, 0.0), (-600.0, 600.0, 1.0, 0.0), (0.0, 600.0, 1.0, 0.4), (0.0, 0.0, 1.0, 0.4)],
)
def test_p10_the_newer_edit_wins_by_measured_clocks(skew_a: float, skew_b: float, tells: float, latency: float) -> None:
    """P10: clocks minutes apart, told in whole seconds and after a while: of edits 30 s apart the newer one wins."""
    for first, second in (("a", "b"), ("b", "a")):
        world = linked(
            renamed("name", "title", rule=Rule.NEWEST),
            a=Knobs(prefix="a", skew=skew_a, tells_time=tells, latency=latency),
            b=Knobs(prefix="b", skew=skew_b, tells_time=tells, latency=latency),
        )
        for side in (first, second):
            system, name = (world.a, "name") if side == "a" else (world.b, "title")
            system.user_edit(one(world, side).id, {name: f"by {side}"})
            world.wait(30)
        world.quiet()
        assert one(world, "a").fields["name"] == one(world, "b").fields["title"] == f"by {second}"
        assert len(world.conflicts()) == 1


def test_p10_edits_that_are_too_near_go_to_one_side_and_that_is_said() -> None:
    """P10: within the uncertainty the tie rule decides, always the same way, and the conflict says so."""
    for first, second in (("a", "b"), ("b", "a")):
        world = linked(
            renamed("name", "title", rule=Rule.NEWEST),
            a=Knobs(prefix="a", skew=300.0),
            b=Knobs(prefix="b", granularity=1.0),
        )
        for side in (first, second):
            system, name = (world.a, "name") if side == "a" else (world.b, "title")
            system.user_edit(one(world, side).id, {name: f"by {side}"})
            world.wait(0.2)
        world.quiet()
        assert one(world, "b").fields["title"] == "by a"
        assert "tie rule" in world.conflicts()[0].why


def filled(count: int, **options: Any) -> World:
    world = World(
        [KEY, renamed("name", "title"), renamed("note", "remark")], a=Knobs(prefix="a"), match=EMAIL,
        retry=Retrying(attempts=3, first=5.0, longest=60.0), **options,
    )  # fmt: skip
    for number in range(count):
        world.a.user_create({"email": f"e{number}", "name": "N", "note": "n"})
    world.quiet()
    return world


def test_p20_a_record_that_is_always_refused_stops_no_other() -> None:
    """P20: one record's writes fail for good: the others go on, it is in quarantine with a reason, and one alone."""
    world = filled(5)
    poisoned = next(each for each, record in world.b.records.items() if record.fields["mail"] == "e2")
    world.b.faults.plan(Fault(FaultKind.REFUSED, "update", id=poisoned, times=None, why="it is locked"))
    for each in sorted(world.a.records):
        world.a.user_edit(each, {"name": "changed"})
    world.quiet(most=20)
    titles = {record.fields["mail"]: record.fields["title"] for record in world.b.records.values()}
    assert titles == {f"e{number}": "N" if number == 2 else "changed" for number in range(5)}
    assert ["it is locked" in given.why for given in world.quarantine()] == [True]
    calls = world.b.calls["update"]
    world.quiet()
    assert world.b.calls["update"] == calls


def test_p20_a_field_that_is_refused_stops_no_other() -> None:
    """P20: the side names the field: it is blocked with the reason, the rest of the record is written."""
    world = filled(1)
    world.b.faults.plan(Fault(FaultKind.REFUSED, "update", field="remark", times=None, why="at most 3 letters"))
    world.a.user_edit(one(world, "a").id, {"name": "changed", "note": "too long"})
    world.quiet(most=20)
    assert one(world, "b").fields["title"] == "changed"
    (link,) = world.links()
    assert list(link.blocked) == ["note"]
    assert "at most 3 letters" in link.blocked["note"]
    world.b.faults.clear()
    world.a.user_edit(one(world, "a").id, {"note": "ok"})
    world.quiet()
    assert one(world, "b").fields["remark"] == "ok"
    assert not world.links()[0].blocked


def test_p20_a_conversion_that_fails_stops_no_other() -> None:
    """P20: a value that cannot be converted is a problem of its unit; others of the record and other records go on."""

    def whole(fields: Fields) -> Fields:
        return {"age": int(fields["age"])} if "age" in fields else {}

    age = Unit("age", ["age"], ["age"], whole, None)
    world = linked(renamed("name", "title"), age, fields={"age": "41"})
    world.a.user_edit(one(world, "a").id, {"age": "about forty", "name": "Ann"})
    world.quiet()
    assert dict(one(world, "b").fields) | {"title": "Ann", "age": 41} == dict(one(world, "b").fields)
    world.a.user_edit(one(world, "a").id, {"age": "42"})
    world.quiet()
    assert one(world, "b").fields["age"] == 42


@pytest.mark.parametrize("answers", [True, False])
def test_p21_an_edit_between_reading_and_writing_is_not_overwritten(answers: bool) -> None:
    """P21: with compare and set, what a user changes just before the write is seen, and decided by the rule."""
    world = linked(renamed("name", "title", rule=Rule.B), b=Knobs(prefix="b", answers=answers))
    slipped: list[str] = []

    def slip(call: Call) -> None:
        if call.op == "update" and not slipped:
            slipped.append(call.id)
            world.b.user_edit(call.id, {"title": "slipped in"})

    world.b.before = slip
    world.a.user_edit(one(world, "a").id, {"name": "planned"})
    world.quiet()
    assert slipped
    assert one(world, "a").fields["name"] == one(world, "b").fields["title"] == "slipped in"
    assert "planned" in str([conflict.value_a for conflict in world.conflicts()])


@pytest.mark.parametrize("compare_and_set", [True, False])
def test_p21_an_edit_of_another_field_survives_a_write(compare_and_set: bool) -> None:
    """P21: also without compare and set: another field that changes during the write is a change of its own."""
    world = linked(
        renamed("name", "title"), renamed("note", "remark"),
        b=Knobs(prefix="b", answers=False, compare_and_set=compare_and_set),
    )  # fmt: skip
    slipped: list[str] = []

    def slip(call: Call) -> None:
        if call.op == "update" and not slipped:
            slipped.append(call.id)
            world.b.user_edit(call.id, {"remark": "slipped in"})

    world.b.after = slip
    world.a.user_edit(one(world, "a").id, {"name": "planned"})
    world.quiet()
    assert (one(world, "a").fields["name"], one(world, "b").fields["title"]) == ("planned", "planned")
    assert one(world, "a").fields.get("note") == one(world, "b").fields["remark"] == "slipped in"


@pytest.mark.parametrize("value", [None, "", 0, False, []])
def test_p22_what_is_cleared_is_cleared_and_what_is_nought_is_not_nothing(value: Any) -> None:
    """P22: None, an empty text, 0 and False go over as they are; a field that is not reported clears nothing."""
    world = linked(renamed("name", "title"), fields={"name": "Ann"})
    world.a.user_edit(one(world, "a").id, {"name": value})
    assert world.quiet() == 1
    assert one(world, "b").fields["title"] == value
    assert type(one(world, "b").fields["title"]) is type(value)


def test_p22_a_field_that_disappears_from_the_reports_clears_nothing() -> None:
    """P22: the system does not report the field any more, as a right was taken away: the other side keeps it."""
    world = linked(renamed("name", "title"), renamed("note", "remark"), fields={"name": "Ann", "note": "n"})
    row = world.a.rows[one(world, "a").id]
    world.a.user_edit(row.id, {"name": "Anna"})
    current = row.states[-1]
    del current.fields["note"]  # type: ignore[attr-defined]
    world.quiet()
    world.cycle(full=True)
    assert (one(world, "b").fields["title"], one(world, "b").fields["remark"]) == ("Anna", "n")


@pytest.mark.parametrize(("revert", "writes"), [(False, 0), (True, 1)])
def test_p24_a_field_of_one_direction_is_not_written_back(revert: bool, writes: int) -> None:
    """P24: an edit on the side that is never read from is reported or reverted, and never reaches the other one."""
    world = linked(renamed("name", "title", to_a=None, revert=revert), fields={"name": "Ann"})
    world.b.user_edit(one(world, "b").id, {"title": "mine"})
    assert world.quiet() == writes
    assert one(world, "a").fields["name"] == "Ann"
    assert not world.a.writes
    assert one(world, "b").fields["title"] == ("Ann" if revert else "mine")
    if not revert:
        assert world.links()[0].drift == ["name"]


def test_p27_what_is_written_is_what_was_planned() -> None:
    """P27: the writes of a dry run are those of the cycle after it, in every field, and the dry run writes nothing."""
    world = filled(4)
    ids = sorted(world.a.records)
    there = sorted(world.b.records, key=lambda each: world.b.records[each].fields["mail"])
    world.a.user_edit(ids[0], {"name": "one"})
    world.b.user_edit(there[1], {"title": "two", "remark": None})
    world.a.user_create({"email": "new", "name": "New"})
    world.a.user_edit(ids[3], {"name": "both", "note": None})
    world.b.user_edit(there[3], {"title": "of them"})
    world.wait(400)
    kept, before = picture(world), world.writes
    planned = sorted(
        (write.side, write.op, sorted(write.fields.items())) for made in world.plan() for write in made.writes
    )
    assert (picture(world), world.writes) == (kept, before)
    counts = len(world.a.writes), len(world.b.writes)
    world.cycle()
    written = sorted(
        (side, each.op, sorted(each.fields.items()))
        for side, system, count in (("a", world.a, counts[0]), ("b", world.b, counts[1]))
        for each in system.writes[count:]
    )
    assert planned == written
    assert len(written) == 4


def picture(world: World) -> Any:
    """All that is remembered, but for the lease and the times."""
    return [asdict(record) for record in world.a.records.values()], [link.model_dump_json() for link in world.links()]


@pytest.mark.parametrize("field", ["title", "other"])
def test_p32_a_system_that_answers_each_write_is_parked(field: str) -> None:
    """P32: automation of one side changes each value that is written: after so many writes the link is parked."""
    turns = iter(range(1000))
    world = linked(
        renamed("name", "title"), renamed("note", "other"), fields={"name": "Ann", "note": "n"},
        b=Knobs(prefix="b"), breaker=Breaker(writes=6, seconds=86400.0),
    )  # fmt: skip
    world.b.knobs = Knobs(prefix="b", automation=lambda fields: {field: f"automatic {next(turns)}"})
    world.a.knobs = Knobs(prefix="a", automation=lambda fields: {"name": f"answer {next(turns)}"})
    world.a.user_edit(one(world, "a").id, {"name": "begin"})
    world.quiet(most=40, rest=310.0)
    assert world.links()[0].state == "parked"
    assert world.writes <= 12
    assert world.alerts
