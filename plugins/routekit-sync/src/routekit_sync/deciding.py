"""Deciding: what a person makes of conflicts, quarantine, parked links, held deletions and cursors, on a ledger.

None of it needs the lease of the pair: a link is written only if nobody has changed it since it was read, and the
cycle that is under way reads it again. Nothing is written to a remote here; that is the next cycle's.
"""

from collections.abc import Callable
from typing import Any

from routekit import UnknownName, ValueChange

from .indexing import unconfirmed, unkeyed
from .kept import Conflict, Cursor, Held, Quarantined
from .ledger import Changed, Known, Ledger, Saving, document
from .plans import Decided
from .state import Link
from .units import Decision, Side

_TRIES = 20
"""How often a link is read again that a cycle changes at the same time."""


async def decide(
    ledger: Ledger, conflict: Conflict, outcome: str, fields: dict[str, Any] | None, who: str, why: str = ""
) -> None:
    """Decide a conflict for side `a` or `b`, or as `merged` by these fields of side a; the link is looked at at once.

    One that was decided before, by a rule, is decided anew.
    """
    decided = conflict.model_copy(
        update={
            "outcome": outcome,
            "taken": fields or {},
            "decided_by": who,
            "decided": ledger.now(),
            "why": why or conflict.why,
        }
    )
    change = document(f"conflict/{conflict.id}", decided)

    def waiting(link: Link) -> Link:
        return link.model_copy(
            update={"conflicts": {**link.conflicts, conflict.unit: conflict.id}, "due": ledger.now()}
        )

    await _edit(ledger, conflict.link, waiting, change)


async def decisions(ledger: Ledger, link: Link) -> Decided:
    """What persons have decided of the units of a link, to be planned with."""
    found: dict[str, Side | Decision] = {}
    for unit, own in link.conflicts.items():
        conflict = await ledger.conflict(own)
        if conflict is None or conflict.open:
            continue
        if conflict.outcome == "merged":
            found[unit] = Decision(conflict.taken, f"by {conflict.decided_by}")
        elif conflict.outcome in ("a", "b"):
            found[unit] = "a" if conflict.outcome == "a" else "b"
    return found


async def replay(ledger: Ledger, given: Quarantined) -> None:
    """Let a link that was given up be tried again at once, with all its tries."""
    forgotten = ValueChange(f"quarantine/{given.link}", None)

    def again(link: Link) -> Link:
        update: dict[str, Any] = {"attempts": 0, "due": ledger.now(), "blocked": {}, "refused": {}, "given_up": ""}
        return link.model_copy(update=update)

    await _edit(ledger, given.link, again, forgotten)


async def discard(ledger: Ledger, given: Quarantined) -> None:
    """Take a link from the quarantine without trying it again; it is looked at when its record changes."""
    await ledger.write([ValueChange(f"quarantine/{given.link}", None)])


async def unpark(ledger: Ledger, known: Known) -> None:
    """Let a parked link take part again, with no write counted against it.

    A half link that was to be confirmed is none of those that match it then: its record is created. So is one of which
    nobody knew whether it had been, unless the record that it may have made is known: that one is taken.
    """

    def free(link: Link) -> Link:
        both = link.a is not None and link.b is not None
        update: dict[str, Any] = {"why": "", "writes": [], "written": [], "attempts": 0, "due": ledger.now()}
        update["apart"] = link.apart or unconfirmed(link)
        update["intents"] = [each for each in link.intents if each.target]
        return link.model_copy(update={"state": "linked" if both else "half", **update})

    await _edit(ledger, known.link.id, free)


async def confirm(ledger: Ledger, one: Known, other: Known) -> None:
    """Say that two half links of both sides are one; what their records say is compared by the next cycle."""
    sides = {(link.a is not None, link.b is not None) for link in (one.link, other.link)}
    if sides != {(True, False), (False, True)}:
        raise UnknownName(f"links {one.link.id} and {other.link.id} are not two halves, one of each side")
    extra = [*await unkeyed(ledger, one.link), *await unkeyed(ledger, other.link)]
    whole = one.link.model_copy(
        update={
            "a": one.link.a or other.link.a, "b": one.link.b or other.link.b, "state": "linked", "why": "",
            "intents": [], "keys": [], "due": ledger.now(),
            "aliases_a": [*one.link.aliases_a, *other.link.aliases_a],
            "aliases_b": [*one.link.aliases_b, *other.link.aliases_b],
        }
    )  # fmt: skip
    await ledger.save(Saving(one, whole), Saving(other, None), extra=extra)


async def release(ledger: Ledger) -> Held:
    """Let go the deletions that are held now; more than these are held again. Raises UnknownName if none are."""
    held = await ledger.held()
    if held is None or held.count <= held.allowed:
        raise UnknownName("no deletions are held", hint="the brake has not been pulled, or it was released")
    freed = held.model_copy(update={"allowed": held.count})
    await ledger.write([document(ledger.place("held"), freed)])
    return freed


async def place(ledger: Ledger, side: Side, change: Callable[[Cursor], Cursor]) -> Cursor:
    """Move a cursor by hand; the lease must be had, as a cycle moves it too."""
    cursor = change(await ledger.cursor(side))
    await ledger.move(side, cursor)
    return cursor


async def _edit(ledger: Ledger, id: str, change: Callable[[Link], Link], *extra: ValueChange) -> None:
    """Write a link, changed; read again for as long as somebody else changes it at the same time."""
    for left in reversed(range(_TRIES)):
        known = await ledger.link(id)
        try:
            if known is None:
                await ledger.write(list(extra))
            else:
                await ledger.save(Saving(known, change(known.link)), extra=extra)
        except Changed:
            if not left:
                raise
        else:
            return
