"""Adopting: a create whose record is there already, by us or by somebody else."""

from collections.abc import Sequence

from routekit import ValueChange
from routekit.remotes import Creating, Record, Taken

from .bench import Bench, Dirty, opposite
from .failing import attempt, parked
from .indexing import alone, unkeyed
from .landing import look, settle, write_through
from .ledger import Known, Saving
from .linking import join, key_of
from .state import Intent
from .units import Side


async def adopt(bench: Bench, dirty: Dirty, intent: Intent, error: Taken) -> bool:
    """A create was refused, as there is such a record: ours from an earlier try, or one to be linked. True: plan again.

    Which one it is has to be certain: it is named, or it matches; otherwise a person has to say.
    """
    side = intent.side
    resent = intent.attempt > 0
    able = bench.abilities(side)
    if resent and able.creating is Creating.POINTER and len(error.ids) == 1:
        own = await bench.calls(side).get(error.ids[0])
        if own is not None and not own.deleted:
            return await settle(bench, dirty, intent, own, late=True)
    own, found = await looked_up(bench, dirty, intent, error.ids)
    if own is not None:
        return await settle(bench, dirty, intent, own, late=True)
    if len(found) == 1:
        return await joined(bench, dirty, side, found[0])
    if resent and able.creating in (Creating.REFUSE, Creating.POINTER):
        await lost(bench, dirty, intent)
        return False
    await write_through(bench, dirty, lambda link: link.model_copy(update={"intents": []}))
    if found or error.ids:
        named = ", ".join(each.id for each in found) or ", ".join(error.ids)
        await parked(bench, dirty, f"to be confirmed: the other side has it already, as {named}")
    else:
        await attempt(bench, dirty, side, error, intent.fields)
    return False


async def looked_up(
    bench: Bench, dirty: Dirty, intent: Intent, ids: Sequence[str] = ()
) -> tuple[Record | None, list[Record]]:
    """The record of a create, if it certainly is ours, and those that match the link and are free.

    A search that lags may not find it yet.
    """
    side, link = intent.side, dirty.known.link
    calls, able = bench.calls(side), bench.abilities(side)
    if intent.target:
        return await calls.get(intent.target), []
    found: dict[str, Record] = {}
    if able.external_key:
        own = [each for each in await calls.find(able.external_key, link.id) if not each.deleted]
        if len(own) == 1:
            return own[0], []
        found |= {each.id: each for each in own}
    for each in ids:
        record = await calls.get(each)
        if record is not None and not record.deleted:
            if able.external_key and record.fields.get(able.external_key) == link.id:
                return record, []
            found[record.id] = record
    for each in await _natural(bench, intent):
        found[each.id] = each
    matching = [each for each in found.values() if _matches(bench, intent, each)]
    linked = await bench.ledger.linked(side, [each.id for each in matching]) if matching else {}
    return None, [each for each in matching if each.id not in linked or alone(linked[each.id].link)]


def findable(bench: Bench, intent: Intent) -> bool:
    """Whether a record that was created can be looked up: by our id in it, or by a natural key."""
    return bool(bench.abilities(intent.side).external_key or _natural_key(bench, intent))


def _natural_key(bench: Bench, intent: Intent) -> str | None:
    able = bench.abilities(intent.side)
    for rule in bench.pair.match:
        for name in rule.a if intent.side == "a" else rule.b:
            if not rule.review and name in able.findable and intent.fields.get(name) not in (None, ""):
                return name
    return None


async def _natural(bench: Bench, intent: Intent) -> Sequence[Record]:
    """Records with the same natural key as the one that was to be created."""
    name = _natural_key(bench, intent)
    return await bench.calls(intent.side).find(name, intent.fields[name]) if name else ()


def _matches(bench: Bench, intent: Intent, record: Record) -> bool:
    rules = [rule for rule in bench.pair.match if not rule.review]
    keys = [(key_of(rule, intent.side, intent.fields), key_of(rule, intent.side, record.fields)) for rule in rules]
    return any(one is not None and one == other for one, other in keys)


async def joined(bench: Bench, dirty: Dirty, side: Side, record: Record) -> bool:
    """Link the record that is there; what both say is compared as at a first match."""
    link = dirty.known.link
    other = (await bench.ledger.linked(side, [record.id])).get(record.id)
    whole = join(link, side, record, bench.now())
    savings = [Saving(dirty.known, whole, await unkeyed(bench.ledger, link))]
    if other is not None and other.link.id != link.id:
        savings.append(Saving(other, None, await unkeyed(bench.ledger, other.link)))
    await bench.ledger.save(*savings)
    dirty.known = Known(whole, dirty.known.version + 1)
    dirty.saw(side, record)
    bench.summary.linked += 1
    if dirty.record(opposite(side)) is None:
        return await look(bench, dirty, opposite(side))
    return True


async def lost(bench: Bench, dirty: Dirty, intent: Intent) -> None:
    """Nobody can say whether the record was created: a person has to, as a second one must not be made."""
    why = f"unknown outcome: a record may have been created on side {intent.side}, or not"
    guard = ValueChange(f"unknown/{intent.side}/{dirty.known.link.id}", intent.model_dump_json())
    link = dirty.known.link.model_copy(update={"state": "parked", "why": why, "due": 0.0})
    await bench.ledger.save(Saving(dirty.known, link, [guard]))
    dirty.known = Known(link, dirty.known.version + 1)
    bench.summary.parked += 1
    bench.alert(f"link {link.id} is parked: {why}")
