"""How the options of a source become the feed that it reads from; what does not fit the database is found here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sqlalchemy import ColumnElement, DateTime, and_, exists, or_
from sqlalchemy.engine import Connection

from routekit import BadOption, Delivery, Runtime

from .claiming import ClaimFeed
from .cursor import CursorFeed
from .database import Database
from .group import GroupCommit
from .reading import Reader, Row, given, query_reader, table_reader
from .statements import Statements, split_names
from .table import Columns, Shape, reflected
from .work import WorkFeed

_CLAIMED = 50
"""Rows that one process claims at once: those that wait in it are nobody else's."""


class Feed(Protocol):
    """What a source reads from."""

    @property
    def unfinished(self) -> int:
        """Rows that were delivered and are not done, or wait behind one that is not."""
        ...

    @property
    def refused(self) -> int:
        """Rows that wait for another try."""
        ...

    async def start(self) -> None:
        """Take up what an earlier run has left; raises DefinitionError if that cannot be."""
        ...

    async def page(self) -> Sequence[Delivery[Row]]:
        """The next rows; none if there is nothing for now."""
        ...

    async def close(self, left: Sequence[Delivery[Row]]) -> None:
        """Let go what is held; `left` was not delivered."""
        ...

    def count(self, connection: Connection, most: int) -> int:
        """How many rows wait to be delivered, as far as they are `most`."""
        ...


class Options(Protocol):
    """The options of the source, which describes them."""

    @property
    def target(self) -> str: ...
    @property
    def poll(self) -> float: ...
    @property
    def query(self) -> str: ...
    @property
    def cursor(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def overlap(self) -> float: ...
    @property
    def stream(self) -> bool: ...
    @property
    def after(self) -> Literal["delete", "mark"] | None: ...
    @property
    def set(self) -> str: ...
    @property
    def claim(self) -> str: ...
    @property
    def lease(self) -> float: ...
    @property
    def batch(self) -> int | None: ...


@dataclass(frozen=True, eq=False)
class Feeds:
    """Makes the feed of a source."""

    options: Options
    runtime: Runtime
    database: Database

    def made(self, connection: Connection) -> Feed:
        """The feed; raises DefinitionError if the options do not fit the database."""
        where, _, table = self.options.target.partition("/")
        dialect = self.database.dialect
        shape = reflected(connection, table, f"sql:{where}", dialect) if table else None
        if self.options.query:
            query = self.options.query
            reader = query_reader(connection, query, f"sql:{where}", compares_rows=dialect.compares_rows)
        else:
            assert shape is not None
            reader = table_reader(shape, f"sql:{where}")
        if self.options.cursor:
            return self._by_cursor(reader, shape)
        assert shape is not None
        return self._as_work(connection, reader, shape)

    def _by_cursor(self, reader: Reader, shape: Shape | None) -> CursorFeed:
        options = self.options
        key = split_names(options.key) or (shape.primary_key if shape else ())
        reader.check([options.cursor], "cursor")
        reader.check(key, "key")
        if shape:
            shape.check_unique(key)
        if options.stream and not self.database.dialect.streams:
            raise BadOption("stream=true: the driver of MariaDB would read all rows", hint="raise batch= instead")
        return CursorFeed(
            self.database,
            reader,
            label=options.target if shape else f"{options.target}/{options.name}",
            order=[options.cursor, *key],
            most=options.batch or 500,
            again=options.poll,
            overlap=options.overlap,
            stream=options.stream,
            marks=self.runtime.store.marks(f"sql-cursor:{options.name}"),
        )

    def _as_work(self, connection: Connection, reader: Reader, shape: Shape) -> WorkFeed | ClaimFeed:
        options, key, values = self.options, split_names(self.options.key), _assignments(self.options.set)
        reader.check(key, "key")
        shape.check_unique(key)
        shape.check(list(values), "set")
        for name in set(values) & set(key):
            raise BadOption(f"set={options.set}: '{name}' is part of the key", hint="mark another column")
        mode = "delete" if options.after == "delete" else "update"
        ending = Statements(shape, mode, key, dialect=self.database.dialect, engine=connection.dialect)
        group = GroupCommit(self.database, options.batch or 500)
        if options.claim:
            return self._as_claimed(connection, reader, shape, ending, group, values)
        return WorkFeed(
            self.database,
            reader,
            label=options.target,
            key=key,
            most=options.batch or 500,
            again=options.poll,
            left=_left(reader, shape, key, values) if values else None,
            ending=ending,
            values=values,
            group=group,
        )

    def _as_claimed(
        self,
        connection: Connection,
        reader: Reader,
        shape: Shape,
        ending: Statements,
        group: GroupCommit,
        values: Mapping[str, str],
    ) -> ClaimFeed:
        options, key = self.options, split_names(self.options.key)
        self._check_claim(shape, [*key, *values])
        return ClaimFeed(
            self.database,
            reader,
            shape,
            label=options.target,
            key=key,
            most=options.batch or _CLAIMED,
            again=options.poll,
            ending=ending,
            values=values,
            group=group,
            claim=options.claim,
            lease=options.lease,
            claiming=Statements(shape, "update", key, dialect=self.database.dialect, engine=connection.dialect),
        )

    def _check_claim(self, shape: Shape, taken: Columns) -> None:
        claim = self.options.claim
        shape.check([claim], "claim")
        column = shape.table.columns[claim]
        if not isinstance(column.type, DateTime):
            hint = f"ALTER TABLE {shape.name} ADD claimed_until TIMESTAMP"
            raise BadOption(f"claim={claim}: the column does not hold times", hint=hint)
        if not self.database.dialect.keeps_fractions(column):
            hint = f"ALTER TABLE {shape.name} MODIFY {claim} DATETIME(6)"
            raise BadOption(f"claim={claim}: the column keeps whole seconds only", hint=hint)
        if claim in taken:
            raise BadOption(f"claim={claim}: it is part of key or set", hint="claim by a column of its own")


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
