"""The place of transactions `sql:connection`: rows, the mark of a message and what it sends are committed as one."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from pydantic import Field
from sqlalchemy.engine import Connection

from routekit import (
    About,
    BodyError,
    DefinitionError,
    PathField,
    Producer,
    Runtime,
    Seconds,
    Transactions,
    Transactor,
    Unavailable,
)

from .body import Rows
from .database import Database, database_of
from .group import GroupCommit
from .ledger import LONGEST, Ledger
from .listening import Bell, bell_of
from .named import answers, checked
from .outbox import Binding, SqlTransactions, never_sooner
from .settings import ConnectionSettings
from .sink import SqlSink, bound
from .whole import Writer

_TABLE = r"^([A-Za-z_][A-Za-z0-9_]{0,40}\.)?[A-Za-z_][A-Za-z0-9_]{0,40}$"


class SqlTransactor(Transactor):
    """Commits what a message does to one database, for the word `transaction`.

    What is sent to sinks `sql:` of the same connection is part of it. The id of the message is a row of the inbox, and
    what it sends elsewhere are rows of the outbox, written in the same transaction; the messages that come at the same
    time share a commit. The tables are made if they are missing.
    """

    scheme = "sql"
    about = About(
        raises={
            BodyError: "a table or a constraint refuses a row: then nothing of its message was committed",
            Unavailable: "the database is away, locked or full",
            DefinitionError: "table, column, key or statement do not fit the database",
        },
        figures={
            "waiting": "rows that wait for the next transaction",
            "rows_total": "rows changed",
            "commits_total": "transactions committed",
            "refused_total": "messages that were refused by the database",
            "repeated_total": "messages that had been done before, and changed nothing",
        },
        settings={"sql.NAME": ConnectionSettings},
        example="""
            from routekit import from_

            placing = from_("rabbitmq:orders").transaction(
                "sql:crm", lambda t: t.to("sql:crm/orders").to("rabbitmq:placed"), name="orders"
            )
        """,
    )

    connection: PathField = Field(description="the name of the connection")
    inbox: str = Field(default="routekit_inbox", pattern=_TABLE, description="table of the ids that are done")
    outbox: str = Field(default="routekit_outbox", pattern=_TABLE, description="table of the messages to be sent")
    remember: Seconds = Field(
        default=7_776_000.0, gt=0, description="seconds for which an id that is done is remembered"
    )
    batch: int = Field(default=500, ge=1, description="rows in one commit, if many messages come at once")
    linger: Seconds = Field(
        default=0.0, ge=0, description="seconds that a commit that is not full waits for more messages"
    )
    page: int = Field(
        default=100, ge=1, description="messages of the outbox that are sent, and then forgotten, at once"
    )
    poll: Seconds = Field(
        default=1.0, gt=0, description="seconds between two looks for messages that other processes have put in"
    )
    lease: Seconds = Field(
        default=30.0,
        gt=0,
        description="seconds after which another process ships, if the one that does is not heard of",
    )

    def joins(self, sink: Producer) -> bool:
        """A sink of the same connection."""
        return isinstance(sink, SqlSink) and sink.target.partition("/")[0] == self.connection

    async def probe(self, runtime: Runtime) -> str:
        """What the database is, and which of its tables will be made."""
        database = await database_of(runtime, self.connection)
        version = await database.read(database.dialect.version)
        missing = await database.read(Ledger(self.inbox, self.outbox).missing)
        return f"{version}, inbox and outbox{' will be made' if missing else ' are there'}"

    @asynccontextmanager
    async def open(self, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AsyncGenerator[Transactions]:
        """Open it, with its tables made; raises DefinitionError if a sink does not fit the database."""
        if len(name) > LONGEST:
            raise DefinitionError(f"the name '{name}' is too long", hint=f"it may have {LONGEST} characters")
        database = await database_of(runtime, self.connection)
        ledger = Ledger(self.inbox, self.outbox)
        await database.write(ledger.make)
        bindings = await database.read(partial(self._bindings, sinks, database))
        statements = await database.read(lambda connection: ledger.statements(connection.dialect))
        bell = await self._bell(runtime, database)
        writer = Writer(statements.mark, statements.put, partial(_ring, self._channel) if bell else _tell_nobody)
        group = GroupCommit(database, self.batch, self.linger, run=writer)
        transactions = SqlTransactions(
            database,
            name,
            statements,
            group,
            bindings,
            runtime.now,
            self.page,
            self.lease,
            self.remember,
            self._rings(bell),
        )
        figures = {**group.figures(), "repeated_total": lambda: transactions.repeated}
        with runtime.metered(self, figures):
            yield transactions

    def _bindings(self, sinks: Sequence[Producer], database: Database, connection: Connection) -> Mapping[Any, Binding]:
        return {sink: _binding(sink, database, connection) for sink in sinks if isinstance(sink, SqlSink)}

    @property
    def _channel(self) -> str:
        return self.outbox.replace(".", "_").lower()

    async def _bell(self, runtime: Runtime, database: Database) -> Bell | None:
        """What rings when another process has put something into the outbox, where the database has such a thing."""
        return await bell_of(runtime, self.connection, self._channel) if database.dialect.notifies else None

    def _rings(self, bell: Bell | None) -> Callable[[], Awaitable[None]]:
        if bell is None:
            return partial(never_sooner, self.poll)

        async def rung() -> None:
            with anyio.move_on_after(self.poll):
                await bell.next.wait()

        return rung


def _binding(sink: SqlSink, database: Database, connection: Connection) -> Binding:
    """How a body becomes rows of a sink; raises DefinitionError for a sink whose statement answers."""
    rows = Rows()
    if sink.mode != "execute":
        statements = sink.statements(connection, database)
        return lambda body: bound(statements, rows, body)
    if answers(sink.statement):
        hint = "ask for rows with enrich, and leave RETURNING out of what is only to be done"
        raise DefinitionError(f"statement={sink.statement}: nobody takes its answer in a transaction", hint=hint)
    named = checked(connection, sink.statement, database)
    return lambda body: [(named.plan, named.bind(row)) for row in rows.of(body)]


def _ring(channel: str, connection: Connection) -> None:
    connection.exec_driver_sql("SELECT pg_notify(%s, '')", (channel,))


def _tell_nobody(connection: Connection) -> None:
    pass
