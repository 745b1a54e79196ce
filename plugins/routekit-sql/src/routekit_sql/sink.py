"""The sink `sql:connection/table`: rows are inserted, upserted, updated or deleted, many senders in one commit."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from sqlalchemy.engine import Connection

from routekit import (
    About,
    BodyError,
    Capabilities,
    DefinitionError,
    Message,
    PathField,
    Producer,
    Runtime,
    Seconds,
    Send,
    Unavailable,
)

from .body import Rows
from .database import Database, database_of
from .group import GroupCommit
from .named import checked, named_sender
from .settings import ConnectionSettings
from .statements import Bound, Statements, split_names
from .table import reflected


class SqlSink(Producer):
    """Stores bodies as rows of a table, or runs a statement with their values.

    A body is a mapping, a pydantic model or a dataclass; a list of them is stored whole or not at all. Sending returns
    when the rows are committed; the answer has their number in the header `sql.rows`. Raises `BodyError` for a row
    that the table refuses, `Unavailable` while the database is away, locked or full.
    """

    scheme = "sql"
    capabilities = Capabilities(ordered=True, transactional=True)
    advice: ClassVar[Mapping[str, str]] = {"idempotent": "mode=upsert&key=..."}
    about = About(
        headers={"sql.rows": "rows that the message has changed, or those of the answer"},
        raises={
            BodyError: "the table or a constraint refuses a row, or a value cannot be stored without loss",
            Unavailable: "the database is away, locked or full",
            DefinitionError: "table, column, key or statement do not fit the database",
        },
        figures={
            "waiting": "rows that wait for the next transaction",
            "rows_total": "rows changed",
            "commits_total": "transactions committed",
            "refused_total": "messages whose rows were refused by the database",
        },
        settings={"sql.NAME": ConnectionSettings},
    )

    target: PathField = Field(description="connection/table; only the connection with mode=execute")
    mode: Literal["insert", "upsert", "update", "delete", "execute"] = Field(
        default="insert", description="what is done with a row"
    )
    key: str = Field(default="", description="comma list of the columns that name a row: upsert, update, delete")
    columns: str = Field(default="", description="comma list: only these columns are written, other fields are ignored")
    on_conflict: Literal["update", "ignore"] = Field(
        default="update", description="upsert: what becomes of a row that exists"
    )
    statement: str = Field(default="", description="mode=execute: a statement with :named parameters")
    batch: int = Field(default=500, ge=1, description="rows in one transaction, if many messages come at once")
    linger: Seconds = Field(
        default=0.0, ge=0, description="seconds that a transaction that is not full waits for more messages"
    )

    @model_validator(mode="after")
    def _fits(self) -> "SqlSink":
        connection, _, table = self.target.partition("/")
        if self.mode == "execute":
            _need(self.statement, "mode=execute needs statement=...")
            _need(not table, f"mode=execute takes no table: write sql:{connection}?mode=execute&statement=...")
            _need(not self.key and not self.columns, "key and columns do not go with mode=execute")
            return self
        _need(not self.statement, f"statement= does not go with mode={self.mode}: write mode=execute")
        _need(table, f"the table is missing: write sql:{connection}/table")
        _need(self.mode == "insert" or split_names(self.key), f"mode={self.mode} needs key=column,...")
        _need(self.mode != "insert" or not self.key, "key does not go with mode=insert: write mode=upsert")
        return self

    def promises(self) -> Capabilities:
        """A row that is named by its key is the same after the second time; a statement may do anything."""
        named = self.mode in ("upsert", "update", "delete")
        return Capabilities(ordered=True, transactional=True, idempotent=named)

    async def probe(self, runtime: Runtime) -> str:
        """What the database is; whether options, table and statement fit, too."""
        database = await database_of(runtime, self.target.partition("/")[0])
        version = await database.read(database.dialect.version)
        if self.mode == "execute":
            await database.read(partial(checked, statement=self.statement, database=database))
            return f"{version}, the statement can be run"
        found = await database.read(partial(self.statements, database=database))
        return f"{version}, {self.target}: {len(found.columns)} columns"

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """A send function; raises DefinitionError if table, key or statement do not fit the database."""
        database = await database_of(runtime, self.target.partition("/")[0])
        group = GroupCommit(database, self.batch, self.linger)
        if self.mode == "execute":
            send = await named_sender(database, self.statement, group)
        else:
            send = _sender(await database.read(partial(self.statements, database=database)), group)
        with runtime.metered(self, group.figures()):
            yield send

    def statements(self, connection: Connection, database: Database) -> Statements:
        """The statements for its rows, of any mode but `execute`; raises DefinitionError if they do not fit."""
        assert self.mode != "execute"
        name, _, table = self.target.partition("/")
        shape = reflected(connection, table, f"sql:{name}", database.dialect)
        key, only = split_names(self.key), split_names(self.columns)
        shape.check(key, "key")
        shape.check(only, "columns")
        if self.mode == "upsert":
            shape.check_unique(key)
        return Statements(
            shape,
            self.mode,
            key,
            dialect=database.dialect,
            engine=connection.dialect,
            only=only,
            replace=self.on_conflict == "update",
        )


def _need(given: object, reason: str) -> None:
    if not given:
        raise ValueError(reason)


def _sender(statements: Statements, group: GroupCommit) -> Send:
    rows = Rows()

    async def send(message: Message[Any]) -> Message[Any]:
        unit = bound(statements, rows, message.body)
        count = await group.commit(unit) if unit else 0
        return message.with_header("sql.rows", count)

    return send


def bound(statements: Statements, rows: Rows, body: Any) -> list[Bound]:
    """The rows of a body, ready to be written; raises BodyError, with the row's number in a list of several."""
    found = rows.of(body)
    if len(found) == 1:
        return [statements.bind(found[0])]
    together = statements.bind_all(found) if found else []
    if together is not None:
        return together
    unit: list[Bound] = []
    for number, row in enumerate(found, 1):
        try:
            unit.append(statements.bind(row))
        except BodyError as error:
            raise BodyError(error.reason, row=number, column=error.column, hint=error.hint) from error
    return unit
