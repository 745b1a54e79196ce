"""Sifting: which of the records that a side reports concern a link, which are new, and which say nothing new."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from routekit import ValueChange
from routekit.remotes import Forbidden, Record, Unclear

from .bench import Bench, Dirty, shadow
from .ledger import Known, Saving, digest
from .merging import merge
from .pair import SyncPair
from .state import Link, Shadow
from .units import Side


@dataclass(slots=True)
class Sifted:
    """The records of one page."""

    dirty: list[Dirty] = field(default_factory=list[Dirty])
    """Links of which a record was reported otherwise than before."""
    loose: list[Record] = field(default_factory=list[Record])
    """Records of no link."""


async def sift(bench: Bench, side: Side, records: Sequence[Record], *, sure: bool = False) -> Sifted:
    """Compare records with what is known of them: one look into the ledger for all of them.

    What may come from an index that lags is read again, unless it is `sure` to be as it is now. Deletions are noted,
    and carried out later; versions that moved alone are noted at once.
    """
    bench.summary.scanned += len(records)
    latest = {each.id: each for each in records}
    known = await bench.ledger.linked(side, list(latest))
    page = _Page(bench, side, sure, Sifted())
    for record in latest.values():
        page.sort(known.get(record.id), record)
    await page.finish()
    return page.sifted


@dataclass(slots=True)
class _Page:
    bench: Bench
    side: Side
    sure: bool
    sifted: Sifted
    savings: list[Saving] = field(default_factory=list[Saving])
    doubtful: list[str] = field(default_factory=list[str])
    merged: list[Record] = field(default_factory=list[Record])

    def sort(self, known: Known | None, record: Record) -> None:
        if record.deleted and record.merged_into:
            self.merged.append(record)
        elif known is None:
            if not record.deleted:
                self.sifted.loose.append(record)
        elif self.bench.mine(known.link.id):
            self._of_link(known, record)

    def _of_link(self, known: Known, record: Record) -> None:
        link, kept = known.link, shadow(known.link, self.side)
        if kept is None or kept.id != record.id:
            return  # a late word of an id that the record had before
        if link.state == "dead":
            self._of_dead(known, kept, record)
        elif record.deleted:
            self._deleted(known, kept, record)
        elif self.side in link.gone or not kept.present:
            self._again(known, record)
        elif link.state == "parked":
            return  # a person has to look at it, and then it is read again
        elif link.given_up:
            self._given_up(known, record)
        elif not unchanged(self.bench.pair, self.side, record, link):
            self._changed(known, kept, record)
        elif record.version != kept.version:
            newer = kept.model_copy(update={"version": record.version, "stamp": record.stamp})
            self.savings.append(Saving(known, link.model_copy(update={self.side: newer})))

    def _of_dead(self, known: Known, kept: Shadow, record: Record) -> None:
        if record.deleted or kept.present:
            return
        if self.sure:
            self._again(known, record)
        else:
            self.doubtful.append(record.id)

    def _deleted(self, known: Known, kept: Shadow, record: Record) -> None:
        if not kept.present or self.side in known.link.gone:
            return
        if record.stamp is not None and kept.stamp is not None and record.stamp < kept.stamp:
            return  # it was brought back since
        gone = {**known.link.gone, self.side: record.stamp}
        update = {"gone": gone, "due": known.link.due or self.bench.now()}
        self.savings.append(Saving(known, known.link.model_copy(update=update)))

    def _given_up(self, known: Known, record: Record) -> None:
        """A link in quarantine is tried again once one of its records says something else."""
        pair, side, kept = self.bench.pair, self.side, shadow(known.link, self.side)
        moved = kept is None or record.version != kept.version or not unchanged(pair, side, record, known.link)
        if moved and said(pair, side, record) not in known.link.given_up:
            free = released(known)
            gone = ValueChange(f"quarantine/{known.link.id}", None)
            self.savings.append(Saving(known, free.link, [gone]))
            self._dirty(Known(free.link, known.version + 1), record)

    def _again(self, known: Known, record: Record) -> None:
        """A record that was reported deleted is there: since when?"""
        if not self.sure:
            self.doubtful.append(record.id)
            return
        deleted = known.link.gone.get(self.side)
        if deleted is not None and (record.stamp is None or record.stamp <= deleted):
            return  # as it was: the system shows deleted records
        self._dirty(revived(known, self.side), record)

    def _changed(self, known: Known, kept: Shadow, record: Record) -> None:
        late = record.stamp is not None and kept.stamp is not None and record.stamp <= kept.stamp
        same = record.version is not None and (record.version, record.stamp) == (kept.version, kept.stamp)
        if late and not same and not self.sure:
            self.doubtful.append(record.id)
        else:
            self._dirty(known, record)

    def _dirty(self, known: Known, record: Record) -> None:
        found = Dirty(known)
        found.saw(self.side, record)
        self.sifted.dirty.append(found)

    async def finish(self) -> None:
        bench = self.bench
        await bench.ledger.save(*self.savings)
        for record in self.merged:
            await merge(bench, self.side, record.id, record.merged_into or "", stamp=record.stamp)
        if self.merged and self.sifted.loose:  # one of them may have taken over a link just now
            linked = await bench.ledger.linked(self.side, [each.id for each in self.sifted.loose])
            self.sifted.loose = [each for each in self.sifted.loose if each.id not in linked]
        if self.doubtful:
            again = await read(bench, self.side, self.doubtful)
            bench.summary.scanned -= len(again)
            more = await sift(bench, self.side, list(again.values()), sure=True)
            self.sifted.dirty += more.dirty
            self.sifted.loose += more.loose


async def read(bench: Bench, side: Side, ids: Sequence[str]) -> dict[str, Record]:
    """Those of the records that there are, as they are now, by the id that was asked for; others say nothing."""
    wanted = list(dict.fromkeys(ids))
    try:
        return await bench.calls(side).many(wanted)
    except (Forbidden, Unclear):
        if bench.halted is not None:
            raise
        return await _one_by_one(bench, side, wanted)


async def _one_by_one(bench: Bench, side: Side, wanted: Sequence[str]) -> dict[str, Record]:
    """So that one that fails, or may not be seen, stops no other."""
    found: dict[str, Record] = {}
    for each in wanted:
        bench.go_on()
        with suppress(Forbidden, Unclear):
            record = await bench.calls(side).get(each)
            if record is not None and not record.deleted:
                found[record.id] = record
    return found


def tracked(pair: SyncPair, side: Side) -> set[str]:
    """The fields of a side that the pair looks at."""
    return {name for unit in pair.units for name in (unit.a if side == "a" else unit.b)}


def unchanged(pair: SyncPair, side: Side, record: Record, link: Link) -> bool:
    """Whether a record is reported as it was before, and is as far in scope as its link."""
    kept = shadow(link, side)
    if kept is None or in_scope(pair, side, record) is (link.state == "outside"):
        return False
    fields = kept.fields
    return all(
        name not in record.fields or (name in fields and fields[name] == record.fields[name])
        for name in tracked(pair, side)
    )


def in_scope(pair: SyncPair, side: Side, record: Record) -> bool | None:
    """Whether a record is kept in step; None if there is no scope, or it cannot tell of this one."""
    scope = pair.scope_a if side == "a" else pair.scope_b
    if scope is None:
        return None
    try:
        return bool(scope(record))
    except Exception:  # a function of the user: what it cannot tell of stops no other record
        return None


def said(pair: SyncPair, side: Side, record: Record) -> str:
    """A digest of what a record says to the pair, for links in quarantine."""
    told = {name: record.fields[name] for name in sorted(tracked(pair, side)) if name in record.fields}
    return digest(side, record.version, record.stamp, repr(told))


def released(known: Known) -> Known:
    """A link out of quarantine, to be tried again."""
    update = {"given_up": "", "attempts": 0}
    return Known(known.link.model_copy(update=update), known.version)


def revived(known: Known, side: Side) -> Known:
    """A link of which a deleted record is there again."""
    link = known.link
    kept = shadow(link, side)
    update: dict[str, object] = {"gone": {each: at for each, at in link.gone.items() if each != side}, "why": ""}
    if kept is not None:
        update[side] = kept.model_copy(update={"present": True})
    back = link.model_copy(update=update)
    return Known(back.model_copy(update={"state": living(back)}), known.version)


def living(link: Link) -> str:
    """The state of a link that goes on."""
    there = [each for each in (link.a, link.b) if each is not None and each.present]
    return "linked" if len(there) == 2 else "half"


def together(found: Iterable[Dirty]) -> dict[str, Dirty]:
    """What both sides have reported of a link, as one."""
    joined: dict[str, Dirty] = {}
    for each in found:
        first = joined.setdefault(each.known.link.id, each)
        if first is not each:
            first.a, first.b = first.a or each.a, first.b or each.b
    return joined
