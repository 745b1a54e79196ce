"""Laws of the planning function, for any units, shadows and reports: P4, P5, P8, P9, P10, P22, P24 and P25.

In one file although it is long: files of tests import nothing from each other, and these draw the same things.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from routekit.remotes import Fields, Record
from routekit.testing.remote import FakeRemote, Knobs
from routekit_sync import Rule, SyncPair, Unit
from routekit_sync.planning import NO_CLOCKS, half, matched, noticed, plan, settled
from routekit_sync.plans import Clocks, LinkPlan, Write
from routekit_sync.state import Intent, Link, Shadow

LAWS = settings(
    derandomize=True, deadline=None, max_examples=300, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
A, B = FakeRemote("a", Knobs()), FakeRemote("b", Knobs())


def one(name: str, **options: Any) -> Unit:
    """A unit of one field: `name` in a, the same in capitals in b."""

    def to_b(fields: Fields) -> Fields:
        return {name.upper(): fields[name]} if name in fields else {}

    def to_a(fields: Fields) -> Fields:
        return {name: fields[name.upper()]} if name.upper() in fields else {}

    return Unit(name, [name], [name.upper()], **{"to_b": to_b, "to_a": to_a, **options})


def two(name: str, **options: Any) -> Unit:
    """A unit of two fields, which move together."""
    first, second = f"{name}1", f"{name}2"

    def to_b(fields: Fields) -> Fields:
        return {key.upper(): fields[key] for key in (first, second) if key in fields}

    def to_a(fields: Fields) -> Fields:
        return {key: fields[key.upper()] for key in (first, second) if key.upper() in fields}

    return Unit(name, [first, second], [first.upper(), second.upper()], **{"to_b": to_b, "to_a": to_a, **options})


KINDS: dict[str, Callable[[str], Unit]] = {
    **{rule.value: lambda name, rule=rule: one(name, rule=rule) for rule in Rule},
    "pair": lambda name: two(name),
    "pair_b": lambda name: two(name, rule=Rule.B),
    "to_b": lambda name: one(name, to_a=None),
    "to_a": lambda name: one(name, to_b=None),
    "to_b_reverted": lambda name: one(name, to_a=None, revert=True),
    "to_a_reverted": lambda name: one(name, to_b=None, revert=True),
    "only_new": lambda name: one(name, only_new=True),
}
TWO_WAY = [*(rule.value for rule in Rule), "pair", "pair_b"]

values = st.sampled_from([None, "", 0, 1, 7, "x", "y", " Zoe ", "a long text that is cut", ["p"], ["p", "q"]])
kinds = st.sampled_from(sorted(KINDS))


def pair_of(names: list[str]) -> SyncPair:
    return SyncPair("p", A, B, [KINDS[kind](f"u{number}") for number, kind in enumerate(names)])


pairs = st.lists(kinds, min_size=1, max_size=3).map(pair_of)


def names_of(pair: SyncPair, side: str) -> list[str]:
    return [name for unit in pair.units for name in (unit.a if side == "a" else unit.b)]


def fields_of(draw: st.DrawFn, names: list[str], *, whole: bool = False) -> dict[str, Any]:
    return {name: draw(values) for name in names if whole or draw(st.integers(0, 4))}


@dataclass
class Asked:
    """One question to the planning function."""

    pair: SyncPair
    link: Link
    a: Record | None
    b: Record | None
    clocks: Clocks = NO_CLOCKS

    def plan(self) -> LinkPlan:
        return plan(self.link, self.a, self.b, self.pair, clocks=self.clocks)


def reported(draw: st.DrawFn, known: Fields, names: list[str]) -> dict[str, Any]:
    """What a side says now: some fields as before, some otherwise, some not at all."""
    now = {**known, **{name: draw(values) for name in names if draw(st.booleans())}}
    return {name: value for name, value in now.items() if draw(st.integers(0, 4))}


stamps = st.none() | st.floats(0, 1e6, allow_nan=False)


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    pair = draw(pairs)
    names_a, names_b = names_of(pair, "a"), names_of(pair, "b")
    known_a, known_b = fields_of(draw, names_a), fields_of(draw, names_b)
    frozen = {unit.name: "c" for unit in pair.units if not draw(st.integers(0, 6))}
    link = Link(id="l", a=Shadow(id="1", fields=known_a), b=Shadow(id="2", fields=known_b), conflicts=frozen)
    a = Record("1", reported(draw, known_a, names_a), stamp=draw(stamps)) if draw(st.integers(0, 5)) else None
    b = Record("2", reported(draw, known_b, names_b), stamp=draw(stamps)) if draw(st.integers(0, 5)) else None
    clocks = Clocks(draw(st.floats(-600, 600)), draw(st.floats(-600, 600)), draw(st.floats(0, 5)))
    return Asked(pair, link, a, b, clocks)


def changed(asked: Asked, unit: Unit, side: str) -> bool:
    """Whether a side reports something of a unit that it did not report before; for links that are not new."""
    shadow, record = (asked.link.a, asked.a) if side == "a" else (asked.link.b, asked.b)
    assert shadow is not None
    known, reported = shadow.fields, record.fields if record else {}
    names = unit.a if side == "a" else unit.b
    return any(name in known and name in reported and known[name] != reported[name] for name in names)


def old(asked: Asked) -> bool:
    """Whether the link is older than this look: of a new one nothing was known."""
    return any(shadow and shadow.fields for shadow in (asked.link.a, asked.link.b))


def owner(pair: SyncPair, name: str) -> Unit:
    return next(unit for unit in pair.units if name in (*unit.a, *unit.b))


@LAWS
@given(questions())
def test_p25_the_plan_is_a_function_of_what_it_is_given(asked: Asked) -> None:
    """P25: the same reports, shadows and policy give the same plan, also after they were stored and read again."""
    before = deepcopy((asked.link, asked.a, asked.b))
    first = asked.plan()
    assert (asked.link, asked.a, asked.b) == before
    stored = Link.model_validate_json(asked.link.model_dump_json())
    assert plan(stored, asked.a, asked.b, asked.pair, clocks=asked.clocks) == first
    assert json.loads(json.dumps(asdict(first))) is not None


@LAWS
@given(questions())
def test_p4_a_write_holds_changed_units_and_no_others(asked: Asked) -> None:
    """P4: each field that is written belongs to a unit that has changed on one of the sides; no equal is sent."""
    assume(old(asked))
    for write in asked.plan().writes:
        assert write.fields
        for name in write.fields:
            unit = owner(asked.pair, name)
            assert changed(asked, unit, "a") or changed(asked, unit, "b")
        for change in write.changes:
            assert {**change.before, **change.after} != change.before


@LAWS
@given(questions())
def test_p5_a_side_is_written_only_for_a_change_of_the_other(asked: Asked) -> None:
    """P5: a unit of one side is written only if the other side changed it, or by the policy of its direction."""
    assume(old(asked))
    for write in asked.plan().writes:
        there = "a" if write.side == "b" else "b"
        for change in write.changes:
            unit = owner(asked.pair, next(iter(change.after)))
            assert changed(asked, unit, there) or unit.revert or unit.rule in (Rule.UNION, Rule.APPEND)


@LAWS
@given(questions())
def test_p24_a_unit_is_never_written_against_its_direction(asked: Asked) -> None:
    """P24: a side for which a unit has no conversion is not written, whatever happens; a default never is again."""
    for write in asked.plan().writes:
        for name in write.fields:
            unit = owner(asked.pair, name)
            assert (unit.to_a if write.side == "a" else unit.to_b) is not None
            assert not unit.only_new


@LAWS
@given(questions())
def test_p22_absent_never_clears(asked: Asked) -> None:
    """P22: nothing is cleared unless the other side reports None, and what a report leaves out counts as unchanged."""
    made = asked.plan()
    told: dict[str, dict[str, Any]] = {
        "a": {**(asked.link.a.fields if asked.link.a else {}), **(asked.a.fields if asked.a else {})},
        "b": {**(asked.link.b.fields if asked.link.b else {}), **(asked.b.fields if asked.b else {})},
    }
    for write in made.writes:
        for name, value in write.fields.items():
            there = name.lower() if write.side == "b" else name.upper()
            if value is None:
                assert told["a" if write.side == "b" else "b"].get(there) is None
    whole = Record("1", {**told["a"]}, stamp=asked.a.stamp) if asked.a else None
    assert plan(asked.link, whole, asked.b, asked.pair, clocks=asked.clocks).writes == made.writes


@LAWS
@given(questions(), stamps, stamps, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_p9_a_change_on_one_side_needs_no_clock(
    asked: Asked, stamp_a: float | None, stamp_b: float | None, offset_a: float, offset_b: float
) -> None:
    """P9: where no unit has changed on both sides, stamps and clocks make no difference at all."""
    assume(old(asked))
    assume(not any(changed(asked, unit, "a") and changed(asked, unit, "b") for unit in asked.pair.units))
    other = Asked(asked.pair, asked.link, restamped(asked.a, stamp_a), restamped(asked.b, stamp_b))
    other.clocks = Clocks(offset_a, offset_b, 1.0)
    assert (other.plan().writes, other.plan().drift) == (asked.plan().writes, asked.plan().drift)


def restamped(record: Record | None, stamp: float | None) -> Record | None:
    return Record(record.id, record.fields, stamp=stamp) if record else None


skews = st.floats(-600, 600)


@LAWS
@given(skews, skews, st.floats(0, 30), st.floats(0, 1e5), st.floats(0, 3600), st.booleans())
def test_p10_the_newer_edit_wins_whatever_the_clocks_say(
    skew_a: float, skew_b: float, uncertainty: float, at: float, apart: float, a_first: bool
) -> None:
    """P10: with measured offsets the later of two edits wins; within the uncertainty side a does, and it is told."""
    grain = A.abilities.granularity + SyncPair("p", A, B, []).tie
    assume(abs(apart - uncertainty - grain) > 1e-3)
    times = (at, at + apart) if a_first else (at + apart, at)
    link = Link(id="l", a=Shadow(id="1", fields={"u": "old"}), b=Shadow(id="2", fields={"U": "old"}))
    a, b = Record("1", {"u": "x"}, stamp=times[0] + skew_a), Record("2", {"U": "y"}, stamp=times[1] + skew_b)
    pair = SyncPair("p", A, B, [one("u", rule=Rule.NEWEST)])
    made = plan(link, a, b, pair, clocks=Clocks(skew_a, skew_b, uncertainty))
    sure = apart > uncertainty + grain
    expected = "b" if a_first and sure else "a"
    assert made.disputes[0].outcome == expected
    assert ("tie rule" in made.disputes[0].why) == (not sure)


Normalise = Mapping[str, Callable[[Any], Any]]


def lower(value: Any) -> Any:
    return value.strip().lower()[:8] if isinstance(value, str) else value


def unchanged(value: Any) -> Any:
    return value


@dataclass
class World:
    """Two sides that make of a value what they like, and one link between them; all in memory, nothing fails."""

    pair: SyncPair
    makes: dict[str, Callable[[Any], Any]]
    sides: dict[str, dict[str, Any]]
    link: Link = field(default_factory=lambda: Link(id="l"))
    writes: list[Write] = field(default_factory=list[Write])
    last: LinkPlan = field(default_factory=lambda: LinkPlan("l"))
    stamp: dict[str, float] = field(default_factory=lambda: {"a": 0.0, "b": 0.0})

    def report(self, side: str) -> Record:
        return Record("1" if side == "a" else "2", dict(self.sides[side]), stamp=self.stamp[side])

    def edit(self, side: str, fields: Fields, at: float = 0.0) -> None:
        self.sides[side].update({name: self.makes[side](value) for name, value in fields.items()})
        self.stamp[side] = at

    def cycle(self) -> LinkPlan:
        a, b = self.report("a"), self.report("b")
        self.last = plan(self.link, a, b, self.pair)
        self.link = noticed(self.link, self.last, a, b)
        conflicts = {told.unit: "c" for told in self.last.disputes if told.outcome == "manual"}
        self.link = self.link.model_copy(update={"conflicts": {**self.link.conflicts, **conflicts}})
        for write in self.last.writes:
            self.writes.append(write)
            self.edit(write.side, write.fields)
            intent = Intent(
                id="i", side=write.side, op=write.op, fields=write.fields, source=write.source,
                preimage=write.preimage, units=list(write.units),
            )  # fmt: skip
            self.link = settled(self.link, intent, self.report(write.side), self.pair)
        return self.last

    def quiet(self) -> int:
        """Cycles until nothing is written."""
        for count in range(6):
            if not self.cycle().writes:
                return count
        raise AssertionError(f"it does not come to rest: {self.writes}")

    def agrees(self, unit: Unit) -> bool:
        a = {name.upper(): self.sides["a"].get(name) for name in unit.a}
        return all(self.sides["b"].get(name) == value for name, value in a.items())

    def listed(self) -> set[str]:
        told = self.last
        return {*told.drift, *told.frozen, *told.problems, *told.blocked}


def world(pair: SyncPair, a: Fields, b: Fields, *, norm_a: bool = False, norm_b: bool = False) -> World:
    makes = {"a": lower if norm_a else unchanged, "b": lower if norm_b else unchanged}
    made = World(pair, makes, {"a": {}, "b": {}})
    made.edit("a", a)
    made.edit("b", b)
    made.link = matched("l", made.report("a"), made.report("b"))
    return made


@st.composite
def worlds(draw: st.DrawFn) -> World:
    pair = pair_of(draw(st.lists(kinds, min_size=1, max_size=3)))
    a, b = fields_of(draw, names_of(pair, "a"), whole=True), fields_of(draw, names_of(pair, "b"), whole=True)
    return world(pair, a, b, norm_a=draw(st.booleans()), norm_b=draw(st.booleans()))


@LAWS
@given(worlds(), st.data())
def test_p1_p2_a_link_comes_to_rest_in_step(world: World, data: st.DataObject) -> None:
    """P1, P2: after any edits a few cycles bring each two-way unit in step, or list it; then nothing is written."""
    world.quiet()
    for _ in range(data.draw(st.integers(1, 3))):
        side = data.draw(st.sampled_from(["a", "b"]))
        name = data.draw(st.sampled_from(names_of(world.pair, side)))
        world.edit(side, {name: data.draw(values)}, data.draw(st.floats(0, 100)))
        if data.draw(st.booleans()):
            world.cycle()
    assert world.quiet() <= 2
    for unit in world.pair.units:
        if unit.to_a is not None and unit.to_b is not None and not unit.only_new:
            assert world.agrees(unit) or unit.name in world.listed()


@LAWS
@given(worlds(), st.data())
def test_p3_p5_one_edit_is_one_write_and_stays_as_it_was_typed(world: World, data: st.DataObject) -> None:
    """P3, P5: an edit after all is quiet is at most one write, to the other side; what was typed is not touched."""
    world.quiet()
    assume(not world.last.frozen)
    side = data.draw(st.sampled_from(["a", "b"]))
    name = data.draw(st.sampled_from(names_of(world.pair, side)))
    assume(not owner(world.pair, name).revert)
    world.edit(side, {name: data.draw(values)})
    typed = deepcopy(world.sides[side])
    world.writes.clear()
    world.quiet()
    assert len(world.writes) <= 1
    assert all(write.side != side for write in world.writes)
    assert world.sides[side] == typed


@LAWS
@given(st.sampled_from([kind for kind in sorted(KINDS) if kind != "only_new"]), values, values, values)
def test_p8_no_edit_is_lost(kind: str, before: Any, left: Any, right: Any) -> None:
    """P8: of two edits at once each value is there afterwards, or kept in a dispute."""
    pair = pair_of([kind])
    unit = pair.units[0]
    made = world(pair, dict.fromkeys(unit.a, before), dict.fromkeys(unit.b, before))
    made.quiet()
    assume(made.agrees(unit))
    for value, side, names in ((left, "a", unit.a), (right, "b", unit.b)):
        made.edit(side, dict.fromkeys(names, value))
    told = [
        value for dispute in made.cycle().disputes for value in (*dispute.value_a.values(), *dispute.value_b.values())
    ]
    made.quiet()
    kept = [*made.sides["a"].values(), *made.sides["b"].values()]
    for value in (left, right):
        assert value == before or value in kept or value in told


SOME: list[Any] = [None, "", 0, "x", "y"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_combination_of_a_unit_is_planned_soundly(kind: str) -> None:
    """Each of all combinations of values: nothing without a change, no way against the direction, rest after it."""
    for base_a, base_b, now_a, now_b in product(SOME, repeat=4):
        pair = pair_of([kind])
        unit = pair.units[0]
        a, b = dict.fromkeys(unit.a, now_a), dict.fromkeys(unit.b, now_b)
        link = Link(
            id="l",
            a=Shadow(id="1", fields=dict.fromkeys(unit.a, base_a)),
            b=Shadow(id="2", fields=dict.fromkeys(unit.b, base_b)),
        )
        made = World(pair, {"a": unchanged, "b": unchanged}, {"a": a, "b": b}, link)
        first = made.cycle()
        sides = {write.side for write in first.writes}
        change_a, change_b = now_a != base_a, now_b != base_b
        if now_a == now_b or not (change_a or change_b):
            assert not sides
        elif kind in TWO_WAY and change_a != change_b:
            assert sides == {"b" if change_a else "a"}
        elif kind in TWO_WAY:
            assert first.disputes
        assert first.drift or first.frozen or not first.disputes or sides
        assert made.quiet() <= 1


def test_a_new_record_is_created_once_and_agrees() -> None:
    """P3: a record that is alone is one create on the other side, and then there is nothing to do, for every kind."""
    for kind, side in product(sorted(KINDS), ("a", "b")):
        pair = pair_of([kind])
        unit = pair.units[0]
        names = unit.a if side == "a" else unit.b
        record = Record("1", dict.fromkeys(names, "x"))
        link = half("l", "a" if side == "a" else "b", record)
        made = plan(link, record if side == "a" else None, record if side == "b" else None, pair)
        if (unit.to_b if side == "a" else unit.to_a) is None:
            assert not made.writes
            continue
        (write,) = made.writes
        intent = Intent(id="i", side=write.side, op="create", fields=write.fields, source=write.source, units=[kind])
        after = settled(link, intent, Record("2", write.fields), pair)
        reports = {side: record, write.side: Record("2", write.fields)}
        assert plan(after, reports["a"], reports["b"], pair).writes == ()
