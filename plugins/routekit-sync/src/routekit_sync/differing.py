"""Differences: what two records of one link have that is not in step, and why, as the plan for them says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from routekit.remotes import Record

from .pair import SyncPair
from .plans import LinkPlan
from .state import Link, Shadow
from .units import Side
from .views import look


class Why(StrEnum):
    """Why something is not the same on both sides."""

    CHANGED = "changed"
    """One side has changed, and it has not been brought to the other."""
    DRIFT = "drift"
    """Unequal, though neither side has changed since it was last seen."""
    CONFLICT = "conflict"
    """Both sides have changed, or it waits for a person."""
    BLOCKED = "blocked"
    """The other side refuses it."""
    PROBLEM = "problem"
    """It cannot be converted."""
    WAITING = "waiting"
    """It needs a record that is not linked yet."""
    MISSING = "missing"
    """A linked record is not there."""
    UNLINKED = "unlinked"
    """A record has no counterpart yet, and is to get one."""
    EXTRA = "extra"
    """A record has no counterpart, and gets none; or is there again though it was deleted."""
    HIDDEN = "hidden"
    """A linked record may not be seen any more."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `a` and `b` are the unit's fields as each side has them."""

    why: Why
    side: Side | None
    """The side to blame: which has changed, refuses, lacks or hides it; None: both, or nobody knows."""
    link: str = ""
    id_a: str = ""
    id_b: str = ""
    unit: str = ""
    a: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    b: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    note: str = ""


def different(link: Link, a: Record | None, b: Record | None, plan: LinkPlan, pair: SyncPair) -> Iterable[Difference]:
    """What differs in a link; None for a record that may not be seen, or that the link does not have."""
    one = Difference(Why.CHANGED, None, link.id, link.a.id if link.a else "", link.b.id if link.b else "")
    reports: list[tuple[Side, Shadow | None, Record | None]] = [("a", link.a, a), ("b", link.b, b)]
    known: list[tuple[Side, Shadow, Record | None]] = [
        (side, was, record) for side, was, record in reports if was is not None
    ]
    if link.state == "dead":
        yield from _risen(one, known)
        return
    for side, _, record in known:
        if record is None:
            yield replace(one, why=Why.HIDDEN, side=side)
            return
        if record.deleted:
            note = f"merged into {record.merged_into}" if record.merged_into else ""
            yield replace(one, why=Why.MISSING, side=side, note=note)
            return
    if a is not None and b is not None:
        yield from _compared(link, a, b, plan, pair)
    elif plan.verdict not in ("outside", "unlink", "dead"):
        yield _half(replace(one, side=known[0][0] if known else None), plan, link)


def _risen(one: Difference, known: Iterable[tuple[Side, Shadow, Record | None]]) -> Iterable[Difference]:
    for side, was, record in known:
        if not was.present and record is not None and not record.deleted:
            yield replace(one, why=Why.EXTRA, side=side, note="there again, though it was deleted")


def _half(one: Difference, plan: LinkPlan, link: Link) -> Difference:
    if plan.waits_for:
        return replace(one, why=Why.WAITING, note=plan.waits_for)
    if plan.writes:
        return replace(one, why=Why.UNLINKED, note=_state(link) or "has no counterpart yet")
    return replace(one, why=Why.EXTRA, note=plan.why)


def _compared(link: Link, a: Record, b: Record, plan: LinkPlan, pair: SyncPair) -> Iterable[Difference]:
    """What differs in a link of which both records are there; each unit once."""
    told: set[str] = set()
    for unit, why, side, note in _listed(plan, link):
        if unit in told:
            continue
        told.add(unit)
        found = next((each for each in pair.units if each.name == unit), None)
        here = {} if found is None else look(found.a, a, link.a).value
        there = {} if found is None else look(found.b, b, link.b).value
        yield Difference(why, side, link.id, a.id, b.id, unit, here, there, note)


def _listed(plan: LinkPlan, link: Link) -> Iterable[tuple[str, Why, Side | None, str]]:
    """The units that the plan names: what stands against a unit comes before what would be written of it."""
    for unit in plan.frozen:
        yield unit, Why.CONFLICT, None, "waits for a person"
    for dispute in plan.disputes:
        yield dispute.unit, Why.CONFLICT, None, f"both have changed: {dispute.why}"
    for unit in plan.blocked:
        yield unit, Why.BLOCKED, None, link.blocked.get(unit, "")
    for unit, problem in plan.problems.items():
        yield unit, Why.PROBLEM, None, problem
    for unit in plan.drift:
        yield unit, Why.DRIFT, None, ""
    for write in plan.writes:
        for change in write.changes:
            yield change.unit, Why.CHANGED, "b" if write.side == "a" else "a", _state(link) or change.why
    if plan.waits_for:
        yield "", Why.WAITING, None, plan.waits_for


def _state(link: Link) -> str:
    if link.state == "parked":
        return f"parked: {link.why}"
    return "a write of it is under way" if link.intents else ""
