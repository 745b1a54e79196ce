"""Back-fill: all records of both sides are read once in chunks, and then the feeds go on without a gap.

Where each feed will go on is noted before anything is read. A chunk is worked at, and only then is it noted where the
next one begins: who is killed goes on from there. What changes meanwhile is told by the feed, from what was noted at
first, less the overlap; as each link is planned from what it is and was, what is seen twice is written once.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from pydantic import Field

from routekit import ValueChange
from routekit.remotes import Busy, Feed, Page, Record, Refused, RemoteError

from .bench import Bench, Halted
from .discovering import ripe
from .engine import LEASE, Engine
from .kept import Cursor
from .ledger import LeaseLost, Ledger, document
from .linking import keep
from .patience import patiently
from .reading import anew, feed
from .sifting import sift, together
from .state import Document
from .units import Side

CHUNK = 500
"""Records that are worked at before it is noted how far it is."""

_KEY = "backfill"
_SIDES: tuple[Side, Side] = ("a", "b")


class Filling(Document):
    """How far a back-fill is."""

    begun: float
    cursors: dict[Side, Cursor] = Field(default_factory=dict[Side, Cursor])
    """Where the feeds go on when all has been read, as noted before; of a feed by token, how far it has been read."""
    pages: dict[Side, str | None] = Field(default_factory=dict[Side, str | None])
    """The page with which each side goes on."""
    records: dict[Side, int] = Field(default_factory=dict[Side, int])
    """How many records were read."""
    ended: list[Side] = Field(default_factory=list[Side])
    """Sides of which all was read."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of a back-fill."""

    records: dict[Side, int]
    complete: bool
    """Whether all was read, and the feeds have taken over; if not, the next call goes on where this one has ended."""
    note: str = ""
    wait: float = 0.0
    """Seconds to wait before that, if a side has asked for it."""


async def filling(ledger: Ledger) -> Filling | None:
    """The back-fill that is under way, if there is one."""
    found = await ledger.values.get(_KEY)
    return None if found is None else Filling.model_validate_json(found.text)


async def backfill(
    engine: Engine, *, chunk: int = CHUNK, report: Callable[[Side, int], None] = lambda side, count: None
) -> Filled:
    """Read all records of both sides and bring them in step, or go on with that; the next cycle goes on by the feeds.

    What has no counterpart is matched, or created, by the next cycle: not before both sides have been read.
    `report` is told after each chunk how many records of a side have been read.
    """
    if not await engine.ledger.acquire(seconds=LEASE):
        return Filled({}, complete=False, note="another process works at this pair")
    work = _Filling(engine, chunk, report)
    try:
        await work.run()
    except (Halted, RemoteError) as error:
        cause = error.__cause__ if isinstance(error, Halted) else error
        wait = cause.after if isinstance(cause, Busy) else 0.0
        return Filled(work.kept.records, complete=False, note=str(error), wait=wait)
    except LeaseLost as error:
        return Filled(work.kept.records, complete=False, note=str(error))
    return Filled(work.kept.records, complete=True)


class _Filling:
    def __init__(self, engine: Engine, chunk: int, report: Callable[[Side, int], None]) -> None:
        self.kept = Filling(begun=0.0)
        self._engine = engine
        self._bench: Bench = engine.bench()
        self._chunk = chunk
        self._report = report

    async def run(self) -> None:
        for side in _SIDES:
            self._bench.calls(side).trouble = None
        self.kept = await filling(self._engine.ledger) or await self._begun()
        for side in _SIDES:
            if side not in self.kept.ended:
                await self._side(side)
        await self._handed_over()

    async def _begun(self) -> Filling:
        """Note where the feeds will go on, before anything is read."""
        cursors: dict[Side, Cursor] = {side: await self._first(side) for side in _SIDES}
        kept = Filling(begun=self._bench.now(), cursors=cursors)
        await self._engine.ledger.write([document(_KEY, kept)])
        return kept

    async def _first(self, side: Side) -> Cursor:
        calls, before = self._bench.calls(side), await self._engine.ledger.cursor(side)
        if calls.abilities.feed is not Feed.STAMP:
            return anew(before)
        page = await patiently(lambda: calls.scan(fields=False))
        # a side that tells no time is read by its feed from the beginning: more than needed, and nothing is missed
        return anew(before).model_copy(update={"value": page.now})

    async def _side(self, side: Side) -> None:
        by_token = self._bench.abilities(side).feed is Feed.TOKEN
        chunks = self._fed(side) if by_token else self._scanned(side)
        async with aclosing(chunks) as parts:
            async for records, changes in parts:
                await self._worked(side, records)
                count = self.kept.records.get(side, 0) + len(records)
                await self._note({**changes, "records": {**self.kept.records, side: count}})
                self._report(side, count)
        await self._note({"ended": [*self.kept.ended, side]})

    async def _scanned(self, side: Side) -> AsyncGenerator[tuple[list[Record], dict[str, object]]]:
        """Chunks of a scan, each with what is noted once it has been worked at."""
        place, records = self.kept.pages.get(side), list[Record]()
        while True:
            page = await self._page(side, place)
            records += [record for record in page.records if not record.deleted]
            place = page.next
            if place is None or len(records) >= self._chunk:
                yield records, {"pages": {**self.kept.pages, side: place}}
                records = []
            if place is None:
                return

    async def _page(self, side: Side, place: str | None) -> Page:
        calls = self._bench.calls(side)
        try:
            page = await patiently(lambda: calls.scan(place))
        except Refused:
            if place is None or place != self.kept.pages.get(side):
                raise
            page = await patiently(lambda: calls.scan(None))  # the page where it ended is not known any more
        calls.trouble = None
        return page

    async def _fed(self, side: Side) -> AsyncGenerator[tuple[list[Record], dict[str, object]]]:
        """The pages of a feed by token from its beginning: the token is there when all has been read."""
        calls = self._bench.calls(side)
        async with aclosing(feed(calls, self.kept.cursors[side], self._bench.now)) as looks:
            async for look in looks:
                cursor = look.cursor or self.kept.cursors[side]
                yield [*look.records], {"cursors": {**self.kept.cursors, side: cursor}}

    async def _worked(self, side: Side, records: Sequence[Record]) -> None:
        bench = self._bench
        if records:
            page = await sift(bench, side, records)
            await keep(bench, side, page.loose)
            await self._engine.work(bench, await ripe(bench, together(page.dirty).values()))
            bench.go_on()
        await self._engine.ledger.renew()

    async def _note(self, changes: dict[str, object]) -> None:
        self.kept = self.kept.model_copy(update=changes)
        await self._engine.ledger.write([document(_KEY, self.kept)])

    async def _handed_over(self) -> None:
        """Let the feeds go on from what was noted at first, and forget the back-fill, in one transaction."""
        now = self._bench.now()
        moved = {
            side: cursor.model_copy(update={"complete": True, "obtained": now, "swept": cursor.swept or now})
            for side, cursor in self.kept.cursors.items()
        }
        cursors = [document(f"cursor/{side}", cursor) for side, cursor in moved.items()]
        await self._engine.ledger.write([*cursors, ValueChange(_KEY, None)])
