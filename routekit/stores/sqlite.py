"""Durable state in one SQLite file: the default store. It is for one service; tools may open it beside that one."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from ..errors import BadOption
from ..hookspecs import StoreFactory, hookimpl
from ..options import made
from ..store import Held, Store, StoreFacts
from ..tasks import together
from ..units import Bytes, Seconds
from ._audittable import SqliteAudit
from ._commits import Commits
from ._file import File
from ._grouptables import SqliteGroups
from ._holdings import Holdings, vacuum
from ._journaltable import SqliteJournal
from ._lettertable import SqliteLetters
from ._outboxtable import SqliteOutbox
from ._tables import SqliteKeys, SqliteMarks
from ._valuetable import SqliteValues


class SqliteOptions(BaseModel):
    """The options of `store = "sqlite:path?option=value"`."""

    model_config = ConfigDict(frozen=True)

    busy_timeout: Seconds = Field(default=5.0, ge=0, description="seconds to wait while another process writes")
    max_size: Bytes | None = Field(default=None, gt=0, description="the file does not grow over this; unset: the disk")


class SqliteStore:
    """A store in a SQLite file; every write is committed and synced when its call returns."""

    durable = True

    def __init__(self, commits: Commits, file: File, holdings: Holdings, now: Callable[[], float]) -> None:
        self.letters = SqliteLetters(commits)
        self.audit = SqliteAudit(commits)
        self._commits = commits
        self._file = file
        self._holdings = holdings
        self._now = now

    @property
    def owner(self) -> str:
        """The name of this process: of a service, that of the one before it."""
        return self._file.owner

    def keys(self, name: str) -> SqliteKeys:
        """The keys of that name."""
        return SqliteKeys(self._commits, name, self._now)

    def marks(self, name: str) -> SqliteMarks:
        """The marks of that name."""
        return SqliteMarks(self._commits, name, self._now)

    def groups(self, name: str) -> SqliteGroups:
        """The groups of that name."""
        return SqliteGroups(self._commits, name, self._now)

    def journal(self, name: str) -> SqliteJournal:
        """The journal of that name."""
        return SqliteJournal(self._commits, name, self._now, self._file.others)

    def values(self, name: str) -> SqliteValues:
        """The values of that name."""
        return SqliteValues(self._commits, name, self._now)

    def outbox(self, name: str) -> SqliteOutbox:
        """The outbox of that name."""
        return SqliteOutbox(self._commits, name, self._now)

    def serving(self) -> AbstractContextManager[None]:
        """Held by the one service that runs routes with it; raises StoreError if there is another."""
        return self._file.serving()

    async def contents(self) -> Sequence[Held]:
        """What there is of each kind under each name; no writer waits for it."""
        return await self._holdings.read(self._now())

    async def described(self) -> StoreFacts:
        """The library that reads the file, and the version of its tables; its clock is that of this machine."""
        return await self._holdings.facts()

    async def vacuum(self) -> None:
        """Write the file anew without its gaps; writers wait."""
        await self._commits.alone(vacuum)


@asynccontextmanager
async def open_sqlite(path: str, options: Mapping[str, Any], now: Callable[[], float]) -> AsyncGenerator[Store]:
    """The store in the file `path`, which is made with its folders if it is not there; raises StoreError."""
    chosen = made(SqliteOptions, options, "the sqlite store")
    if not path or path == ":memory:":
        raise BadOption(f"the sqlite store needs a file, found '{path}'", hint="write 'sqlite:<path>' or 'memory:'")
    async with _opened(Path(path), chosen) as file:
        commits = Commits(file)
        async with together() as tasks:
            tasks.start_soon(commits.run)
            try:
                yield SqliteStore(commits, file, Holdings(file.path, file.explain, chosen.busy_timeout), now)
            finally:
                commits.close()


@asynccontextmanager
async def _opened(path: Path, options: SqliteOptions) -> AsyncGenerator[File]:
    opening = partial(File, path, busy_timeout=options.busy_timeout, max_size=options.max_size)
    file = await anyio.to_thread.run_sync(opening)  # runs to its end even if cancelled, so the file is closed below
    try:
        yield file
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(file.close)


@hookimpl
def register_stores() -> Mapping[str, StoreFactory]:
    return {"sqlite": open_sqlite}
