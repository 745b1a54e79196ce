"""The source `sql:connection/table`: new and changed rows by a cursor, or rows as work to be done."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from pydantic import Field, model_validator
from sqlalchemy.engine import Connection

from routekit import (
    About,
    Capabilities,
    Consumer,
    DefinitionError,
    Delivery,
    Endpoint,
    PathField,
    Runtime,
    Seconds,
    Unavailable,
)

from .claiming import ClaimFeed
from .database import database_of
from .feeds import Feed, Feeds
from .listening import bell_of
from .settings import ConnectionSettings
from .statements import split_names

_COUNTED = 1000
"""Rows up to which a probe counts those that wait."""


class SqlSource(Consumer):
    """Delivers rows of a table or query as dicts, by one of two strategies.

    `cursor=column&name=state`: rows in the order of a column that grows with every change. The position is kept in
    the store and moves only over rows that are acknowledged without a gap, so a row that was in flight at a crash is
    delivered again. `key=columns&after=delete|mark`: rows as work; an acknowledged row is deleted or marked. A refused
    row is read and delivered again after `poll` seconds. Headers: `sql.table` and `sql.key`.
    """

    scheme = "sql"
    capabilities = Capabilities(replayable=True)
    about = About(
        headers={"sql.table": "the target, as it was given", "sql.key": "the key of the row; a list if it has several"},
        raises={
            Unavailable: "the database is away, locked or full",
            DefinitionError: "table, column, query or position do not fit the database",
        },
        figures={
            "unfinished": "rows that were delivered and are not done, or wait behind one that is not",
            "refused": "rows that wait for another try",
            "rows_total": "rows that were delivered, again and again counted each time",
        },
        settings={"sql.NAME": ConnectionSettings},
    )

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
    stream: bool = Field(
        default=False, description="read what there is by one statement that stays open, for queries that are slow"
    )
    batch: int | None = Field(default=None, ge=1, description="rows read at once; 500, with claim 50")

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
        _need(self.cursor or not self.stream, "stream goes with a cursor only")
        _need(self.after or not self.claim, "claim goes with after=delete or after=mark only")
        _need(self.claim or "lease" not in self.model_fields_set, "lease needs claim=COLUMN")
        _need((self.after == "mark") == bool(self.set), "after=mark and set=column:value go together")
        return self

    def alone(self) -> bool:
        """Processes share work that they claim; a cursor, and work that nobody claims, is for one of them."""
        return not self.claim

    def promises(self) -> Capabilities:
        """By a cursor, rows come in its order."""
        return Capabilities(replayable=True, ordered=bool(self.cursor))

    def clashes(self, other: Endpoint) -> str | None:
        """Two cursors of one position, or two that take the same work without claiming it."""
        if not isinstance(other, SqlSource):
            return None
        if self.cursor and self.name == other.name:
            return f"both keep their position as name={self.name}"
        shared = self.claim and self.claim == other.claim
        if self.after and other.after and self.target == other.target and not shared and self.query == other.query:
            return f"both take all work of {self.target}: let them share it by claim=COLUMN"
        return None

    async def probe(self, runtime: Runtime) -> str:
        """What the database is, and how many rows wait; whether options and tables fit, too."""
        database = await database_of(runtime, self.target.partition("/")[0])
        feed = await database.read(Feeds(self, runtime, database).made)
        await feed.start()

        def look(connection: Connection) -> str:
            found = feed.count(connection, _COUNTED)
            waiting = f"{found} or more" if found == _COUNTED else str(found)
            return f"{database.dialect.version(connection)}, {self.target}: {waiting} rows waiting"

        return await database.read(look)

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Deliver rows for ever; raises DefinitionError if the options do not fit the database."""
        name = self.target.partition("/")[0]
        database = await database_of(runtime, name)
        feed = await database.read(Feeds(self, runtime, database).made)
        bell = await bell_of(runtime, name, self.listen) if self.listen else None
        await feed.start()
        if isinstance(feed, ClaimFeed):
            runtime.spawn(feed.keep)
        found: list[Delivery[Any]] = []
        counts = _Counts(feed)
        with runtime.metered(self, counts.readers()):
            try:
                while True:
                    rung = bell.next if bell else None
                    found = list(reversed(await feed.page()))
                    counts.rows += len(found)
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


@dataclass(eq=False)
class _Counts:
    """What a source counts."""

    feed: Feed
    rows: int = 0

    def readers(self) -> dict[str, Callable[[], float]]:
        return {
            "unfinished": lambda: self.feed.unfinished,
            "refused": lambda: self.feed.refused,
            "rows_total": lambda: self.rows,
        }


def _need(found: object, reason: str) -> None:
    if not found:
        raise ValueError(reason)
