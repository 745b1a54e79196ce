"""A named database: one engine for all routes, whose work runs in threads of its own."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread
from sqlalchemy.engine import Connection, Engine

from routekit import BodyError, DefinitionError, RouteKitError, Runtime, Unavailable

from .dialect import Dialect, parsed
from .settings import ConnectionSettings, settings_of

R = TypeVar("R")


class Database:
    """An open database. Work is a plain function of a SQLAlchemy connection; it runs in a thread, all of it in one.

    Work is never cancelled halfway, since a driver that is interrupted leaves a connection in an unknown state; how
    long it can take is bounded by the settings' `timeout` and by the size of a batch.
    """

    def __init__(self, name: str, engine: Engine, dialect: Dialect, threads: int) -> None:
        self.name = name
        self.dialect = dialect
        self._engine = engine
        self._threads = anyio.CapacityLimiter(threads)
        self._writing = anyio.Lock()

    async def read(self, work: Callable[[Connection], R]) -> R:
        """The result of `work` with a connection of the pool; raises what the database's errors mean."""
        return await self.in_thread(partial(self._run, work))

    async def write(self, work: Callable[[Connection], R]) -> R:
        """The result of `work`, which begins and commits its own transactions.

        It is done even if the caller is cancelled. One work runs after the other where the database has one writer at
        a time: those that queue here get their turn sooner than those that poll for its lock.
        """
        return await _uninterrupted(partial(self._write, work))

    def meaning(self, error: Exception) -> Exception:
        """What an error of the database means, or the error itself if it is none of the database."""
        if isinstance(error, RouteKitError):
            return error
        return self.dialect.fault(error, f"sql:{self.name}") or error

    async def run_script(self, path: str) -> None:
        """Run a script file; raises DefinitionError if there is none or it is wrong."""
        try:
            script = await anyio.Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            hint = f"see schema in [sql.{self.name}]; the path starts at {Path.cwd()}"
            raise DefinitionError(f"sql:{self.name}: cannot read the script {path}: {error}", hint=hint) from error
        try:
            await self.write(lambda connection: self.dialect.run_script(connection, script))
        except RouteKitError as error:
            if isinstance(error, Unavailable):
                raise
            raise DefinitionError(f"{error.message}, in the script {path}", hint="see the script") from error

    async def in_thread(self, job: Callable[[], R]) -> R:
        """The result of `job`, which runs in one of the threads of this database."""
        return await anyio.to_thread.run_sync(job, limiter=self._threads)

    def connected(self) -> Connection:
        """A connection of the pool; in a thread."""
        return self._engine.connect()

    def told(self, work: Callable[[], R]) -> R:
        """The result of `work`; raises what the database's errors mean."""
        try:
            return work()
        except Exception as error:  # whatever the driver raises is translated, or goes on as it is
            raise self.meaning(error) from error

    async def close(self) -> None:
        """Close all connections."""
        await self.in_thread(self._engine.dispose)

    async def _write(self, work: Callable[[Connection], R]) -> R:
        if not self.dialect.one_writer:
            return await self.in_thread(partial(self._run, work))
        async with self._writing:
            return await self.in_thread(partial(self._run, work))

    def _run(self, work: Callable[[Connection], R]) -> R:
        return self.told(partial(self._connected, work))

    def _connected(self, work: Callable[[Connection], R]) -> R:
        with self._engine.connect() as connection:
            try:
                return work(connection)
            except Exception as error:
                if not isinstance(self.meaning(error), BodyError):
                    connection.invalidate()  # it may be broken: the next work gets another one
                raise


@contextmanager
def transaction(connection: Connection) -> Generator[None]:
    """A transaction that is over at the end of the block, whatever happens.

    SQLAlchemy holds a transaction for closed whose commit failed, but SQLite leaves it open, with its rows: they would
    be part of the next one.
    """
    try:
        with connection.begin():
            yield
    except Exception:
        if not connection.invalidated:
            connection.connection.rollback()
        raise


async def _uninterrupted(job: Callable[[], Awaitable[R]]) -> R:
    with anyio.CancelScope(shield=True):
        return await job()
    raise AssertionError("a shield swallows nothing")


@asynccontextmanager
async def open_database(name: str, settings: ConnectionSettings) -> AsyncGenerator[Database]:
    """Open a database, connected once and with its script run, and close it at the end."""
    url, dialect = parsed(settings, f"[sql.{name}]")
    database = Database(name, dialect.engine(url, settings), dialect, settings.pool_size + 1)
    try:
        await database.read(lambda connection: None)
        if settings.script:
            await database.run_script(settings.script)
        yield database
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


async def database_of(runtime: Runtime, name: str) -> Database:
    """The database that the settings call `name`, opened by the first route that asks."""
    settings = cast("Any", settings_of(runtime, name))  # hashable, since frozen; pydantic does not tell pyright
    return await runtime.shared(open_database, name, settings)
