"""The store: opened with a place of its own among the processes that share it."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from functools import partial
from time import monotonic, sleep
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
import psycopg
from pydantic import ValidationError

from routekit import BadOption, Held, Store, StoreFacts, did_you_mean

from .address import PostgresqlOptions, address_of
from .audit import PostgresqlAudit
from .clock import DatabaseTime, clock_of
from .connecting import Bounded, Database, lost
from .contents import counting, describing, vacuum
from .groups import PostgresqlGroups
from .journal import PostgresqlJournal
from .keys import PostgresqlKeys
from .lanes import Fenced, Lanes
from .letters import PostgresqlLetters
from .marks import PostgresqlMarks
from .membership import Membership
from .offices import Offices, PostgresqlOffice
from .outbox import PostgresqlOutbox
from .schema import migrate
from .sentry import Sentry
from .values import PostgresqlValues
from .watching import Bells, Watch

R = TypeVar("R")

_LEAVING: Final = 2.0
"""Seconds that an orderly end waits for a server that is away."""


class PostgresqlStore:
    """A store in a PostgreSQL database; every write is committed and synced when its call returns."""

    durable = True

    def __init__(
        self,
        database: Database,
        lanes: Lanes,
        membership: Membership,
        bells: Bells,
        offices: Offices,
        now: Callable[[], float],
    ) -> None:
        self.owner = membership.name
        self.letters = PostgresqlLetters(lanes)
        self.audit = PostgresqlAudit(lanes)
        self._database = database
        self._lanes = lanes
        self._token = membership.token
        self._bells = bells
        self._offices = offices
        self._now = now

    def keys(self, name: str) -> PostgresqlKeys:
        return PostgresqlKeys(self._lanes, name, self._token, self._now)

    def marks(self, name: str) -> PostgresqlMarks:
        return PostgresqlMarks(self._lanes, name, self._now)

    def groups(self, name: str) -> PostgresqlGroups:
        return PostgresqlGroups(self._lanes, name, self.owner, self._token, self._now)

    def journal(self, name: str) -> PostgresqlJournal:
        return PostgresqlJournal(self._lanes, name, self._token, self._now)

    def values(self, name: str) -> PostgresqlValues:
        return PostgresqlValues(self._lanes, name, self._now)

    def outbox(self, name: str) -> PostgresqlOutbox:
        return PostgresqlOutbox(self._lanes, name, self._token, self._now)

    async def contents(self) -> Sequence[Held]:
        """What there is of each kind under each name, sorted by kind and name; what is empty is left out."""
        return await self._lanes.do(counting(self._now()))

    async def described(self) -> StoreFacts:
        """The server, the version of the tables, and the time of day there."""
        return await self._lanes.do(describing())

    async def vacuum(self) -> None:
        """Let PostgreSQL use the space of what is gone for what comes; nobody has to wait for it."""
        try:
            await anyio.to_thread.run_sync(vacuum, self._database)
        except psycopg.Error as error:
            raise self._database.explain(error) from error

    def changed(self, kind: str, name: str) -> anyio.Event:
        """Set when a process that shares the store has put something into `outbox`, or given something up.

        Ask for it, look, and then wait for it: so nothing is missed. It is also set when a process has died or left,
        whose `journal` and `groups` others may take now. It may be set for nothing; and, when the connection is lost,
        late: look by yourself from time to time.
        """
        return self._bells.next(f"{kind} {name}")

    def leading(self, name: str) -> AbstractAsyncContextManager[PostgresqlOffice]:
        """Stand for the office of that name within the block; who has it leads, until his lease is over."""
        return self._offices.leading(name)


@asynccontextmanager
async def open_postgresql(path: str, options: Mapping[str, Any], now: Callable[[], float]) -> AsyncGenerator[Store]:
    """The store in the database that `path` names, `//user:password@host:port/database`; raises StoreError.

    When other processes hold this one for dead, everything raises StoreError, and what runs with the store is
    cancelled and raises StoreError too: it must begin anew.
    """
    database = Database(address_of(path), _made(options))
    channel = f"routekit_{database.schema}"
    clock, bells = DatabaseTime(), Bells()
    membership = Membership(channel, database.options.lease, database.options.connections, clock)
    connection = await anyio.to_thread.run_sync(partial(_opened, database, membership))
    fenced = anyio.Event()
    lanes = Lanes(database, membership.token, channel, membership.name, fenced.set)
    watch = Watch(database, membership, channel, bells)
    sentry = Sentry(database, membership, channel)
    offices = Offices(lanes, membership, bells, sentry, database.options.lease, clock_of(now, clock))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lanes.run)
            open_for = anyio.CancelScope()
            tasks.start_soon(_watched, watch, (sentry.run, offices.run), connection, lanes, fenced, open_for)
            try:
                yield PostgresqlStore(database, lanes, membership, bells, offices, clock_of(now, clock))
            finally:
                lanes.close()
                open_for.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from failures
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_leave, database, membership)


async def _watched(
    watch: Watch,
    others: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    connection: Bounded,
    lanes: Lanes,
    fenced: anyio.Event,
    open_for: anyio.CancelScope,
) -> None:
    """Watch as long as the store is open; raises Fenced when this process was held for dead, whoever noticed."""
    with open_for:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run, connection)
            for other in others:
                tasks.start_soon(other)
            await fenced.wait()
            raise Fenced


def _made(options: Mapping[str, Any]) -> PostgresqlOptions:
    known = [field.alias or name for name, field in PostgresqlOptions.model_fields.items()]
    for name in options:
        if name not in known:
            raise BadOption(f"the postgresql store: has no option '{name}'", hint=did_you_mean(name, known))
    try:
        return PostgresqlOptions.model_validate(dict(options))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        named = ".".join(map(str, wrong["loc"]))
        told = wrong["msg"].removeprefix("Value error, ")
        found = f"'{named}': {told[:1].lower()}{told[1:]}, found {wrong['input']!r}"
        raise BadOption(f"the postgresql store: {found}", hint="see the table of options in its README") from None


def _opened(database: Database, membership: Membership) -> Bounded:
    """A connection to the database with all its tables, where this process has its place; in a thread."""

    def opened() -> Bounded:
        connection = database.connect("opening")
        try:
            migrate(connection, database.schema)
            membership.enter(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    try:
        return _patiently(opened, database.options.timeout)
    except psycopg.Error as error:
        raise database.explain(error) from error


def _leave(database: Database, membership: Membership) -> None:
    def leave() -> None:
        with closing(database.connect("leaving")) as connection:
            membership.leave(connection)

    with suppress(psycopg.Error):  # it is held for dead when its lease has run out
        _patiently(leave, min(database.options.timeout, _LEAVING))


def _patiently(work: Callable[[], R], timeout: float) -> R:
    """Waits for a server that starts, or is away for a moment."""
    end = monotonic() + timeout
    pause = 0.05
    while True:
        try:
            return work()
        except psycopg.Error as error:
            if not lost(error, None) or monotonic() + pause > end:
                raise
            sleep(pause)
            pause = min(pause * 2, 1.0)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ended it: that others have taken over, if it is among them."""
    fenced = failures.subgroup(Fenced)
    first = (fenced or failures).exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first  # pyright: ignore[reportUnknownArgumentType]  # groups of groups
