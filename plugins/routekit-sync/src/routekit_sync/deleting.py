"""Deleting: records that are gone. They are counted first: too many at once wait for a person."""

from routekit import ValueChange
from routekit.remotes import Forbidden, Record

from .bench import Bench, Dirty, opposite, shadow
from .discovering import due
from .executing import carry_out
from .failing import isolated
from .kept import Held
from .ledger import Known, document
from .sifting import revived
from .units import Side

_SIDES: tuple[Side, Side] = ("a", "b")


async def delete(bench: Bench) -> None:
    """Deal with the links of which a record is gone, unless they are more than the brake lets pass."""
    count = 0
    async for batch in due(bench):
        count += sum(_going(known) for known in batch)
    if await _braked(bench, count):
        return
    async for batch in due(bench):
        for known in batch:
            if _going(known):
                bench.go_on()
                dirty = Dirty(known)
                await isolated(bench, dirty, _gone(bench, dirty))


def _going(known: Known) -> bool:
    link = known.link
    return bool(link.gone) and link.state not in ("dead", "parked") and not link.intents and not link.given_up


async def _braked(bench: Bench, count: int) -> bool:
    """Whether so many deletions have to wait; the first time, a person is told. All at once are always too many."""
    held = await bench.ledger.held()
    brake = bench.pair.brake
    links = await _links(bench) if count > 1 else 0
    few = count <= max(brake.count, brake.ratio * links) and not 1 < links <= count
    if few or count <= (held.allowed if held else 0):
        if held is not None:
            await bench.ledger.write([ValueChange(bench.ledger.place("held"), None)])
        return False
    bench.summary.held = count
    if held is None:
        bench.alert(f"{count} records are gone at once: nothing is deleted until a person has looked")
    kept = Held(count=count, since=held.since if held else bench.now(), allowed=0)
    if held is None or held.count != count or held.allowed:
        await bench.ledger.write([document(bench.ledger.place("held"), kept)])
    return True


async def _links(bench: Bench) -> int:
    count = 0
    async for known in bench.ledger.links():
        count += known.link.state != "dead"
    return count


async def _gone(bench: Bench, dirty: Dirty) -> None:
    """Ask both sides once more, as an edit on the other one counts, and then plan what the deletion means."""
    known = dirty.known
    for side in _SIDES:
        kept = shadow(known.link, side)
        if kept is None:
            continue
        if not kept.present:
            dirty.saw(side, Record(kept.id, deleted=True))
            continue
        try:
            record = await bench.calls(side).get(kept.id)
        except Forbidden:
            await _hidden(bench, known, side)
            return
        if record is not None and record.id != kept.id:
            record = None
        dirty.saw(side, _certain(known, side, kept.id, record))
    if bench.rehearsal is None and not any(_is_gone(dirty, side) for side in known.link.gone):
        await _back(bench, dirty)
        return
    await carry_out(bench, dirty, deleting=True)


def _certain(known: Known, side: Side, id: str, record: Record | None) -> Record:
    """What is certain of a record: one that is shown as it was before its deletion is deleted."""
    if record is None or record.deleted:
        return Record(id, deleted=True, stamp=record.stamp if record else None)
    told = known.link.gone.get(side)
    if side in known.link.gone and told is not None and (record.stamp is None or record.stamp <= told):
        return Record(id, deleted=True, stamp=told)
    return record


def _is_gone(dirty: Dirty, side: Side) -> bool:
    record = dirty.record(side)
    return record is not None and record.deleted


async def _back(bench: Bench, dirty: Dirty) -> None:
    """What was gone is there: the link goes on."""
    known = dirty.known
    for side in list(known.link.gone):
        known = revived(known, side)
    dirty.known = await bench.save(dirty.known, known.link)
    await carry_out(bench, dirty)


async def _hidden(bench: Bench, known: Known, side: Side) -> None:
    """It may not be seen any more, which says nothing of whether it is there: it is asked again later."""
    if side in known.link.gone or opposite(side) in known.link.gone:
        due_again = bench.now() + bench.pair.retry.longest
        await bench.save(known, known.link.model_copy(update={"due": due_again}))
