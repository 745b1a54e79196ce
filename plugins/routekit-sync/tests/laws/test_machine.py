"""Two systems of any kind, users on both, and whatever can go wrong: P1 to P3, P6 to P8 and others.

A state machine over the real engine and the real ledger: users edit, records come and go, hints come or do not, calls
fail, answers are lost, tokens run out, and the engine is killed at any step. Then all is left to come to rest.

In one file although it is long: it is one machine.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routekit.remotes import Creating, Feed
from routekit.testing.remote import Call, Deletes, FakeSystem, Fault, FaultKind, Knobs, Merging, Paging
from routekit_sync import Deleted, Match, Rule
from routekit_sync.engine import Hint
from routekit_sync.state import Link
from routekit_sync.testing import World, renamed

EMAIL, NAME, NOTE = "email", "name", "note"
THERE = {EMAIL: "mail", NAME: "title", NOTE: "remark"}
SWEEP, REST = 1000.0, 1100.0
"""Seconds between two comparisons of everything, and more than that between two cycles of a world that rests."""


def cut(value: Any) -> Any:
    """What a system does to a text, and nobody has declared."""
    return value.strip().lower()[:9] if isinstance(value, str) else value


@st.composite
def systems(draw: st.DrawFn, side: str) -> Knobs:
    """A system that does things its own way."""
    marked = f"{side}_mark"
    creating = draw(st.sampled_from(Creating))
    names = [EMAIL, NAME, NOTE] if side == "a" else [*THERE.values()]
    feed = draw(st.sampled_from([Feed.STAMP, Feed.TOKEN, Feed.NONE]))
    return Knobs(
        prefix=side,
        skew=draw(st.sampled_from([0.0, -600.0, 600.0])),
        granularity=draw(st.sampled_from([0.0, 1.0])),
        lag=draw(st.sampled_from([0.0, 2.0])),
        feed=feed,
        page_size=draw(st.sampled_from([2, 50])),
        paging=draw(st.sampled_from([Paging.KEYSET, Paging.OFFSET])),
        deletes=Deletes.FEED if feed is not Feed.NONE and draw(st.booleans()) else Deletes.SCAN,
        normalise={names[1]: cut} if draw(st.booleans()) else {},
        creating=creating,
        merging=draw(st.sampled_from([Merging.POINTER, Merging.ALIAS, Merging.NEW])),
        external_key=marked if creating is Creating.NATURAL else None,
        findable=[names[0]],
        compare_and_set=draw(st.booleans()),
        answers=draw(st.booleans()),
        batch=draw(st.sampled_from([1, 20])),
    )  # fmt: skip


@dataclass
class Edit:
    """A value that a user typed."""

    side: str
    id: str
    name: str
    value: str
    replaced: bool = False
    """By a user, on the same side, or with the record."""


@dataclass
class Typed:
    """All that users have typed; each value is another one."""

    edits: list[Edit] = field(default_factory=list[Edit])

    def note(self, side: str, id: str, name: str, value: str) -> None:
        for edit in self.edits:
            if (edit.side, edit.id, edit.name) == (side, id, name):
                edit.replaced = True
        self.edits.append(Edit(side, id, name, value))

    def gone(self, side: str, id: str) -> None:
        for edit in self.edits:
            edit.replaced = edit.replaced or (edit.side, edit.id) == (side, id)


class TwoSystems(RuleBasedStateMachine):
    """Users, faults and an engine."""

    world: World

    @initialize(
        a=systems("a"),
        b=systems("b"),
        rule=st.sampled_from([Rule.A, Rule.B, Rule.NEWEST, Rule.NON_EMPTY, Rule.MANUAL]),
        deletes=st.sampled_from([Deleted.DELETE, Deleted.DELETE_WINS]),
    )
    def begin(self, a: Knobs, b: Knobs, rule: Rule, deletes: Deleted) -> None:
        units = [renamed(name, there, rule=rule) for name, there in THERE.items()]
        match = [Match("email", [EMAIL], [THERE[EMAIL]])]
        self.world = World(units, a=a, b=b, match=match, deletes=deletes, sweep=SWEEP)
        self.typed = Typed()
        self.count = 0
        self.deleted = 0
        self.restful = False
        self.faulty = False
        self.merged = False

    def system(self, side: str) -> FakeSystem:
        return self.world.a if side == "a" else self.world.b

    def fresh(self, name: str) -> str:
        self.count += 1
        return f"{name[0].upper()}{self.count:03d} Longname" if name == NAME else f"{name[0]}{self.count:03d}"

    def named(self, side: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {name if side == "a" else THERE[name]: value for name, value in fields.items()}

    def note(self, side: str, id: str, name: str) -> None:
        """Note what a user has typed, as his system keeps it."""
        (there,) = self.named(side, {name: None})
        self.typed.note(side, id, name, self.system(side).records[id].fields[there])

    @rule(side=st.sampled_from(["a", "b"]))
    def somebody_makes_a_record(self, side: str) -> None:
        fields = {EMAIL: self.fresh(EMAIL), NAME: self.fresh(NAME)}
        made = self.system(side).user_create(self.named(side, fields))
        for name in fields:
            self.note(side, made, name)
        self.restful = False

    @rule(side=st.sampled_from(["a", "b"]), name=st.sampled_from([NAME, NOTE]), which=st.integers(0, 9))
    def somebody_edits(self, side: str, name: str, which: int) -> None:
        ids = sorted(self.system(side).records)
        if ids:
            edited, value = ids[which % len(ids)], self.fresh(name)
            self.system(side).user_edit(edited, self.named(side, {name: value}))
            self.note(side, edited, name)
            self.restful = False

    @rule(side=st.sampled_from(["a", "b"]), which=st.integers(0, 9))
    def somebody_edits_what_is_not_mapped(self, side: str, which: int) -> None:
        ids = sorted(self.system(side).records)
        if ids:
            self.system(side).user_edit(ids[which % len(ids)], {"colour": self.fresh("c")})

    @rule(side=st.sampled_from(["a", "b"]), which=st.integers(0, 9))
    def somebody_deletes(self, side: str, which: int) -> None:
        ids = sorted(self.system(side).records)
        if ids and self.deleted < 3:
            self.system(side).user_delete(ids[which % len(ids)])
            self.typed.gone(side, ids[which % len(ids)])
            self.deleted += 1
            self.restful = False

    @rule(side=st.sampled_from(["a", "b"]), which=st.integers(0, 9))
    def somebody_makes_one_of_two(self, side: str, which: int) -> None:
        """P18: what the loser said, and whose edits count then, was a user's decision; the rest has to come in step."""
        ids = sorted(self.system(side).records)
        if len(ids) > 1 and self.deleted < 3:
            loser, winner = ids[which % len(ids)], ids[(which + 1) % len(ids)]
            self.system(side).user_merge(loser, winner)
            self.deleted += 1
            self.merged = True
            self.restful = False

    @rule(seconds=st.sampled_from([0.5, 3.0, 70.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(full=st.booleans())
    def a_cycle(self, full: bool) -> None:
        self.world.cycle(full=full)

    @rule(side=st.sampled_from(["a", "b"]), which=st.lists(st.integers(0, 9), max_size=4))
    def a_cycle_with_hints(self, side: str, which: list[int]) -> None:
        ids = sorted(self.system(side).records)
        hints = [Hint("a" if side == "a" else "b", ids[each % len(ids)]) for each in which if ids]
        self.world.cycle(hints=hints)

    @rule(
        side=st.sampled_from(["a", "b"]),
        name=st.sampled_from([NAME, NOTE]),
        which=st.integers(0, 9),
        at=st.integers(1, 12),
    )
    def somebody_edits_during_a_cycle(self, side: str, name: str, which: int, at: int) -> None:
        """P21: between any two calls; where the system takes versions and answers with what it keeps."""
        system = self.system(side)
        if not (system.knobs.compare_and_set and system.knobs.answers):
            return
        number = system.calls.total() + at

        def slip(call: Call) -> None:
            if call.number == number:
                self.somebody_edits(side, name, which)

        system.before = slip
        try:
            self.world.cycle()
        finally:
            system.before = None

    @rule()
    def a_rehearsal_and_a_cycle(self) -> None:
        """P27: what is written is what was planned, if nothing fails and nothing is left to be looked up."""
        if self.faulty or any(link.intents for link in self.world.links()):
            return
        planned = sorted(
            (write.side, write.op, sorted(write.fields.items(), key=str))
            for made in self.world.plan()
            for write in made.writes
        )
        before = {"a": len(self.world.a.writes), "b": len(self.world.b.writes)}
        summary = self.world.cycle()
        if summary is None or not summary.complete:
            return  # somebody killed has the lease still
        written = sorted(
            (side, each.op, sorted(((n, v) for n, v in each.fields.items() if "_mark" not in n), key=str))
            for side in before
            for each in self.system(side).writes[before[side] :]
        )
        assert planned == written

    @rule(at=st.integers(1, 80))
    def the_engine_is_killed(self, at: int) -> None:
        self.world.cycle(kill_at=at)

    @rule(
        side=st.sampled_from(["a", "b"]),
        kind=st.sampled_from([FaultKind.LOST, FaultKind.UNSENT, FaultKind.BEFORE, FaultKind.AFTER, FaultKind.BUSY]),
        op=st.sampled_from(["create", "update", "delete", "get", "many", "changes", "scan", "find"]),
        at=st.integers(1, 3),
    )
    def a_call_will_fail(self, side: str, kind: FaultKind, op: str, at: int) -> None:
        self.system(side).faults.plan(Fault(kind, op, at=at))
        self.faulty = True

    @rule(side=st.sampled_from(["a", "b"]))
    def a_token_runs_out(self, side: str) -> None:
        self.system(side).faults.plan(Fault(FaultKind.EXPIRED, "changes"))
        self.faulty = True

    @rule()
    def all_comes_to_rest(self) -> None:
        """P1, P2, P7, P8 and P17, of whatever happened before."""
        self.world.a.faults.clear()
        self.world.b.faults.clear()
        self.world.quiet(most=20, rest=REST)
        self.restful, self.faulty = True, False
        self.agreed()
        self.nothing_is_twice()
        if not self.merged:
            self.nothing_is_lost()

    @precondition(lambda self: self.restful)
    @rule(side=st.sampled_from(["a", "b"]), which=st.integers(0, 9))
    def one_edit_is_one_write(self, side: str, which: int) -> None:
        """P3: one edit of one record after all has come to rest is exactly one write, to the other side."""
        ids = sorted(self.system(side).records)
        if not ids:
            return
        edited, value = ids[which % len(ids)], self.fresh(NOTE)
        if any(NOTE in link.conflicts for link in self.world.links()):
            return
        before = len(self.world.a.writes), len(self.world.b.writes)
        self.system(side).user_edit(edited, self.named(side, {NOTE: value}))
        self.note(side, edited, NOTE)
        assert self.world.quiet(rest=REST) == 1
        after = len(self.world.a.writes), len(self.world.b.writes)
        assert after == (before[0] + (side == "b"), before[1] + (side == "a"))

    def live(self) -> list[Link]:
        return [link for link in self.world.links() if link.state != "dead"]

    def left_to_a_person(self) -> set[str]:
        """Ids of records of which nobody can know the outcome: one that was made, unheard of, and deleted by a user."""
        parked = [link for link in self.live() if link.state == "parked"]
        assert all("unknown outcome" in link.why for link in parked), parked
        assert not parked or self.world.alerts
        return {shadow.id for link in parked for shadow in (link.a, link.b) if shadow is not None}

    def agreed(self) -> None:
        """P1: each linked pair agrees on every field, or the field is listed; and both have as many records."""
        a, b = self.world.a.records, self.world.b.records
        left = self.left_to_a_person()
        assert len(a.keys() - left) == len(b.keys() - left), (self.world.links(), self.world.alerts)
        for link in self.live():
            if link.state == "parked":
                continue
            assert link.state == "linked", link
            assert link.a is not None
            assert link.b is not None
            for name, there in THERE.items():
                one, other = a[link.a.id].fields.get(name), b[link.b.id].fields.get(there)
                assert one == other or name in {*link.drift, *link.conflicts, *link.blocked}, (link, one, other)

    def nothing_is_twice(self) -> None:
        """P7: no record was created twice."""
        for system, name in ((self.world.a, EMAIL), (self.world.b, THERE[EMAIL])):
            twice = Counter(record.fields.get(name) for record in system.records.values())
            assert max(twice.values(), default=1) == 1, twice
        left = self.left_to_a_person()
        whole = [link for link in self.live() if link.state != "parked"]
        assert len(whole) == len(self.world.a.records.keys() - left)

    def nothing_is_lost(self) -> None:
        """P8: each edit was brought to the other side, or is in a conflict, if no user has replaced it."""
        told = str([(each.value_a, each.value_b) for each in self.world.conflicts()])
        left = self.left_to_a_person()
        for edit in self.typed.edits:
            if edit.id in left:
                continue
            there = self.world.b if edit.side == "a" else self.world.a
            if not edit.replaced and f"'{edit.value}'" not in told:
                assert any(edit.value in written.fields.values() for written in there.writes), edit

    @invariant()
    def each_record_has_one_link(self) -> None:
        """P17: the links are a partial bijection at all times: no id is in two of them that live."""
        if not hasattr(self, "world"):
            return
        for side in ("a", "b"):
            shadows = [link.a if side == "a" else link.b for link in self.live()]
            twice = Counter(shadow.id for shadow in shadows if shadow is not None and shadow.present)
            assert max(twice.values(), default=1) == 1, twice

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.all_comes_to_rest()


LAWS = settings(
    derandomize=True, deadline=None, max_examples=100, stateful_step_count=20,
    # a failure is told as it was found: making it smaller takes minutes (add Phase.shrink for that)
    phases=[Phase.explicit, Phase.generate], suppress_health_check=[*HealthCheck],
)  # fmt: skip

TestTwoSystems = TwoSystems.TestCase
TestTwoSystems.settings = LAWS
TestTwoSystems = pytest.mark.timeout(300)(TestTwoSystems)
