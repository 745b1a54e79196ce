"""Records that are gone or out of scope: what that means for the link and for the other side."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from routekit.remotes import Record

from .pair import Deleted, Outside, SyncPair
from .state import Link, Shadow
from .units import Side
from .views import look, other


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a link, and of the record that is left."""

    verdict: str
    why: str
    side: Side = "a"
    """The side that is left, to which the rest refers."""
    op: str = ""
    """What is done there: `archive` or `delete`; `back`: it is created again on the side where it is gone."""
    edited: tuple[str, ...] = ()
    """Units that were changed on it at the same time."""


def ending(link: Link, a: Record | None, b: Record | None, pair: SyncPair) -> Ending | None:
    """Whether the link ends with these reports, and how; None if both records are there and in scope."""
    gone_a, gone_b = _gone(a, link.a), _gone(b, link.b)
    if (gone_a and (gone_b or link.b is None)) or (gone_b and link.a is None):
        return Ending("dead", "deleted in both" if gone_a and gone_b else "deleted before it was linked")
    if gone_a or gone_b:
        return _deleted(link, b if gone_a else a, "a" if gone_a else "b", pair)
    return _outside(link, a, b, pair)


def _gone(record: Record | None, shadow: Shadow | None) -> bool:
    if record is None:
        return shadow is not None and not shadow.present
    # a late word of an id that the record had before says nothing of the record
    return record.deleted and (shadow is None or record.id == shadow.id)


def _deleted(link: Link, left: Record | None, gone: Side, pair: SyncPair) -> Ending:
    side = other(gone)
    edited = _edited(link, left, side, pair)
    if pair.deletes is Deleted.KEEP:
        return Ending("dead", f"deleted in {gone}: kept in {side}")
    if pair.deletes is Deleted.ARCHIVE:
        return _archived(left, gone, edited, pair)
    if pair.deletes is Deleted.DELETE and edited:
        return _brought_back(gone, edited, pair)
    if not pair.remote(side).abilities.can_delete:
        return _archived(left, gone, edited, pair)
    return Ending("dead", f"deleted in {gone}", side, "delete", edited)


def _archived(left: Record | None, gone: Side, edited: tuple[str, ...], pair: SyncPair) -> Ending:
    side = other(gone)
    fields = pair.remote(side).abilities.archive
    if fields is None or not pair.remote(side).abilities.can_update:
        return Ending("dead", f"deleted in {gone}: it stays in {side}, which cannot put it out of use")
    if left is not None and _holds(left.fields, fields):
        return Ending("dead", f"deleted in {gone}, out of use in {side} already")
    return Ending("dead", f"deleted in {gone}", side, "archive", edited)


def _brought_back(gone: Side, edited: tuple[str, ...], pair: SyncPair) -> Ending:
    side = other(gone)
    if not may_create(gone, pair):
        return Ending("dead", f"deleted in {gone}, edited in {side}: kept in {side}")
    return Ending("", f"deleted in {gone}, edited in {side}: brought back", side, "back", edited)


def may_create(side: Side, pair: SyncPair) -> bool:
    """Whether records may be created on this side."""
    return pair.creates in ("both", side) and pair.remote(side).abilities.can_create


def _edited(link: Link, record: Record | None, side: Side, pair: SyncPair) -> tuple[str, ...]:
    shadow = link.a if side == "a" else link.b
    units = [unit for unit in pair.units if look(unit.a if side == "a" else unit.b, record, shadow).changed]
    return tuple(unit.name for unit in units)


def _outside(link: Link, a: Record | None, b: Record | None, pair: SyncPair) -> Ending | None:
    left = _left_scope(a, "a", pair) or _left_scope(b, "b", pair)
    if left is None:
        unseen = [side for side, record in (("a", a), ("b", b)) if record is None and _scoped(side, link, pair)]
        if link.state == "outside" and unseen:
            return Ending("outside", link.why)
        return None
    why = f"out of scope in {left}"
    if pair.outside is Outside.DELETE and link.a is not None and link.b is not None and link.state != "outside":
        ended = _deleted(link, b if left == "a" else a, left, pair)
        return Ending("outside", f"{why}, edited in {ended.side}") if ended.op == "back" else replace(ended, why=why)
    return Ending("unlink" if pair.outside is Outside.UNLINK else "outside", why)


def _left_scope(record: Record | None, side: Side, pair: SyncPair) -> Side | None:
    scope = pair.scope_a if side == "a" else pair.scope_b
    return side if record is not None and not record.deleted and scope is not None and not scope(record) else None


def _scoped(side: str, link: Link, pair: SyncPair) -> bool:
    if side == "a":
        return pair.scope_a is not None and link.a is not None
    return pair.scope_b is not None and link.b is not None


def _holds(fields: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in fields and fields[name] == value for name, value in wanted.items())
