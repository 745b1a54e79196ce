"""One unit of a link of which both records are there: agreed, written, disputed, or listed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from routekit.remotes import Fields

from .asking import Asked
from .converting import Converted
from .drafting import Draft
from .judging import NEEDS_B, Case, Judgement, judge
from .units import Clash, Decision, Rule, Side, Unit
from .views import View, other


class Uncomparable(Exception):
    """The comparison that a unit declares cannot be done with these values."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One unit of a link of which both records are there."""

    asked: Asked
    draft: Draft
    unit: Unit
    a: View
    b: View

    def step(self) -> None:
        """Add to the draft what the unit needs."""
        unit, draft = self.unit, self.draft
        if unit.only_new:
            draft.move(self.a, self.b)
            return
        if unit.name in self.asked.without:
            draft.hold(unit)
            return
        try:
            self._compare()
        except Uncomparable as error:
            draft.problems[unit.name] = str(error)
            draft.hold(unit)

    def _compare(self) -> None:
        unit, draft = self.unit, self.draft
        to_b = self.asked.converted(unit, "b", self.a)
        if to_b.known and self._same("b", to_b.fields, _like(to_b.fields, self.b.value)):
            self._agree()
            return
        to_a = self.asked.converted(unit, "a", self.b)
        if to_a.known and self._same("a", to_a.fields, _like(to_a.fields, self.a.value)):
            self._agree()
        elif unit.name in self.asked.decided:
            self._decide(self.asked.decided[unit.name], to_b, to_a)
        elif unit.name in self.asked.link.conflicts:
            draft.frozen.append(unit.name)
            draft.hold(unit)
        elif self.a.changed and self.b.changed:
            self._clash(to_b, to_a)
        elif self.a.changed or self.b.changed:
            self._one_sided("b" if self.a.changed else "a", to_b, to_a)
        elif self.a.value and self.b.value:
            self._drift()

    def _listed(self) -> Collection[str]:
        link = self.asked.link
        return {*link.conflicts, *link.blocked, *link.drift}

    def _same(self, side: Side, left: Fields, right: Fields) -> bool:
        """Whether two values, as a side has them, mean the same."""
        same = self.unit.same if side == "b" else self.unit.same_a
        try:
            return same(left, right)
        except Exception as error:  # a function of the user: it concerns this unit alone
            raise Uncomparable(f"{type(error).__name__} in the comparison of two values of side {side}") from error

    def _agree(self) -> None:
        self.draft.move(self.a, self.b)
        if self.a.changed or self.b.changed or self.unit.name in self._listed():
            self.draft.agreed.append(self.unit.name)

    def _drift(self) -> None:
        self.draft.drift.append(self.unit.name)
        self.draft.move(self.a, self.b)

    def _one_sided(self, side: Side, to_b: Converted, to_a: Converted) -> None:
        """One side alone has changed, and `side` is the other one."""
        changed = self.a if side == "b" else self.b
        if self.asked.writable(self.unit, side):
            if changed.base.keys() == changed.value.keys() and self._same(other(side), changed.base, changed.value):
                self._drift()  # nothing that the other side could tell apart
            else:
                self._write(side, to_b if side == "b" else to_a, f"changed in {other(side)}")
        elif self.unit.revert and self.asked.writable(self.unit, other(side)):
            why = f"changed in {other(side)}, which is not read from: reverted"
            if self._write(other(side), to_a if side == "b" else to_b, why):
                self._tell(Judgement(side, why))
        else:
            self.draft.drift.append(self.unit.name)
            self.draft.hold(self.unit)

    def _clash(self, to_b: Converted, to_a: Converted) -> None:
        one_way = [side for side in ("a", "b") if not self.asked.writable(self.unit, side)]
        if len(one_way) == 2:
            self._drift()
        elif one_way:
            self._apply(Judgement(one_way[0], f"{one_way[0]} owns it: it is never written there"), to_b, to_a)
        else:
            self._judged(to_b, to_a)

    def _judged(self, to_b: Converted, to_a: Converted) -> None:
        rule = self.unit.rule
        if (rule in NEEDS_B or not isinstance(rule, Rule)) and not self._usable(to_a):
            return
        base_b = self.asked.converted(self.unit, "a", View(self.b.base, {}, False))
        value_b = to_a.fields if to_a.known else self.b.value
        clash = Clash(self.unit.name, self.a.value, value_b, self.a.base, self._stamp("a"), self._stamp("b"))
        self._apply(judge(self.unit, Case(clash, base_b.fields, self._ahead(), self._within())), to_b, to_a)

    def _apply(self, judged: Judgement, to_b: Converted, to_a: Converted) -> None:
        """Carry out a judgement: the loser is kept in a dispute."""
        if judged.outcome == "manual":
            self.draft.frozen.append(self.unit.name)
            self.draft.hold(self.unit)
            self._tell(judged)
        elif judged.outcome == "merged":
            self._merge(judged.fields or {}, judged.why)
        else:
            side: Side = "b" if judged.outcome == "a" else "a"
            if self._write(side, to_b if side == "b" else to_a, f"conflict: {judged.why}"):
                self._tell(judged)

    def _decide(self, decided: Side | Decision, to_b: Converted, to_a: Converted) -> None:
        why = "decided" if isinstance(decided, str) or not decided.why else f"decided: {decided.why}"
        if isinstance(decided, str):
            self._write(other(decided), to_b if decided == "a" else to_a, why)
        elif decided.fields is None:
            self.draft.frozen.append(self.unit.name)
            self.draft.hold(self.unit)
        else:
            self._merge(decided.fields, why, told=False)

    def _merge(self, fields: Mapping[str, Any], why: str, *, told: bool = True) -> None:
        """Bring both sides to one value: side a first, and side b as if a had changed to it."""
        merged = View(self.a.value | dict(fields), {}, False)
        to_b = self.asked.converted(self.unit, "b", merged)
        if not self._usable(to_b):
            return
        for_a = not self._same("a", merged.value, self.a.value)
        for_b = not self._same("b", to_b.fields, _like(to_b.fields, self.b.value))
        source = merged.value if for_a else self.a.value
        if self.asked.still_refused(self.unit, self.b if for_a else View(source, {}, True)):
            self.draft.blocked.append(self.unit.name)
            self.draft.hold(self.unit)
            return
        if for_a:
            self.draft.write("a", self.unit, fields, self.a, self.b.value, why, done=not for_b)
        if for_b:
            self.draft.write("b", self.unit, to_b.fields, self.b, source, why)
        if told:
            outcome = "merged" if for_a and for_b else "b" if for_a else "a"
            self._tell(Judgement(outcome, why))

    def _write(self, side: Side, made: Converted, why: str) -> bool:
        source, target = (self.a, self.b) if side == "b" else (self.b, self.a)
        if not self._usable(made):
            return False
        if self.asked.still_refused(self.unit, source):
            self.draft.blocked.append(self.unit.name)
            self.draft.hold(self.unit)
            return False
        self.draft.write(side, self.unit, made.fields, target, source.value, why)
        return True

    def _usable(self, made: Converted) -> bool:
        """Whether a conversion gave anything to write; if not, the change stays one, and it is said why."""
        if made.problem:
            self.draft.problems[self.unit.name] = made.problem
        elif made.waits_for:
            self.draft.waits_for = self.draft.waits_for or made.waits_for
        elif not made.known:
            self.draft.move(self.a, self.b)  # what it says means nothing to the other side
            return False
        else:
            return True
        self.draft.hold(self.unit)
        return False

    def _tell(self, judged: Judgement) -> None:
        self.draft.disputes.append(self.asked.dispute(self.unit, self.a, self.b, judged))

    def _stamp(self, side: Side) -> float | None:
        record = self.asked.a if side == "a" else self.asked.b
        return record.stamp if record else None

    def _ahead(self) -> float | None:
        a, b, clocks = self._stamp("a"), self._stamp("b"), self.asked.clocks
        return None if a is None or b is None else (a - clocks.offset_a) - (b - clocks.offset_b)

    def _within(self) -> float:
        pair = self.asked.pair
        grain = max(pair.a.abilities.granularity, pair.b.abilities.granularity)
        return self.asked.clocks.uncertainty + pair.tie + grain


def _like(fields: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The value, as far as the fields speak of it; what is absent is nothing."""
    return {name: value.get(name) for name in fields}
