"""The heart of it: what one link needs, as a function of two reports, two shadows and the pair; no I/O, no clock.

What a side reports is compared with what the same side last reported, and never with the other side: so what a system
makes of a value that it is given is no change, and a change on one side needs no clock.
"""

from collections.abc import Collection

from routekit.remotes import Record

from .absence import Ending, ending
from .asking import Asked
from .comparing import Compared
from .converting import parents_of as parents_of
from .creating import created
from .drafting import Draft
from .judging import Judgement
from .pair import SyncPair
from .plans import Clocks, Decided, Dispute, LinkPlan, Parents, Write
from .settling import half as half
from .settling import matched as matched
from .settling import noticed as noticed
from .settling import refused as refused
from .settling import settled as settled
from .state import Link
from .units import Unit
from .views import look, other

NO_CLOCKS = Clocks()
"""Clocks of which nothing is known: they are taken as ours."""


def plan(
    link: Link,
    a: Record | None,
    b: Record | None,
    pair: SyncPair,
    *,
    clocks: Clocks = NO_CLOCKS,
    parents: Parents | None = None,
    decided: Decided | None = None,
    without: Collection[str] = (),
) -> LinkPlan:
    """What a link needs, as its sides report it now; None for a side that was not looked at: its shadow stands for it.

    Before a deletion is acted on, both sides should have been looked at, so that an edit on the other one is seen.
    `parents` holds the ids that `parents_of` asks for. `decided` settles units that a person or a repair has decided.
    Units in `without` are left for later: references within a circle, which are written once both ends are there.
    """
    idle = _idle(link)
    if idle is not None:
        return idle
    asked = Asked(link, a, b, pair, clocks, parents or {}, decided or {}, frozenset(without))
    end = ending(link, a, b, pair)
    if end is not None:
        return created(asked, other(end.side), end.why) if end.op == "back" else _ended(asked, end)
    if (link.a is None and a is None) or (link.b is None and b is None):
        return created(asked, "b" if link.a is not None or a is not None else "a")
    return _compared(asked)


def _idle(link: Link) -> LinkPlan | None:
    if link.state == "dead":
        return LinkPlan(link.id, verdict="dead", why=link.why)
    if link.state == "parked":
        return LinkPlan(link.id, why=link.why or "a person has to look at it")
    if link.intents:
        return LinkPlan(link.id, why="a write of it is under way, or its outcome is not known")
    return None


def _compared(asked: Asked) -> LinkPlan:
    """Both records are there: each unit by itself."""
    link, draft = asked.link, Draft(asked.link.id)
    fresh = not (link.a and link.a.fields) and not (link.b and link.b.fields)
    if fresh and (asked.a is None or asked.b is None):
        return LinkPlan(link.id, why="it is new: both sides have to be looked at first")
    for unit in asked.pair.units:
        a, b = look(unit.a, asked.a, link.a, fresh=fresh), look(unit.b, asked.b, link.b, fresh=fresh)
        Compared(asked, draft, unit, a, b).step()
        if fresh:
            draft.mark(a, b)
    return draft.finished()


def _ended(asked: Asked, end: Ending) -> LinkPlan:
    """The link ends; the record that is left is put out of use or deleted, where the pair says so."""
    if not end.op:
        return LinkPlan(asked.link.id, verdict=end.verdict, why=end.why)
    archive = asked.pair.remote(end.side).abilities.archive if end.op == "archive" else None
    write = Write(end.side, end.op, dict(archive or {}))
    lost = [_lost(asked, unit, end) for unit in asked.pair.units if unit.name in end.edited and end.op == "delete"]
    return LinkPlan(asked.link.id, writes=(write,), disputes=tuple(lost), verdict=end.verdict, why=end.why)


def _lost(asked: Asked, unit: Unit, end: Ending) -> Dispute:
    judged = Judgement(other(end.side), f"{end.why}, which wins over an edit")
    return asked.dispute(unit, asked.view(unit, "a"), asked.view(unit, "b"), judged)
