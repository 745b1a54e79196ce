"""The source `sql:connection/table`: new and changed rows by a cursor, or rows as work to be done."""

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, and_, exists, or_
from sqlalchemy.engine import Connection

from routekit import BadOption, Capabilities, Consumer, Delivery, PathField, Runtime, Seconds

from .cursor import CursorFeed
from .database import Database, database_of
from .group import GroupCommit
from .reading import Reader, given, query_reader, table_reader
from .statements import Statements, split_names
from .table import Columns, Shape, reflected
from .work import WorkFeed


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
    batch: int = Field(default=500, ge=1, description="rows read at once")

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
        _need((self.after == "mark") == bool(self.set), "after=mark and set=column:value go together")
        return self

    def promises(self) -> Capabilities:
        """By a cursor, rows come in its order."""
        return Capabilities(replayable=True, ordered=bool(self.cursor))

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Deliver rows for ever; raises DefinitionError if the options do not fit the database."""
        database = await database_of(runtime, self.target.partition("/")[0])
        feed = await database.read(partial(self._feed, runtime=runtime, database=database))
        await feed.start()
        while True:
            found = await feed.page()
            for delivery in found:
                yield delivery
            if not found:
                await runtime.rest(self.poll)

    def _feed(self, connection: Connection, runtime: Runtime, database: Database) -> CursorFeed | WorkFeed:
        name, _, table = self.target.partition("/")
        shape = reflected(connection, table, f"sql:{name}") if table else None
        if self.query:
            reader = query_reader(connection, self.query, f"sql:{name}")
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

    def _as_work(self, connection: Connection, database: Database, reader: Reader, shape: Shape) -> WorkFeed:
        key = split_names(self.key)
        reader.check(key, "key")
        shape.check_unique(key)
        values = _assignments(self.set)
        shape.check(list(values), "set")
        for name in set(values) & set(key):
            raise BadOption(f"set={self.set}: '{name}' is part of the key", hint="mark another column")
        mode = "delete" if self.after == "delete" else "update"
        ending = Statements(shape, mode, key, dialect=database.dialect, engine=connection.dialect)
        left = _left(reader, shape, key, values) if values else None
        group = GroupCommit(database, self.batch)
        return WorkFeed(database, reader, self.target, key, self.batch, self.poll, left, ending, values, group)


def _need(given: object, reason: str) -> None:
    if not given:
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
