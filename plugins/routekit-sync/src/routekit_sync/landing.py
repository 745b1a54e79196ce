"""Landing: what is known of a write, or of a look, becomes part of the link; what others wrote meanwhile stays."""

from collections.abc import Callable
from typing import Any

from routekit.remotes import Busy, Gone, Record, RemoteError, Unclear, Unsent

from . import planning
from .bench import Bench, Dirty, opposite, shadow
from .failing import attempt, postponed
from .indexing import unkeyed
from .ledger import Changed, Known, Saving, digest
from .merging import merge
from .plans import LinkPlan
from .state import Intent, Link
from .units import Side


async def look(bench: Bench, dirty: Dirty, side: Side) -> bool:
    """Read a record as it is now. False if it is not there, or not to be seen: that is dealt with."""
    known = shadow(dirty.known.link, side)
    if known is None:
        return False
    try:
        record = await bench.calls(side).get(known.id)
    except (Unsent, Unclear, Busy):
        await postponed(bench, dirty)
        return False
    except RemoteError as error:
        await attempt(bench, dirty, side, error, {})
        return False
    if record is None or record.deleted:
        await gone(bench, dirty, side, record)
        return False
    if record.id != known.id:
        await merge(bench, side, known.id, record.id)
        return await again(bench, dirty)
    dirty.saw(side, record)
    return True


async def gone(bench: Bench, dirty: Dirty, side: Side, record: Record | None) -> None:
    """A record is not there any more: that is dealt with when the deletions of the cycle are counted.

    Where deletions are told, one that was not told is none yet: it may be out of sight.
    """
    told = record is not None and (record.stamp is not None or record.merged_into)
    if not told and bench.abilities(side).tombstones:
        why = "it is not there, though no deletion was told: it may be out of sight"
        await attempt(bench, dirty, side, Gone(why), {})
        return
    if record is not None and record.merged_into:
        known = shadow(dirty.known.link, side)
        link = dirty.known.link.model_copy(update={"intents": []})
        dirty.known = await bench.save(dirty.known, link)
        await merge(bench, side, known.id if known else record.id, record.merged_into, stamp=record.stamp)
        return
    link = dirty.known.link
    update: dict[str, Any] = {
        "gone": {**link.gone, side: record.stamp if record else None},
        "due": bench.now() or 1e-9,
        "intents": [],
    }
    dirty.known = await bench.save(dirty.known, link.model_copy(update=update))


async def again(bench: Bench, dirty: Dirty) -> bool:
    """Read the link again, as somebody else has written it."""
    found = await bench.ledger.link(dirty.known.link.id)
    if found is None:
        return False
    dirty.known = found
    return True


async def settle(
    bench: Bench,
    dirty: Dirty,
    intent: Intent,
    answer: Record | None,
    made: LinkPlan | None = None,
    *,
    late: bool = False,
) -> bool:
    """A write is done: both shadows move and its intent goes, in one transaction. False if the link was changed.

    `late`: the record of a create was found later than it was made, and may have been edited since.
    """
    now = bench.now()
    late = late or (intent.attempt > 0 and not bench.abilities(intent.side).answers)

    def after(link: Link) -> Link:
        done = planning.settled(link, intent, answer, bench.pair, now=now, late=late)
        update: dict[str, Any] = {
            "writes": [*(each for each in link.writes if now - each < bench.pair.breaker.seconds), now][-50:],
            "written": [*link.written, digest(intent.side, intent.fields)][-12:],
        }
        if intent.op == "create":
            update["gone"] = {each: at for each, at in link.gone.items() if each != intent.side}
            update["due"] = now or 1e-9 if _left_out(bench, intent) else 0.0
        if done.intents:
            update["intents"] = [done.intents[0].model_copy(update={"state": "sent"}), *done.intents[1:]]
        if done.state == "linked":
            update["why"] = ""
        if made is not None and made.waits_for:
            update["due"] = now or 1e-9
        return done.model_copy(update=update)

    await write_through(bench, dirty, after, keys=intent.op == "create")
    source = dirty.record(opposite(intent.side))
    stamp = source.stamp if source is not None else None
    offset = bench.calls(opposite(intent.side)).offset
    lag = None if stamp is None else now - (stamp - (offset.ahead if offset else 0.0))
    bench.summary.wrote(intent.op, intent.side, lag)
    if answer is not None:
        dirty.saw(intent.side, answer)
    return True


def _left_out(bench: Bench, intent: Intent) -> bool:
    """Whether a create may have left out a reference, which is written once its record is there."""
    return any(unit.name in bench.pair.parents and unit.name not in intent.units for unit in bench.pair.units)


async def write_through(bench: Bench, dirty: Dirty, change: Callable[[Link], Link], *, keys: bool = False) -> None:
    """Write a link, changed; if somebody else has written it meanwhile, what he wrote is kept beside it."""
    for _ in range(5):
        link = change(dirty.known.link)
        extra = await unkeyed(bench.ledger, dirty.known.link) if keys and dirty.known.link.keys else []
        if keys:
            link = link.model_copy(update={"keys": []})
        try:
            await bench.ledger.save(Saving(dirty.known, link, extra))
        except Changed:
            if not await again(bench, dirty):
                raise
            continue
        dirty.known = Known(link, dirty.known.version + 1)
        return
    raise Changed(f"link {dirty.known.link.id} is changed again and again")
