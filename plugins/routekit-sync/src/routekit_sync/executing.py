"""Executing: what one link needs is planned and carried out, each write kept before it is sent and read back after.

A write's outcome is always known from what is kept: an intent that is there was perhaps sent, one that is not was
not, or is done. What fails concerns its own link; a side that is down or busy ends the cycle.

It is longer than others, as this is the one page that says what follows from each outcome of a write.
"""

from dataclasses import replace

from routekit.remotes import (
    Busy,
    Forbidden,
    Gone,
    Record,
    Refused,
    RemoteError,
    Stale,
    Taken,
    Unclear,
    Unsent,
)  # fmt: skip

from . import planning
from .adopting import adopt
from .bench import Bench, Dirty, shadow
from .circles import circular
from .converting import parents_of
from .deciding import decisions
from .failing import alternating, attempt, backoff, parked, postponed, too_often
from .landing import again, gone, look, settle, write_through
from .learning import count, disputed, frozen, news, noticed, unlinked
from .ledger import Changed, Known, Saving, digest
from .plans import LinkPlan, Write
from .sifting import tracked
from .state import Intent, Link
from .units import Side

_SIDES: tuple[Side, Side] = ("a", "b")

ROUNDS = 4
"""How often a link is planned anew in one cycle, as something had changed meanwhile."""


async def carry_out(bench: Bench, dirty: Dirty, *, deleting: bool = False) -> None:
    """Bring one link in step, as far as it can be; in a rehearsal, only say what would be done.

    A link of which a record is gone is left alone unless `deleting`: its reports say then which one it is.
    """
    rounds = 0
    while rounds < ROUNDS:
        if bench.halted is not None or resting(dirty.known.link) or (dirty.known.link.gone and not deleting):
            return
        if not await _met(bench, dirty):
            return
        asked = await plan(bench, dirty)
        if bench.rehearsal is not None:
            if not await _rehearsed(bench, dirty, asked):
                return
            rounds += 1
            continue
        try:
            more = await _step(bench, dirty, asked)
        except Changed:
            more = await again(bench, dirty)
        if not more:
            return
        rounds += 1
    await postponed(bench, dirty)


async def _rehearsed(bench: Bench, dirty: Dirty, asked: LinkPlan) -> bool:
    """Say what would be done; true if something was read before, as it would be then: plan again."""
    read = await _look_first(bench, dirty, asked)
    if read is None:
        if asked.link not in bench.rehearsed and bench.rehearsal is not None:
            bench.rehearsal.append(asked)  # it may be due besides, and would be done by then
        if asked.writes:
            bench.rehearsed.add(asked.link)
    return bool(read)


async def _met(bench: Bench, dirty: Dirty) -> bool:
    """Whether both records of a link have been looked at, where its shadows cannot stand for them; else they are.

    They cannot if nothing is known yet, and in a unit that waits for a person: there a shadow is as it was before.
    """
    for side in _SIDES:
        kept = shadow(dirty.known.link, side)
        blind = kept is not None and kept.present and (not kept.fields or bool(dirty.known.link.conflicts))
        if blind and dirty.record(side) is None and not await look(bench, dirty, side):
            return False
    return True


def resting(link: Link) -> bool:
    """Whether there is nothing to plan for a link: it ended, waits for a person, or for what became of a write."""
    return link.state in ("dead", "parked") or bool(link.intents or link.given_up)


async def plan(bench: Bench, dirty: Dirty) -> LinkPlan:
    """What a link needs; a reference within a circle is left for later, so that somebody can be the first."""
    link = dirty.known.link
    parents = await bench.parents(parents_of(link, dirty.a, dirty.b, bench.pair))
    decided = await decisions(bench.ledger, link) if link.conflicts else None
    made = planning.plan(link, dirty.a, dirty.b, bench.pair, clocks=bench.clocks, parents=parents, decided=decided)
    if made.waits_for and not made.writes:
        without = await circular(bench, dirty, made.waits_for)
        if without:
            first = planning.plan(
                link, dirty.a, dirty.b, bench.pair,
                clocks=bench.clocks, parents=parents, decided=decided, without=without,
            )  # fmt: skip
            if first.writes:  # a record that is there already waits for its reference
                return replace(first, why=first.why or f"{', '.join(sorted(without))} follows later")
    return made


async def _step(bench: Bench, dirty: Dirty, made: LinkPlan) -> bool:
    """Carry out one plan; true if the link has to be planned again."""
    read = await _look_first(bench, dirty, made)
    if read is not None:
        return read
    count(bench, made)
    link = noticed(bench, dirty, made)
    if not made.writes:
        await _nothing(bench, dirty, made, link)
        return False
    stopped = too_often(bench, link) or alternating(bench, link, made)
    if stopped:
        await parked(bench, dirty, stopped)
        return False
    intents = [_intent(bench, dirty, write, place) for place, write in enumerate(made.writes)]
    link = link.model_copy(update={"intents": [intents[0].model_copy(update={"state": "sent"}), *intents[1:]]})
    extra = disputed(bench, dirty, made)
    link = frozen(link, made, dirty)
    await bench.ledger.save(Saving(dirty.known, link, extra))
    dirty.known = Known(link, dirty.known.version + 1)
    return await send_all(bench, dirty, made)


async def _look_first(bench: Bench, dirty: Dirty, made: LinkPlan) -> bool | None:
    """Read what is about to be written, where the side could not tell that it has changed; None if there is no need."""
    for write in made.writes:
        known = shadow(dirty.known.link, write.side)
        if write.op == "create" or known is None or dirty.record(write.side) is not None:
            continue
        checked = bench.abilities(write.side).compare_and_set and known.version is not None
        if checked and bench.rehearsal is None:  # a rehearsal is not told by the write that it was wrong
            continue
        return await look(bench, dirty, write.side)
    return None


async def _nothing(bench: Bench, dirty: Dirty, made: LinkPlan, link: Link) -> None:
    """There is nothing to write: what was learned is kept, if it is news."""
    if made.verdict == "unlink":
        link = unlinked(link, made)
    link = frozen(link, made, dirty)
    extra = disputed(bench, dirty, made)
    if extra or news(dirty.known, link):
        await bench.ledger.save(Saving(dirty.known, link, extra))
        dirty.known = Known(link, dirty.known.version + 1)


def _intent(bench: Bench, dirty: Dirty, write: Write, place: int) -> Intent:
    link = dirty.known.link
    known, record = shadow(link, write.side), dirty.record(write.side)
    own = digest(link.id, dirty.known.version, place)
    version = record.version if record is not None else known.version if known is not None else None
    return Intent(
        id=own, side=write.side, op=write.op, fields=write.fields, preimage=write.preimage, source=write.source,
        units=list(write.units), version=version, key=digest(bench.pair.name, link.id, own), at=bench.now(),
        target="" if write.op == "create" or known is None else known.id,
    )  # fmt: skip


async def send_all(bench: Bench, dirty: Dirty, made: LinkPlan | None = None) -> bool:
    """Send the intents of a link in their order, the first of which is kept as sent; true: plan again."""
    while dirty.known.link.intents:
        intent = dirty.known.link.intents[0]
        bench.ledger.hold()
        try:
            answer = await _sent(bench, dirty.known.link, intent)
        except RemoteError as error:
            return await _failed(bench, dirty, intent, error)
        except Exception as error:  # a fault of a connector: it concerns this link alone
            return await _broken(bench, dirty, intent, error)
        if not await settle(bench, dirty, intent, answer, made):
            return False
    return _differs(bench, dirty)


async def _sent(bench: Bench, link: Link, intent: Intent) -> Record | None:
    """Send a write and read it back; a failure to read back is `_Unread`."""
    calls = bench.calls(intent.side)
    if intent.op == "delete":
        await calls.delete(intent.target, version=_given(bench, intent))
        return None
    if intent.op == "create":
        name = calls.abilities.external_key
        fields = {**intent.fields, name: link.id} if name else intent.fields
        answer = await calls.create(fields, key=intent.key)
    else:
        answer = await calls.update(intent.target, intent.fields, version=_given(bench, intent), key=intent.key)
    if calls.abilities.answers:
        return answer
    return await _read_back(bench, intent, answer)


def _given(bench: Bench, intent: Intent) -> str | None:
    return intent.version if bench.abilities(intent.side).compare_and_set else None


class _Unread(Unclear):
    """A write was done, and could not be read back: `id` is that of its record."""

    def __init__(self, message: str, id: str) -> None:
        super().__init__(message)
        self.id = id


async def _read_back(bench: Bench, intent: Intent, answer: Record) -> Record:
    try:
        record = await bench.calls(intent.side).get(answer.id)
    except RemoteError as error:
        raise _Unread(f"written, but not read back: {error}", answer.id) from error
    if record is None or record.deleted:
        return Record(answer.id, intent.fields)  # deleted since: that is seen when it is looked at next
    return record


def _differs(bench: Bench, dirty: Dirty) -> bool:
    """Whether what was read back differs from what is known, in fields that were not written: a change over there."""
    for side in _SIDES:
        record, known = dirty.record(side), shadow(dirty.known.link, side)
        if record is None or known is None or record.deleted:
            continue
        names = tracked(bench.pair, side) & record.fields.keys() & known.fields.keys()
        if any(record.fields[name] != known.fields[name] for name in names):
            return True
    return False


async def _failed(bench: Bench, dirty: Dirty, intent: Intent, error: RemoteError) -> bool:
    """A write did not succeed: what is known of its outcome says what follows. True: plan again."""
    side = intent.side
    match error:
        case _Unread():
            bench.summary.failed += 1
            await _unknown(bench, dirty, intent, target=error.id)
            return False
        case Busy() | Unsent():
            bench.summary.failed += not isinstance(error, Busy)
            await postponed(bench, dirty, at_once=isinstance(error, Busy))
            return False
        case Unclear():
            bench.summary.failed += 1
            await _unknown(bench, dirty, intent)
            return False
        case Stale():
            await write_through(bench, dirty, _unsent)
            return await look(bench, dirty, side)
        case Gone():
            await write_through(bench, dirty, _unsent)
            await gone(bench, dirty, side, Record(intent.target, deleted=True, merged_into=error.merged_into))
            return False
        case Refused() if error.fields:
            return await _partly(bench, dirty, intent, error)
        case Taken() if intent.op == "create":
            return await adopt(bench, dirty, intent, error)
        case Forbidden() | _:
            await write_through(bench, dirty, _unsent)
            await attempt(bench, dirty, side, error, intent.fields)
            return False


async def _broken(bench: Bench, dirty: Dirty, intent: Intent, error: Exception) -> bool:
    """A connector failed in a way of its own: nobody knows what was done."""
    bench.summary.failed += 1
    await _unknown(bench, dirty, intent, why=f"{type(error).__name__}: {error}")
    return False


def _unsent(link: Link) -> Link:
    return link.model_copy(update={"intents": []})


async def _partly(bench: Bench, dirty: Dirty, intent: Intent, error: Refused) -> bool:
    """Fields were refused: their units are blocked, the rest is planned again without them."""
    before = dirty.known.link.refused

    def blocked(link: Link) -> Link:
        return planning.refused(_unsent(link), intent, error.fields, bench.pair)

    await write_through(bench, dirty, blocked)
    if dirty.known.link.refused != before:
        return True
    await attempt(bench, dirty, intent.side, error, intent.fields)
    return False


async def _unknown(bench: Bench, dirty: Dirty, intent: Intent, *, target: str = "", why: str = "") -> None:
    """Keep that nobody knows what became of a write; it is looked up before anything else is done to the link."""

    def unknown(link: Link) -> Link:
        first = intent.model_copy(
            update={"state": "unknown", "target": target or intent.target, "attempt": intent.attempt + 1}
        )
        due = bench.now() + backoff(bench, first.attempt)
        return link.model_copy(update={"intents": [first], "due": due, "why": why or link.why})

    await write_through(bench, dirty, unknown)
