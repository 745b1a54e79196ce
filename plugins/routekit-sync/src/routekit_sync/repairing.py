"""Repairing: what would bring both sides in step again, as plans; the engine carries them out by its own way.

What one side has changed goes to the other, as in every cycle. What is unequal though nobody has changed it is decided
by the rule of the unit, as a conflict is: the owner's value counts. What a rule leaves to a person stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from routekit.remotes import Record

from .asking import Asked
from .bench import Bench
from .deciding import decide
from .differing import Difference, Why
from .judging import Case, Judgement, judge
from .kept import Conflict
from .ledger import Changed, Ledger, Saving, digest
from .planning import parents_of, plan
from .plans import LinkPlan
from .reconciling import Examined, Reconciliation
from .state import Link
from .units import Clash, Decision, Rule, Side, Unit

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Repair:
    """What brings both sides in step again."""

    plans: Sequence[LinkPlan]
    """What would be written, as planned with what was read."""
    decided: Sequence[Conflict] = ()
    """Units that are unequal though nobody has changed them, each with whose value counts."""
    due: Sequence[str] = ()
    """Links that are to be looked at again."""
    gone: Mapping[str, Side] = field(default_factory=dict[str, Side])
    """Those of them of which a side certainly has no record any more."""
    loose: Sequence[tuple[Side, str]] = ()
    """Records that have no counterpart yet: they are matched, or created on the other side."""
    left: Sequence[Difference] = field(default=())
    """What has to be left to a person."""


async def repair(bench: Bench, found: Reconciliation) -> Repair:
    """What brings in step what a comparison has found; nothing is written anywhere."""
    plans: list[LinkPlan] = []
    decided: list[Conflict] = []
    due: list[str] = []
    gone: dict[str, Side] = {}
    left = [each for each in found.differences if each.why in (Why.EXTRA, Why.HIDDEN)]
    for case in found.cases:
        own = list(_decided(bench, case))
        planned = await _planned(bench, case, own)
        settled = {conflict.unit for conflict in own}
        gone |= dict(_gone(case))
        parked = case.known.link.state == "parked"
        left += [each for each in case.differences if parked or _needs_a_person(each, settled)]
        decided += own
        if planned.writes or planned.verdict or own:
            plans.append(planned)
            due.append(case.known.link.id)
    return Repair(plans, decided, due, gone, found.loose, left)


async def ask(ledger: Ledger, given: Repair, who: str = "reconcile") -> None:
    """Let the next cycle do it: decisions are kept and links made due. Give it `loose` as hints."""
    for conflict in given.decided:
        fields = conflict.taken if conflict.outcome == "merged" else None
        await decide(ledger, conflict, conflict.outcome, fields, who, conflict.why)
    for own in given.due:
        await _due(ledger, own, given.gone.get(own))


def _decided(bench: Bench, case: Examined) -> Iterable[Conflict]:
    """Of the units in drift, those that a rule decides."""
    link, now = case.known.link, bench.now()
    for difference in case.differences:
        unit = next((each for each in bench.pair.units if each.name == difference.unit), None)
        if unit is None or difference.why is not Why.DRIFT:
            continue
        judged = _judged(bench, case, unit, difference)
        if judged.outcome == "manual":
            continue
        yield Conflict(
            id=digest("repair", link.id, unit.name, now), link=link.id, unit=unit.name, id_a=difference.id_a,
            id_b=difference.id_b, value_a=dict(difference.a), value_b=dict(difference.b), outcome=judged.outcome,
            taken=judged.fields or {}, why=f"drift: {judged.why}", at=now, decided_by="reconcile",
        )  # fmt: skip


def _judged(bench: Bench, case: Examined, unit: Unit, difference: Difference) -> Judgement:
    """Who is right: the side that is written alone cannot be, else the unit's rule says it."""
    if unit.to_a is None and unit.to_b is None:
        return Judgement("manual", "neither side is written")
    if unit.to_a is None:
        return Judgement("a", "side a is never written")
    if unit.to_b is None:
        return Judgement("b", "side b is never written")
    if unit.rule is Rule.APPEND:
        return Judgement("a", "nothing was added: a by the tie rule")
    asked = Asked(case.known.link, case.a, case.b, bench.pair, bench.clocks, {}, {}, frozenset())
    b = asked.converted(unit, "a", asked.view(unit, "b"))
    if b.problem or not b.known:
        return Judgement("manual", b.problem or "what b has means nothing to a")
    clash = Clash(unit.name, dict(difference.a), b.fields, {}, _stamp(case.a), _stamp(case.b))
    return judge(unit, Case(clash, {}, _ahead(bench, case), bench.clocks.uncertainty + bench.pair.tie))


def _ahead(bench: Bench, case: Examined) -> float | None:
    a, b, clocks = _stamp(case.a), _stamp(case.b), bench.clocks
    return None if a is None or b is None else (a - clocks.offset_a) - (b - clocks.offset_b)


def _stamp(record: Record | None) -> float | None:
    return None if record is None else record.stamp


async def _planned(bench: Bench, case: Examined, decided: Sequence[Conflict]) -> LinkPlan:
    link, pair = case.known.link, bench.pair
    parents = await bench.parents(parents_of(link, case.a, case.b, pair))
    return plan(link, case.a, case.b, pair, clocks=bench.clocks, parents=parents, decided=_decisions(decided))


def _decisions(decided: Sequence[Conflict]) -> Mapping[str, Side | Decision]:
    found: dict[str, Side | Decision] = {}
    for each in decided:
        if each.outcome == "merged":
            found[each.unit] = Decision(each.taken, each.why)
        else:
            found[each.unit] = "a" if each.outcome == "a" else "b"
    return found


def _needs_a_person(difference: Difference, settled: set[str]) -> bool:
    if difference.why is Why.DRIFT:
        return difference.unit not in settled
    if difference.why is Why.CONFLICT:
        return difference.note == "waits for a person"
    return difference.why in (Why.BLOCKED, Why.PROBLEM)


def _gone(case: Examined) -> Iterable[tuple[str, Side]]:
    """The side that has no record any more; one that was merged into another is told so by the side itself."""
    for each in case.differences:
        record = case.a if each.side == "a" else case.b
        if each.why is Why.MISSING and each.side and record is not None and record.merged_into is None:
            yield case.known.link.id, each.side


async def _due(ledger: Ledger, own: str, gone: Side | None) -> None:
    for _ in range(_TRIES):
        known = await ledger.link(own)
        if known is None or (known.link.due and gone is None):
            return
        try:
            await ledger.save(Saving(known, _now_due(known.link, ledger.now(), gone)))
        except Changed:
            continue  # a cycle has worked at it meanwhile: it may not be needed any more
        return


def _now_due(link: Link, now: float, gone: Side | None) -> Link:
    missing = link.gone if gone is None or gone in link.gone else {**link.gone, gone: None}
    return link.model_copy(update={"due": now, "gone": missing})
