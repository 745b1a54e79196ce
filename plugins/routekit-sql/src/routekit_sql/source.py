"""The source `sql:connection/table`: new and changed rows by a cursor, or rows as work to be done."""

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any, Literal

import anyio
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, DateTime, and_, exists, or_
from sqlalchemy.engine import Connection

from routekit import BadOption, Capabilities, Consumer, Delivery, PathField, Runtime, Seconds

from .claiming import ClaimFeed
from .cursor import CursorFeed
from .database import Database, database_of
from .group import GroupCommit
from .listening import bell_of
from .reading import Reader, given, query_reader, table_reader
from .statements import Statements, split_names
from .table import Columns, Shape, reflected
from .work import WorkFeed

_CLAIMED = 50
"""Rows that one process claims at once: those that wait in it are nobody else's."""


class SqlSource(Consumer):
    """Delivers rows of a table or query as dicts, by one of two strategies.

    `cursor=column&name=state`: rows in the order of a column that grows with every change. The position is kept in
    the store and moves only over rows that are acknowledged without a gap, so a row that was in flight at a crash is
    delivered again. `key=columns&after=delete|mark`: rows as work; an acknowledged row is deleted or marked. A refused
    row is read and delivered again after `poll` seconds. Headers: `sql.table` and `sql.key`.
    """

    scheme = "sql"
    capabilities = Capabilities(replayable=True)

    target: PathField = Field(description="connection/table; with query= and a cursor only the connection")
    poll: Seconds = Field(default=5.0, gt=0, description="seconds between two polls when there is nothing new")
    query: str = Field(default="", description="a SELECT whose rows are read instead of the whole table")
    cursor: str = Field(default="", description="column that grows with every change, NOT NULL")
    key: str = Field(default="", description="comma list of columns that name a row; with a cursor: the primary key")
    name: str = Field(default="", description="name under which the position of the cursor is kept")
    overlap: Seconds = Field(
        default=0.0, ge=0, description="re-read so many seconds (or numbers) of the cursor, for rows committed late"
    )
    after: Literal["delete", "mark"] | None = Field(default=None, description="what is done with an acknowledged row")
    set: str = Field(default="", description="after=mark: column:value,... that mark a row as done")
    claim: str = Field(
        default="", description="work that several processes share: column of a time until which a row is taken"
    )
    lease: Seconds = Field(default=60.0, gt=0, description="claim: seconds after which what a dead process had is free")
    listen: str = Field(default="", description="PostgreSQL: channel on which NOTIFY wakes the source before `poll`")
    batch: int = Field(default=500, ge=1, description="rows read at once; with claim the default is 50")

    @model_validator(mode="after")
    def _fits(self) -> "SqlSource":
        connection, _, table = self.target.partition("/")
        _need(
            bool(self.cursor) != bool(self.after),
            "how are rows taken? write cursor=COLUMN&name=STATE, or key=COLUMN&after=delete, "
            "or key=COLUMN&after=mark&set=COLUMN:VALUE",
        )
        if self.cursor:
            _need(self.name, "cursor needs name=...: the position is kept under it")
            _need(table or self.query, f"the table is missing: write sql:{connection}/table, or query=SELECT ...")
            _need(not (table and self.query), f"with a query and a cursor there is no table: write sql:{connection}")
            _need(table or split_names(self.key), "a query needs key=column,...: rows of equal cursor need an order")
        else:
            _need(table, f"the table is missing: write sql:{connection}/table; finished rows are changed in it")
            _need(split_names(self.key), f"after={self.after} needs key=column,...")
            _need(not self.name and not self.overlap, "name and overlap go with a cursor only")
        _need(self.after or not self.claim, "claim goes with after=delete or after=mark only")
        _need(self.claim or "lease" not in self.model_fields_set, "lease needs claim=COLUMN")
        _need((self.after == "mark") == bool(self.set), "after=mark and set=column:value go together")
        return self

    def promises(self) -> Capabilities:
        """By a cursor, rows come in its order."""
        return Capabilities(replayable=True, ordered=bool(self.cursor))

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Deliver rows for ever; raises DefinitionError if the options do not fit the database."""
        name = self.target.partition("/")[0]
        database = await database_of(runtime, name)
        feed = await database.read(partial(self._feed, runtime=runtime, database=database))
        bell = await bell_of(runtime, name, self.listen) if self.listen else None
        await feed.start()
        if isinstance(feed, ClaimFeed):
            runtime.spawn(feed.keep)
        found: list[Delivery[Any]] = []
        try:
            while True:
                rung = bell.next if bell else None
                found = list(reversed(await feed.page()))
                idle = not found
                while found:
                    yield found.pop()
                if idle:
                    await self._rest(runtime, rung)
        finally:
            await feed.close(found)

    async def _rest(self, runtime: Runtime, rung: anyio.Event | None) -> None:
        if rung is None:
            await runtime.rest(self.poll)
            return
        with runtime.resting(), anyio.move_on_after(self.poll):
            await rung.wait()

    def _feed(self, connection: Connection, runtime: Runtime, database: Database) -> CursorFeed | WorkFeed | ClaimFeed:
        name, _, table = self.target.partition("/")
        shape = reflected(connection, table, f"sql:{name}", database.dialect) if table else None
        if self.query:
            reader = query_reader(connection, self.query, f"sql:{name}", compares_rows=database.dialect.compares_rows)
        else:
            assert shape is not None
            reader = table_reader(shape, f"sql:{name}")
        if self.cursor:
            return self._by_cursor(runtime, database, reader, shape)
        assert shape is not None
        return self._as_work(connection, database, reader, shape)

    def _by_cursor(self, runtime: Runtime, database: Database, reader: Reader, shape: Shape | None) -> CursorFeed:
        key = split_names(self.key) or (shape.primary_key if shape else ())
        reader.check([self.cursor], "cursor")
        reader.check(key, "key")
        if shape:
            shape.check_unique(key)
        marks = runtime.store.marks(f"sql-cursor:{self.name}")
        label = self.target if shape else f"{self.target}/{self.name}"
        order = [self.cursor, *key]
        return CursorFeed(database, reader, label, order, self.batch, self.poll, self.overlap, marks)

    def _as_work(
        self, connection: Connection, database: Database, reader: Reader, shape: Shape
    ) -> WorkFeed | ClaimFeed:
        key = split_names(self.key)
        reader.check(key, "key")
        shape.check_unique(key)
        values = _assignments(self.set)
        shape.check(list(values), "set")
        for name in set(values) & set(key):
            raise BadOption(f"set={self.set}: '{name}' is part of the key", hint="mark another column")
        mode = "delete" if self.after == "delete" else "update"
        ending = Statements(shape, mode, key, dialect=database.dialect, engine=connection.dialect)
        group = GroupCommit(database, self.batch)
        if self.claim:
            return self._as_claimed(connection, database, reader, shape, ending, group, values)
        left = _left(reader, shape, key, values) if values else None
        return WorkFeed(database, reader, self.target, key, self.batch, self.poll, left, ending, values, group)

    def _as_claimed(
        self,
        connection: Connection,
        database: Database,
        reader: Reader,
        shape: Shape,
        ending: Statements,
        group: GroupCommit,
        values: Mapping[str, str],
    ) -> ClaimFeed:
        key = split_names(self.key)
        shape.check([self.claim], "claim")
        if not isinstance(shape.table.columns[self.claim].type, DateTime):
            hint = f"ALTER TABLE {shape.name} ADD claimed_until TIMESTAMP"
            raise BadOption(f"claim={self.claim}: the column does not hold times", hint=hint)
        if not database.dialect.keeps_fractions(shape.table.columns[self.claim]):
            hint = f"ALTER TABLE {shape.name} MODIFY {self.claim} DATETIME(6)"
            raise BadOption(f"claim={self.claim}: the column keeps whole seconds only", hint=hint)
        if self.claim in (*key, *values):
            raise BadOption(f"claim={self.claim}: it is part of key or set", hint="claim by a column of its own")
        claiming = Statements(shape, "update", key, dialect=database.dialect, engine=connection.dialect)
        most = self.batch if "batch" in self.model_fields_set else _CLAIMED
        return ClaimFeed(
            database,
            reader,
            shape,
            self.target,
            key,
            most,
            self.poll,
            ending,
            values,
            group,
            self.claim,
            self.lease,
            claiming,
        )


def _need(found: object, reason: str) -> None:
    if not found:
        raise ValueError(reason)


def _assignments(text: str) -> Mapping[str, str]:
    """What `set=` says.

    >>> _assignments("state:done, by:routekit")
    {'state': 'done', 'by': 'routekit'}
    """
    values: dict[str, str] = {}
    for pair in split_names(text):
        name, colon, value = pair.partition(":")
        if not colon or not name:
            raise BadOption(f"set={text}: '{pair}' sets nothing", hint="write set=column:value")
        values[name.strip()] = value.strip()
    return values


def _left(reader: Reader, shape: Shape, key: Columns, values: Mapping[str, str]) -> ColumnElement[bool]:
    """The condition for rows that are not yet marked; a query need not have the columns that are."""
    unmarked = table_reader(shape, "").source.alias("unmarked")
    differs = or_(*(unmarked.columns[name].is_distinct_from(given(value)) for name, value in values.items()))
    same = and_(*(unmarked.columns[name] == reader.source.columns[name] for name in key))
    return exists().where(same, differs)
