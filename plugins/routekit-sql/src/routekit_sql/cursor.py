"""Rows in the order of a cursor column, from the position up to which all are finished."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio
from sqlalchemy.engine import Connection

from routekit import Delivery, Marks, Message

from .database import Database
from .position import before, read, written
from .reading import Reader, Row, position_of
from .streaming import Stream
from .table import Columns
from .watermark import Position, Watermark, in_order

WINDOW = 10_000
"""How many rows may wait behind one that is unfinished; no more are read until it is done."""
_KEY = "position"


@dataclass(eq=False)
class CursorFeed:
    """Reads pages after a position, and keeps the position in the store once rows are finished.

    `again` is the number of seconds until a refused row is read anew; `overlap` is how far below the front of the
    cursor rows may still turn up, in seconds or in numbers. With `stream` all that there is comes by one statement.
    """

    database: Database
    reader: Reader
    label: str
    order: Columns
    most: int
    again: float
    overlap: float
    stream: bool
    marks: Marks
    watermark: Watermark = field(default_factory=Watermark)
    _after: Position = ()
    _refused: dict[Position, float] = field(default_factory=dict[Position, float])
    _saved: Position | None = None
    _saving: anyio.Lock = field(default_factory=anyio.Lock)
    _open: Stream | None = None

    @property
    def unfinished(self) -> int:
        """Rows that are not done, or wait behind one that is not."""
        return len(self.watermark)

    @property
    def refused(self) -> int:
        """Rows that wait for another try."""
        return len(self._refused)

    async def start(self) -> None:
        """Take up the position that was kept; raises DefinitionError if it is of other columns."""
        kept = await self.marks.get(_KEY)
        position = None if kept is None else read(kept, self.order, self.label)
        self.watermark = Watermark(position, remember=self.overlap > 0)
        self._saved = self.watermark.position
        self._after = self._from()
        names = self.order
        await self.database.read(lambda connection: self.reader.check_no_null(connection, names, "the cursor"))

    async def page(self) -> Sequence[Delivery[Row]]:
        """The next rows; none if there are no new ones for now."""
        refused = await self._due()
        if refused:
            return refused
        while len(self.watermark) < WINDOW:
            rows = await self._rows()
            fresh = [row for row in rows if position_of(row, self.order) not in self.watermark]
            for row in fresh:
                self.watermark.issue(position_of(row, self.order))
            bound, ended = self._from(), len(rows) < self.most
            self._after = bound if ended else position_of(rows[-1], self.order)
            if fresh or ended:
                return [self._delivery(row) for row in fresh]
        return []

    async def close(self, left: Sequence[Delivery[Row]]) -> None:
        """Nothing is left behind: the position says what comes next."""
        if self._open is not None:
            await self._open.close()

    def count(self, connection: Connection, most: int) -> int:
        """How many rows are behind the position."""
        return self.reader.count(connection, self.order, self._after, most)

    async def _rows(self) -> Sequence[Row]:
        if not self.stream:
            return await self.database.read(partial(self._page, order=self.order, after=self._after))
        if self._open is None:
            self._open = Stream(self.database, self.reader, self.reader.query(self.order, self._after))
        rows = await self._open.next(self.most)
        self.reader.check_distinct(rows, self.order)
        if len(rows) < self.most:
            await self._open.close()
            self._open = None
        return rows

    def _page(self, connection: Connection, order: Columns, after: Position) -> Sequence[Row]:
        return self.reader.page(connection, order, after, self.most)

    def _from(self) -> Position:
        """Where to read from once the end was reached: behind the front, or a bit before it."""
        front = self.watermark.front
        if front is None or not self.overlap:
            return front or ()
        bound = (before(front[0], self.overlap, self.label),)
        self.watermark.forget(lambda position: in_order(position[:1]) < in_order(bound))
        return bound

    async def _due(self) -> Sequence[Delivery[Row]]:
        """Refused rows whose time has come, as they are now; one that has moved on comes by its new position."""
        now = anyio.current_time()
        found: list[Delivery[Row]] = []
        for position in [position for position, due in self._refused.items() if due <= now]:
            del self._refused[position]
            row = await self.database.read(partial(self.reader.one, order=self.order, position=position))
            if row is None:
                await self._finish(position)
            else:
                found.append(self._delivery(row))
        return found

    def _delivery(self, row: Row) -> Delivery[Row]:
        position = position_of(row, self.order)
        key = position[1] if len(position) == 2 else list(position[1:])
        name = key if len(position) == 2 else json.dumps(key, default=str)
        message = Message(row, {"sql.table": self.label, "sql.key": key}, f"{self.label}/{name}@{position[0]}")

        async def ack(_: object) -> None:
            await self._finish(position)

        async def nack(_: object) -> None:
            self._refused[position] = anyio.current_time() + self.again

        return Delivery(message, ack, nack)

    async def _finish(self, position: Position) -> None:
        if self.watermark.finish(position):
            await self._save()

    async def _save(self) -> None:
        """Keep the position; those who wait for each other here are served by one write."""
        async with self._saving:
            position = self.watermark.position
            if position == self._saved:
                return
            await self.marks.put(_KEY, written(position, self.order, self.label))
            self._saved = position
