"""Discovering: the links that a cycle has to look at, a batch at a time, so that memory does not grow with the pair.

Both sides are read in step, so that what has changed on both is seen at once. A cursor moves after the batch that
leads up to it has been worked at; what could not be done by then is kept as due.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from routekit.remotes import Feed, FeedExpired, Record

from .bench import Bench, Dirty, shadow
from .kept import Cursor
from .ledger import Known, Saving
from .linking import keep
from .looking import suspected
from .reading import Ids, Look, anew, everything, feed
from .sifting import read, sift, together
from .units import Side

BATCH = 500
"""Links that are worked at before the cursors move."""

PAGES = 20
"""Pages that are read before the cursors move."""

_SIDES: tuple[Side, Side] = ("a", "b")


@dataclass(slots=True)
class Scanned:
    """What a reading of everything has seen, for each side: the ids of all records."""

    ids: dict[Side, Ids] = field(default_factory=dict[Side, Ids])


async def changed(bench: Bench, *, full: bool, scanned: Scanned) -> AsyncGenerator[list[Dirty]]:
    """Links of which a record has changed, as the feeds tell, or a comparison of all records."""
    readers = {side: _Reader(bench, side, full, scanned) for side in _SIDES}
    try:
        while readers:
            batch: list[Dirty] = []
            for side, reader in list(readers.items()):
                batch += await reader.some()
                if reader.done:
                    del readers[side]
            yield await ripe(bench, together(batch).values())
            for side in _SIDES:
                reader = readers.get(side)
                if reader is not None:
                    await reader.move()
            await bench.ledger.renew()
    finally:
        for reader in readers.values():
            await reader.close()


class _Reader:
    """One side while it is read."""

    def __init__(self, bench: Bench, side: Side, full: bool, scanned: Scanned) -> None:
        self._bench = bench
        self._side: Side = side
        self._full = full
        self._scanned = scanned
        self._looks = self._read()
        self._cursor: Cursor | None = None
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether the side has been read, and its cursor has been moved."""
        return self._ended and self._cursor is None

    async def some(self) -> list[Dirty]:
        """The links that some more records concern."""
        found: list[Dirty] = []
        for _ in range(PAGES):
            if len(found) >= BATCH or self._ended:
                break
            look = await anext(self._looks, None)
            if look is None:
                self._ended = True
                break
            found += await self._sifted(look.records)
            self._cursor = look.cursor or self._cursor
            self._bench.tell(f"reading {self._side}")
        return found

    async def move(self) -> None:
        """Remember how far the side has been read."""
        if self._cursor is None:
            return
        offset = self._bench.calls(self._side).offset
        if offset is not None:
            update = {"offset": offset.ahead, "uncertainty": offset.uncertainty}
            self._cursor = self._cursor.model_copy(update=update)
        await self._bench.ledger.move(self._side, self._cursor)
        self._cursor = None

    async def close(self) -> None:
        """Stop reading."""
        await self._looks.aclose()

    async def _sifted(self, records: Sequence[Record]) -> list[Dirty]:
        if not records:
            return []
        page = await sift(self._bench, self._side, records)
        await keep(self._bench, self._side, page.loose)
        return page.dirty

    async def _read(self) -> AsyncGenerator[Look]:
        bench, side = self._bench, self._side
        calls, cursor = bench.calls(side), await bench.ledger.cursor(side)
        first = not cursor.complete
        if calls.abilities.feed is not Feed.NONE:
            async with aclosing(self._feed(cursor)) as looks:
                async for look in looks:
                    cursor = look.cursor or cursor
                    yield look
            if first and not self._full:
                yield Look((), cursor.model_copy(update={"swept": bench.now()}))
                return
        due = bench.now() - cursor.swept >= bench.pair.sweep
        if side not in self._scanned.ids and (self._full or due or calls.abilities.feed is Feed.NONE):
            seen = Ids()
            async with aclosing(everything(calls, seen)) as pages:
                async for records in pages:
                    yield Look(records)
            self._scanned.ids[side] = seen
            cursor = await bench.ledger.cursor(side) if self._cursor is None else self._cursor
            yield Look((), cursor.model_copy(update={"swept": bench.now(), "complete": True, "obtained": bench.now()}))

    async def _feed(self, cursor: Cursor) -> AsyncGenerator[Look]:
        """The feed; one that has forgotten its token is begun anew, and everything is compared."""
        bench, calls = self._bench, self._bench.calls(self._side)
        try:
            async with aclosing(feed(calls, cursor, bench.now)) as looks:
                async for look in looks:
                    yield look
        except FeedExpired:
            seen = Ids()  # what was deleted meanwhile is found by a comparison alone
            async with aclosing(feed(calls, anew(cursor), bench.now)) as looks:
                async for look in looks:
                    seen.add(each.id for each in look.records if not each.deleted)
                    yield look
            self._scanned.ids[self._side] = seen


async def hinted(bench: Bench, hints: Iterable[tuple[Side, str]]) -> list[Dirty]:
    """The links of records that somebody says have changed; order, doubles and lies make no difference."""
    found: list[Dirty] = []
    told = list(hints)
    for side in _SIDES:
        wanted = sorted({own for each, own in told if each == side})
        records = await read(bench, side, wanted) if wanted else {}
        page = await sift(bench, side, list(records.values()), sure=True) if records else None
        if page is not None:
            await keep(bench, side, page.loose)
            found += page.dirty
        missing = [each for each in wanted if each not in records]
        await suspected(bench, side, missing)
    return await ripe(bench, together(found).values())


async def ripe(bench: Bench, found: Iterable[Dirty]) -> list[Dirty]:
    """Those that can be worked at now. Half ones are due when both sides have been read: their match may come yet."""
    ripe: list[Dirty] = []
    savings: list[Saving] = []
    for each in found:
        link = each.known.link
        if link.state != "half" or (link.a is not None and link.b is not None):
            ripe.append(each)
        elif not link.due:
            savings.append(Saving(each.known, link.model_copy(update={"due": bench.now() or 1e-9})))
    await bench.ledger.save(*savings)
    return ripe


async def due(bench: Bench, *, only: Collection[str] = ()) -> AsyncGenerator[list[Known]]:
    """Links that are due without a report: tried again, half, or waiting for a parent."""
    batch: list[str] = []
    async for own, at in bench.ledger.todo():
        if at <= bench.now() and bench.mine(own) and (not only or own in only):
            batch.append(own)
        if len(batch) >= BATCH:
            yield await _known(bench, batch)
            batch = []
    if batch:
        yield await _known(bench, batch)


async def _known(bench: Bench, wanted: Sequence[str]) -> list[Known]:
    return [each for each in (await bench.ledger.many(wanted)).values() if each.link.due or each.link.intents]


async def absent(bench: Bench, side: Side, seen: Ids) -> None:
    """Find the records that a reading of everything did not have, and a second one has not either.

    Being absent from a list is no proof: what remains is asked for one by one, unless it is so much that a person
    has to look at it first.
    """
    missing = [own async for own, _ in bench.ledger.under(f"{side}/") if own not in seen]
    missing = await _living(bench, side, missing)
    if not missing:
        return
    second = Ids()
    async with aclosing(everything(bench.calls(side), second, fields=False)) as pages:
        async for _ in pages:
            pass
    missing = [own for own in missing if own not in second]
    await _gone(bench, side, missing)


async def _living(bench: Bench, side: Side, missing: Sequence[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(missing), BATCH):
        known = await bench.ledger.linked(side, missing[start : start + BATCH])
        for own, each in known.items():
            kept = shadow(each.link, side)
            if each.link.state == "dead" or side in each.link.gone or not bench.mine(each.link.id):
                continue
            if kept is not None and kept.id == own and kept.present:
                found.append(own)
    return found


async def _gone(bench: Bench, side: Side, missing: Sequence[str]) -> None:
    """Note that these are gone; whether each is, is asked when it is dealt with."""
    now = bench.now() or 1e-9
    for start in range(0, len(missing), BATCH):
        known = await bench.ledger.linked(side, missing[start : start + BATCH])
        savings = [
            Saving(each, each.link.model_copy(update={"gone": {**each.link.gone, side: None}, "due": now}))
            for each in known.values()
        ]
        await bench.ledger.save(*savings)
