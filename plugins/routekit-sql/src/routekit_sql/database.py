"""A named database: one engine for all routes, with one writer and a pool of readers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from routekit import DefinitionError, RouteKitError, Runtime, Unavailable

from .dialect import Dialect, parsed
from .settings import ConnectionSettings, settings_of

R = TypeVar("R")


class Database:
    """An open database. Work is a plain function of a SQLAlchemy connection; its statements do not block the loop.

    Work is never cancelled halfway, since a driver that is interrupted leaves a connection in an unknown state; how
    long it can take is bounded by the settings' `timeout` and by the size of a batch.
    """

    def __init__(self, name: str, engine: AsyncEngine, dialect: Dialect) -> None:
        self.name = name
        self.dialect = dialect
        self._engine = engine
        self._writing = anyio.Lock()
        self._writer: AsyncConnection | None = None

    async def read(self, work: Callable[[Connection], R]) -> R:
        """The result of `work` with a connection of the pool; raises what the database's errors mean."""
        return await _uninterrupted(partial(self._read, work))

    async def write(self, work: Callable[[Connection], R]) -> R:
        """The result of `work`, which begins and commits its own transactions, one work after the other.

        The lock is held over nothing but `work`. SQLite has one writer at a time, and those that queue here get
        their turn sooner than those that poll for its lock.
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
            async with self._engine.connect() as connection:
                await self.dialect.run_script(connection, script)
        except Exception as error:
            meaning = self.meaning(error)
            if isinstance(meaning, RouteKitError) and not isinstance(meaning, Unavailable):
                raise DefinitionError(f"{meaning.message}, in the script {path}", hint="see the script") from error
            raise meaning from error

    async def close(self) -> None:
        """Let go of the writer's connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

    async def _read(self, work: Callable[[Connection], R]) -> R:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(work)
        except Exception as error:  # whatever the driver raises is translated, or goes on as it is
            raise self.meaning(error) from error

    async def _write(self, work: Callable[[Connection], R]) -> R:
        async with self._writing:
            try:
                self._writer = self._writer or await self._engine.connect()
                return await self._writer.run_sync(work)
            except Exception as error:  # as above; the connection may be broken: the next work gets a new one
                if self._writer is not None:
                    await self._writer.invalidate()
                await self.close()
                raise self.meaning(error) from error


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
    database = Database(name, engine := dialect.engine(url, settings), dialect)
    try:
        await database.read(lambda connection: None)
        if settings.script:
            await database.run_script(settings.script)
        yield database
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()
            await engine.dispose()


async def database_of(runtime: Runtime, name: str) -> Database:
    """The database that the settings call `name`, opened by the first route that asks."""
    settings = cast("Any", settings_of(runtime, name))  # hashable, since frozen; pydantic does not tell pyright
    return await runtime.shared(open_database, name, settings)
