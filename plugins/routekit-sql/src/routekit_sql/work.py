"""Rows as work to be done: each is deleted or marked once it is finished."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from routekit import Delivery, Message

from .cursor import WINDOW
from .database import Database
from .group import GroupCommit
from .reading import Reader, Row, position_of
from .statements import Statements
from .table import Columns
from .watermark import Position


@dataclass(eq=False)
class WorkFeed:
    """Reads what is left in the order of its key; a finished row is deleted, or set to `values`.

    `again` is the number of seconds until a refused row is delivered anew.
    """

    database: Database
    reader: Reader
    label: str
    key: Columns
    most: int
    again: float
    left: ColumnElement[bool] | None
    ending: Statements
    values: Mapping[str, Any]
    group: GroupCommit
    _after: Position = ()
    _in_flight: set[Position] = field(default_factory=set[Position])
    _refused: dict[Position, float] = field(default_factory=dict[Position, float])

    @property
    def unfinished(self) -> int:
        """Rows that were delivered and are not done."""
        return len(self._in_flight)

    @property
    def refused(self) -> int:
        """Rows that wait for another try."""
        return len(self._refused)

    async def start(self) -> None:
        """Nothing is kept: the table itself says what is left."""
        await self.database.read(lambda connection: self.reader.check_no_null(connection, self.key, "the source"))

    async def page(self) -> Sequence[Delivery[Row]]:
        """The next rows; none if nothing is left for now but what is in flight or was just refused."""
        now = anyio.current_time()
        self._refused = {key: due for key, due in self._refused.items() if due > now}
        while len(self._in_flight) + len(self._refused) < WINDOW:
            before = frozenset(self._in_flight)  # what is done while we read is still in what we have read
            rows = await self.database.read(self._rows)
            ended = len(rows) < self.most
            self._after = () if ended else position_of(rows[-1], self.key)
            positions = [position_of(row, self.key) for row in rows]
            fresh = [row for row, at in zip(rows, positions, strict=True) if at not in before and not self._held(at)]
            if fresh or ended:
                return [self._delivery(row) for row in fresh]
        self._after = ()
        return []

    def count(self, connection: Connection, most: int) -> int:
        """How many rows are left."""
        return self.reader.count(connection, self.key, (), most, self.left)

    def _rows(self, connection: Connection) -> Sequence[Row]:
        return self.reader.page(connection, self.key, self._after, self.most, self.left)

    def _held(self, key: Position) -> bool:
        return key in self._in_flight or key in self._refused

    async def close(self, left: Sequence[Delivery[Row]]) -> None:
        """Nothing is left behind: rows belong to nobody until they are done."""

    def _delivery(self, row: Row) -> Delivery[Row]:
        position = position_of(row, self.key)
        self._in_flight.add(position)

        async def ack(_: object) -> None:
            found = dict(zip(self.key, position, strict=True))
            try:
                await self.group.commit([self.ending.bind({**self.values, **found})])
            except Exception:  # whatever it was, the row is not done, and comes again
                self._refused[position] = anyio.current_time() + self.again
                raise
            finally:
                self._in_flight.discard(position)

        async def nack(_: object) -> None:
            self._refused[position] = anyio.current_time() + self.again
            self._in_flight.discard(position)

        return Delivery(message_of(row, self.label, self.key), ack, nack)


def message_of(row: Row, label: str, key: Columns) -> Message[Row]:
    """A row as a message that is known by its key, whoever delivers it."""
    position = position_of(row, key)
    known_as = position[0] if len(position) == 1 else list(position)
    name = known_as if len(position) == 1 else json.dumps(known_as, default=str)
    return Message(row, {"sql.table": label, "sql.key": known_as}, f"{label}/{name}")
