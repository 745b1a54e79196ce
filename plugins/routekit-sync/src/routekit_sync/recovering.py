"""Recovering: writes whose outcome is not known, after a crash or a lost answer. They are looked up, not repeated.

What is as it was to be is done; what is as it was before is sent again, with the same key; anything else has been
changed since, and is planned anew. For creates it depends on what the side makes of a second one.
"""

from routekit import ValueChange
from routekit.remotes import Busy, Creating, Record, RemoteError, Unclear, Unsent

from .adopting import findable, joined, looked_up, lost
from .bench import Bench, Dirty
from .executing import carry_out, send_all
from .failing import attempt
from .landing import gone, look, settle, write_through
from .ledger import Known
from .state import Intent, Link
from .units import Side

SETTLING = 5.0
"""Seconds after which a create that nobody answered is either done, and found where it can be looked up, or not."""


async def recover(bench: Bench, known: Known) -> None:
    """Find out what became of the first intent of a link, and go on from there."""
    dirty = Dirty(known)
    intent = known.link.intents[0]
    try:
        if intent.state == "planned":
            await _dropped(bench, dirty)
        elif intent.op == "create":
            await _create(bench, dirty, intent)
        else:
            await _change(bench, dirty, intent)
    except RemoteError as error:
        if isinstance(error, Unsent | Unclear | Busy):
            return
        bench.summary.failed += 1
        bench.tell("recovering", f"link {known.link.id}: {error}")


async def _change(bench: Bench, dirty: Dirty, intent: Intent) -> None:
    record = await bench.calls(intent.side).get(intent.target)
    if record is None or record.deleted:
        await _vanished(bench, dirty, intent, record)
    elif intent.op == "delete":
        await _resend(bench, dirty, intent, record)
    elif _holds(bench, intent, record):
        await settle(bench, dirty, intent, record)
        await _onward(bench, dirty)
    elif all(record.fields.get(name) == intent.preimage.get(name) for name in intent.fields):
        await _resend(bench, dirty, intent, record)
    else:
        dirty.saw(intent.side, record)
        await _dropped(bench, dirty)


async def _vanished(bench: Bench, dirty: Dirty, intent: Intent, record: Record | None) -> None:
    if intent.op == "delete":
        await settle(bench, dirty, intent, None)
    else:
        await gone(bench, dirty, intent.side, record)


async def _create(bench: Bench, dirty: Dirty, intent: Intent) -> None:
    able = bench.abilities(intent.side)
    alive = able.key_life is None or bench.now() - intent.at < able.key_life
    if able.creating is Creating.REPLAY and alive and not intent.target:
        await _resend(bench, dirty, intent, None)
        return
    own, found = await looked_up(bench, dirty, intent)
    if own is None and len(found) == 1 and _holds(bench, intent, found[0]):
        own = found[0]
    if own is None and len(found) == 1:
        if await joined(bench, dirty, intent.side, found[0]):
            await _onward(bench, dirty)
    elif own is not None and not own.deleted:
        await settle(bench, dirty, intent, own, late=True)
        await _onward(bench, dirty)
    elif intent.target:
        await _dropped(bench, dirty)  # it was created, and deleted since
    elif able.creating is Creating.NATURAL or (alive and able.creating in (Creating.POINTER, Creating.REFUSE)):
        await _resend(bench, dirty, intent, None)
    elif bench.now() >= max(intent.at + able.lag + SETTLING, dirty.known.link.due):
        if findable(bench, intent):
            await _resend(bench, dirty, intent, None)
        else:
            await lost(bench, dirty, intent)
    else:
        guard = ValueChange(f"unknown/{intent.side}/{dirty.known.link.id}", intent.model_dump_json())
        await bench.ledger.write([guard])


async def _resend(bench: Bench, dirty: Dirty, intent: Intent, record: Record | None) -> None:
    """Send it again, once it is due, with the same key."""
    if bench.now() < dirty.known.link.due:
        return
    again = intent.model_copy(
        update={
            "state": "sent",
            "attempt": intent.attempt + 1,
            "version": record.version if record is not None else intent.version,
        }
    )
    if intent.attempt >= bench.pair.retry.attempts:
        await _exhausted(bench, dirty, intent)
        return

    def sent(link: Link) -> Link:
        return link.model_copy(update={"intents": [again, *link.intents[1:]]})

    await write_through(bench, dirty, sent)
    if await send_all(bench, dirty):
        await _onward(bench, dirty)


async def _exhausted(bench: Bench, dirty: Dirty, intent: Intent) -> None:
    """It got no answer each time that it was sent."""
    if intent.op == "create":
        await lost(bench, dirty, intent)
        return

    def tried(link: Link) -> Link:
        return link.model_copy(update={"intents": [], "attempts": bench.pair.retry.attempts})

    await write_through(bench, dirty, tried)
    error = Unclear(f"{intent.op} {intent.target} got no answer in {intent.attempt} attempts")
    await attempt(bench, dirty, intent.side, error, intent.fields)


async def _dropped(bench: Bench, dirty: Dirty) -> None:
    """Forget the intents, and plan anew from what both sides have now."""

    def without(link: Link) -> Link:
        return link.model_copy(update={"intents": [], "due": bench.now() or 1e-9})

    await write_through(bench, dirty, without)
    await _onward(bench, dirty)


async def _onward(bench: Bench, dirty: Dirty) -> None:
    """Go on with a link that has no open write any more."""
    if dirty.known.link.intents:
        if await send_all(bench, dirty):
            await _onward(bench, dirty)
        return
    if dirty.known.link.state == "dead":
        return
    for side in _SIDES:
        if dirty.record(side) is None and not await _seen(bench, dirty, side):
            return
    await carry_out(bench, dirty)


async def _seen(bench: Bench, dirty: Dirty, side: Side) -> bool:
    known = dirty.known.link.a if side == "a" else dirty.known.link.b
    return known is None or await look(bench, dirty, side)


def _holds(bench: Bench, intent: Intent, record: Record) -> bool:
    """Whether a record has what was to be written, or what means the same."""
    if all(record.fields.get(name) == value for name, value in intent.fields.items()):
        return True
    if intent.op != "update":
        return False
    for unit in bench.pair.units:
        names = [name for name in (unit.a if intent.side == "a" else unit.b) if name in intent.fields]
        same = unit.same_a if intent.side == "a" else unit.same
        sent, found = ({name: each.get(name) for name in names} for each in (intent.fields, record.fields))
        if names and not same(sent, found):
            return False
    return True


_SIDES: tuple[Side, Side] = ("a", "b")
