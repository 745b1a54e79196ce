"""How the memory of a link moves: when a plan is made, when a write is done and read back, when one is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from routekit.remotes import Record

from .pair import SyncPair
from .plans import LinkPlan
from .state import Intent, Link, Shadow
from .units import Side, Unit
from .views import other


def half(id: str, side: Side, record: Record, *, now: float = 0.0) -> Link:
    """The link of a record whose counterpart is not there yet."""
    shadow = Shadow(id=record.id, fields={}, version=record.version, stamp=record.stamp, seen=now)
    return Link(id=id, state="half", a=shadow if side == "a" else None, b=shadow if side == "b" else None)


def matched(id: str, a: Record, b: Record, *, now: float = 0.0) -> Link:
    """The link of two records that were found to be one: what was before is not known, so nothing has changed yet."""
    shadows = [Shadow(id=each.id, fields={}, version=each.version, stamp=each.stamp, seen=now) for each in (a, b)]
    return Link(id=id, a=shadows[0], b=shadows[1])


def noticed(link: Link, plan: LinkPlan, a: Record | None, b: Record | None, *, now: float = 0.0) -> Link:
    """The link with what a plan learned, before its writes: what is agreed is known, what ends has ended.

    A change that has to be written stays one until `settled`. A verdict with writes waits for them too.
    """
    if link.state in ("dead", "parked") or link.intents:
        return link
    held = {*plan.agreed}
    changes: dict[str, Any] = {
        "a": _reported(link.a, a, plan.moves_a, now),
        "b": _reported(link.b, b, plan.moves_b, now),
        "drift": [*plan.drift],
        "waits_for": plan.waits_for,
        "conflicts": _but(link.conflicts, held),
        "blocked": _but(link.blocked, held),
        "refused": _but(link.refused, held),
    }
    if plan.verdict and not plan.writes:
        changes |= {"state": "dead" if plan.verdict == "dead" else plan.verdict, "why": plan.why}
    elif link.state == "outside" and not plan.verdict:
        changes |= {"state": _living(changes["a"], changes["b"]), "why": ""}
    return link.model_copy(update=changes)


def settled(
    link: Link, intent: Intent, answer: Record | None, pair: SyncPair, *, now: float = 0.0, late: bool = False
) -> Link:
    """The link after a write is done and `answer` was read back: both shadows move, for what was written and no more.

    The side that was written is remembered as it keeps the value, the other one as it was when the write was decided:
    what either has become since is a change, to be seen next time. A delete or an archive ends the link.

    With `late` the answer to a create was found some time after it, and may be a user's by now: units that are not as
    they were sent are taken as unknown on both sides, so that neither value is lost.
    """
    if intent.op in ("delete", "archive"):
        return _ended(link, intent, answer, now)
    if answer is None:
        raise ValueError(f"a write of link {link.id} was settled without the record as it was read back")
    target = (
        _created(link, intent, answer, pair, now, late)
        if intent.op == "create"
        else _updated(link, intent, answer, pair, now)
    )
    done = {*intent.units}
    changes: dict[str, Any] = {
        **target,
        "intents": [each for each in link.intents if each.id != intent.id],
        "drift": [*(unit for unit in link.drift if unit not in done), *_kept_otherwise(intent, answer, pair)],
        "conflicts": _but(link.conflicts, done),
        "blocked": _but(link.blocked, done),
        "refused": _but(link.refused, done),
        "attempts": 0,
        "due": 0.0,
    }
    return link.model_copy(update=changes)


def refused(link: Link, intent: Intent, reasons: Mapping[str, str], pair: SyncPair) -> Link:
    """The link after a side has refused fields of a write: `reasons` by field, as the side names them.

    Their units are blocked until the value that was refused changes, or agrees; the rest can be written without them.
    """
    blocked, values = dict(link.blocked), dict(link.refused)
    for unit in pair.units:
        told = [reasons[name] for name in (unit.a if intent.side == "a" else unit.b) if name in reasons]
        if told:
            blocked[unit.name] = "; ".join(told)
            names = unit.b if intent.side == "a" else unit.a
            values[unit.name] = {name: intent.source[name] for name in names if name in intent.source}
    return link.model_copy(update={"blocked": blocked, "refused": values})


def _reported(shadow: Shadow | None, record: Record | None, moves: Mapping[str, Any], now: float) -> Shadow | None:
    if shadow is None or record is None:
        return shadow.model_copy(update={"fields": {**shadow.fields, **moves}}) if shadow and moves else shadow
    if record.deleted:
        return shadow.model_copy(update={"present": record.id != shadow.id, "seen": now})
    return Shadow(
        id=record.id, fields={**shadow.fields, **moves}, version=record.version, stamp=record.stamp, seen=now
    )  # fmt: skip


def _living(a: Shadow | None, b: Shadow | None) -> str:
    return "linked" if a is not None and b is not None else "half"


def _updated(link: Link, intent: Intent, answer: Record, pair: SyncPair, now: float) -> dict[str, Any]:
    shadow, source = _shadow(link, intent.side), _shadow(link, other(intent.side))
    done = {name for unit in pair.units if unit.name in intent.units for name in _names(pair, intent.side, unit.name)}
    # the first half of a merge is news of this side still, for the other one to be told
    fields = {name: intent.preimage[name] for name in intent.fields if name not in done and name in intent.preimage}
    fields |= {name: value for name, value in answer.fields.items() if name in done}
    kept = {**(shadow.fields if shadow else {}), **fields}
    moved = Shadow(id=answer.id, fields=kept, version=answer.version, stamp=answer.stamp, seen=now)
    if source is not None:
        source = source.model_copy(update={"fields": {**source.fields, **intent.source}})
    return {intent.side: moved, other(intent.side): source}


def _created(link: Link, intent: Intent, answer: Record, pair: SyncPair, now: float, late: bool) -> dict[str, Any]:
    side, opposite = intent.side, other(intent.side)
    names = _all(pair, side)
    unsure = _unsure(intent, answer, pair) if late else set[str]()
    fields = {name: None if name in unsure else answer.fields.get(name) for name in names}
    made = Shadow(id=answer.id, fields=fields, version=answer.version, stamp=answer.stamp, seen=now)
    source, before = _shadow(link, opposite), _shadow(link, side)
    if source is not None:
        # what was left out counts as nothing, so that it is a change once it can be written
        known = {name: None if name in unsure else intent.source.get(name) for name in _all(pair, opposite)}
        source = source.model_copy(update={"fields": known})
    changes: dict[str, Any] = {side: made, opposite: source, "state": "linked", "waits_for": ""}
    if before is not None and before.id != answer.id:
        aliases = link.aliases_a if side == "a" else link.aliases_b
        changes[f"aliases_{side}"] = [*aliases, before.id]
    return changes


def _kept_otherwise(intent: Intent, answer: Record, pair: SyncPair) -> list[str]:
    """Units that the side keeps otherwise than they were sent, and not only by what the pair knows to be the same."""
    return [unit.name for unit in pair.units if unit.name in intent.units and not _kept(unit, intent, answer)]


def _kept(unit: Unit, intent: Intent, answer: Record) -> bool:
    names = [name for name in (unit.a if intent.side == "a" else unit.b) if name in intent.fields]
    same = unit.same_a if intent.side == "a" else unit.same
    try:
        return same({name: intent.fields[name] for name in names}, {name: answer.fields.get(name) for name in names})
    except Exception:  # a function of the user: what cannot be compared is not known to be the same
        return False


def _unsure(intent: Intent, answer: Record, pair: SyncPair) -> set[str]:
    """The fields of both sides of those units that are not as they were sent."""
    found: set[str] = set()
    for unit in pair.units:
        names = unit.a if intent.side == "a" else unit.b
        if any(name in intent.fields and answer.fields.get(name) != intent.fields[name] for name in names):
            found.update((*unit.a, *unit.b))
    return found


def _ended(link: Link, intent: Intent, answer: Record | None, now: float) -> Link:
    shadow = _shadow(link, intent.side)
    if shadow is not None:
        present = intent.op == "archive"
        shadow = shadow.model_copy(
            update={"present": present, "version": answer.version if answer else None, "seen": now}
        )
    intents = [each for each in link.intents if each.id != intent.id]
    why = link.why or ("deleted" if intent.op == "delete" else "put out of use")
    return link.model_copy(update={intent.side: shadow, "intents": intents, "state": "dead", "why": why})


def _shadow(link: Link, side: Side) -> Shadow | None:
    return link.a if side == "a" else link.b


def _names(pair: SyncPair, side: Side, unit: str) -> Sequence[str]:
    return next((each.a if side == "a" else each.b for each in pair.units if each.name == unit), ())


def _all(pair: SyncPair, side: Side) -> list[str]:
    return [name for unit in pair.units for name in (unit.a if side == "a" else unit.b)]


def _but(named: Mapping[str, Any], done: set[str]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name not in done}
