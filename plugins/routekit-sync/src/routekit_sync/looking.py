"""Looking: records that are read again, in as few calls as can be; what is missing then is asked for by itself."""

from collections.abc import Sequence

from routekit.remotes import Forbidden, Record, Unclear

from .bench import Bench, Dirty, shadow
from .executing import resting
from .ledger import Known, Saving, ids
from .merging import merge
from .sifting import read
from .units import Side

_SIDES: tuple[Side, Side] = ("a", "b")


async def looked_at(bench: Bench, links: Sequence[Known]) -> list[Dirty]:
    """Links with both their records as they are now, read in as few calls as can be."""
    found = {each.link.id: Dirty(each) for each in links}
    for side in _SIDES:
        names = {kept.id: each.link.id for each in links if (kept := shadow(each.link, side)) and kept.present}
        if not names:
            continue
        records = await read(bench, side, list(names))
        for own, link in names.items():
            if own in records:
                found[link].saw(side, records[own])
        missing = [own for own in names if own not in records]
        await suspected(bench, side, missing)
    whole = [each for each in found.values() if _seen(each)]
    if len(whole) == len(found):
        return whole
    again = await bench.ledger.many([each.known.link.id for each in whole])
    return [each for each in whole if again.get(each.known.link.id) == each.known]


async def look_first(bench: Bench, batch: Sequence[Dirty]) -> None:
    """Read, in as few calls as can be, the records that are about to be written where the side checks nothing."""
    for side in _SIDES:
        able = bench.abilities(side)
        wanted: dict[str, Dirty] = {}
        for dirty in batch:
            kept = shadow(dirty.known.link, side)
            if kept is None or not kept.present or dirty.record(side) is not None or resting(dirty.known.link):
                continue
            if bench.rehearsal is not None or not able.compare_and_set or kept.version is None:
                wanted[kept.id] = dirty
        if len(wanted) < 2 or able.batch < 2:
            continue
        for own, record in (await read(bench, side, list(wanted))).items():
            if own in wanted:
                wanted[own].saw(side, record)


def _seen(dirty: Dirty) -> bool:
    """Whether each record that a link has was read."""
    return all(
        (kept := shadow(dirty.known.link, side)) is None or not kept.present or dirty.record(side) is not None
        for side in _SIDES
    )


async def suspected(bench: Bench, side: Side, missing: Sequence[str], *, stamp: float | None = None) -> None:
    """Records that were not given when they were asked for: each is asked for by itself, which gives a certain answer.

    Those that are gone are noted, and dealt with when the deletions are counted; those that may not be seen are left.
    """
    if not missing:
        return
    known = await bench.ledger.linked(side, missing)
    for own, found in known.items():
        kept = shadow(found.link, side)
        if kept is None or kept.id != own or found.link.state in ("dead", "parked") or side in found.link.gone:
            continue
        try:
            record = await bench.calls(side).get(own)
        except (Forbidden, Unclear):
            bench.go_on()
            await _unseen(bench, found)
            continue
        if record is not None and not record.deleted and record.id == own:
            continue
        if record is None and bench.abilities(side).tombstones:
            await _unseen(bench, found)  # deletions are told there, and none was
            continue
        await _noted(bench, side, found, record)


async def _unseen(bench: Bench, known: Known) -> None:
    """A record that may not be seen is not gone: the link waits."""
    if known.link.due:
        later = known.link.model_copy(update={"due": bench.now() + bench.pair.retry.longest})
        await bench.save(known, later)


async def _noted(bench: Bench, side: Side, known: Known, record: Record | None) -> None:
    if record is not None and (record.merged_into or not record.deleted):
        await merge(bench, side, ids(known.link, side)[0], record.merged_into or record.id, stamp=record.stamp)
        return
    gone = {**known.link.gone, side: record.stamp if record else None}
    after = known.link.model_copy(update={"gone": gone, "due": known.link.due or bench.now() or 1e-9})
    await bench.ledger.save(Saving(known, after))
