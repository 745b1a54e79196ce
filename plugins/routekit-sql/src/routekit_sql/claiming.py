"""Rows as work that several processes share: each is claimed for a while, by a time in a column of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql.functions import count

from routekit import Delivery, Unavailable

from .cursor import WINDOW
from .database import Database, transaction
from .group import GroupCommit
from .reading import Reader, Row, given, position_of, table_reader
from .statements import Statements
from .table import Columns, Shape
from .watermark import Position
from .work import message_of

_FREE = None
"""What the column says of a row that nobody has claimed."""


@dataclass(eq=False)
class ClaimFeed:
    """Claims what is left in the order of its key; who claims passes over rows that another is just claiming.

    A claim is a time in the column `claim`, by the clock of the database: until then the row is nobody else's. It is
    put off for as long as the row is in flight. A finished row is deleted, or set to `values`; a refused one is free
    again after `again` seconds.
    """

    database: Database
    reader: Reader
    shape: Shape
    label: str
    key: Columns
    most: int
    again: float
    ending: Statements
    values: Mapping[str, Any]
    group: GroupCommit
    claim: str
    lease: float
    claiming: Statements
    _in_flight: set[Position] = field(default_factory=set[Position])
    _closed: bool = False

    @property
    def unfinished(self) -> int:
        """Rows that were delivered and are not done."""
        return len(self._in_flight)

    @property
    def refused(self) -> int:
        """None: a refused row is let go, and may be anybody's."""
        return 0

    async def start(self) -> None:
        """Nothing is kept: the table itself says what is left, and what is claimed."""
        await self.database.read(lambda connection: self.reader.check_no_null(connection, self.key, "the source"))

    async def page(self) -> Sequence[Delivery[Row]]:
        """The rows that were claimed; none if nothing is free."""
        if len(self._in_flight) >= WINDOW:
            return []
        rows = await self.database.write(self._claimed)
        fresh = [row for row in rows if position_of(row, self.key) not in self._in_flight]  # its claim ran out
        self._in_flight.update(position_of(row, self.key) for row in fresh)
        return [self._delivery(row) for row in fresh]

    async def keep(self) -> None:
        """Put the claims of what is in flight off, again and again, until all is done after the source has ended."""
        while not self._closed or self._in_flight:
            await anyio.sleep(self.lease / 3)
            try:
                await self._set(self._in_flight, self.lease)
            except Unavailable:
                continue  # there is time for another try before the claims run out

    async def close(self, left: Sequence[Delivery[Row]]) -> None:
        """Let others have what was claimed and not delivered."""
        self._closed = True
        positions = {position_of(delivery.message.body, self.key) for delivery in left}
        self._in_flight -= positions
        with anyio.CancelScope(shield=True):
            try:
                await self._set(positions, _FREE)
            except Unavailable:
                return  # the claims run out by themselves

    def count(self, connection: Connection, most: int) -> int:
        """How many rows are left that nobody has claimed."""
        now, _ = self.database.dialect.moments(connection, 0.0)
        found = self._free(now).limit(most).subquery("found")
        return connection.execute(select(count()).select_from(found)).scalar_one()

    def _claimed(self, connection: Connection) -> Sequence[Row]:
        with transaction(connection):
            self.database.dialect.begin(connection)
            now, until = self.database.dialect.moments(connection, self.lease)
            locked = self._free(now).limit(self.most).with_for_update(skip_locked=True)  # but those that another has
            found = [tuple(row) for row in connection.execute(locked)]
            self._write(connection, found, until)
            return self.reader.those(connection, self.key, found)

    def _free(self, now: Any) -> Select[Any]:
        """The keys of rows that are left and free."""
        table = table_reader(self.shape, "").source.alias("work")
        free = or_(table.columns[self.claim].is_(None), table.columns[self.claim] < given(now))
        marks = [table.columns[name].is_distinct_from(given(value)) for name, value in self.values.items()]
        chosen: list[ColumnElement[bool]] = [or_(*marks)] if marks else []
        if self.reader.chooses:
            source = self.reader.source
            chosen.append(exists().where(and_(*(source.columns[name] == table.columns[name] for name in self.key))))
        key = [table.columns[name] for name in self.key]
        return select(*key).where(free, *chosen).order_by(*key)

    async def _set(self, positions: set[Position], seconds: float | None) -> None:
        if positions:
            await self.database.write(partial(self._written, list(positions), seconds))

    def _written(self, positions: Sequence[Position], seconds: float | None, connection: Connection) -> None:
        with transaction(connection):
            self.database.dialect.begin(connection)
            until = None if seconds is None else self.database.dialect.moments(connection, seconds)[1]
            self._write(connection, positions, until)

    def _write(self, connection: Connection, positions: Sequence[Position], until: Any) -> None:
        rows = [dict(zip(self.key, position, strict=True)) for position in positions]
        bound = [self.claiming.bind({**row, self.claim: until}) for row in rows]
        if bound:
            bound[0][0].run(connection, [parameters for _, parameters in bound])

    def _delivery(self, row: Row) -> Delivery[Row]:
        position = position_of(row, self.key)

        async def ack(_: object) -> None:
            found = dict(zip(self.key, position, strict=True))
            try:
                await self.group.commit([self.ending.bind({**self.values, **found})])
            finally:
                self._in_flight.discard(position)  # if it is not done, its claim runs out, and it comes again

        async def nack(_: object) -> None:
            self._in_flight.discard(position)
            await self._set({position}, self.again)

        return Delivery(message_of(row, self.label, self.key), ack, nack)
