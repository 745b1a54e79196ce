"""Durable state in one SQLite file, which several processes may share: the default store."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from ..errors import BadOption
from ..hookspecs import StoreFactory, hookimpl
from ..options import made
from ..store import Store
from ..tasks import together
from ..units import Bytes, Seconds
from ._commits import Commits
from ._file import File
from ._grouptables import SqliteGroups
from ._tables import SqliteKeys, SqliteLetters, SqliteMarks


class SqliteOptions(BaseModel):
    """The options of `store = "sqlite:path?option=value"`."""

    model_config = ConfigDict(frozen=True)

    busy_timeout: Seconds = Field(default=5.0, ge=0, description="seconds to wait while another process writes")
    max_size: Bytes | None = Field(default=None, gt=0, description="the file does not grow over this; unset: the disk")


class SqliteStore:
    """A store in a SQLite file; every write is committed and synced when its call returns."""

    durable = True

    def __init__(self, commits: Commits, owner: str, now: Callable[[], float]) -> None:
        self.owner = owner
        self.letters = SqliteLetters(commits)
        self._commits = commits
        self._now = now

    def keys(self, name: str) -> SqliteKeys:
        return SqliteKeys(self._commits, name, self._now)

    def marks(self, name: str) -> SqliteMarks:
        return SqliteMarks(self._commits, name, self._now)

    def groups(self, name: str) -> SqliteGroups:
        return SqliteGroups(self._commits, name, self._now)


@asynccontextmanager
async def open_sqlite(path: str, options: Mapping[str, Any], now: Callable[[], float]) -> AsyncGenerator[Store]:
    """The store in the file `path`, which is made with its folders if it is not there; raises StoreError."""
    chosen = made(SqliteOptions, options, "the sqlite store")
    if not path or path == ":memory:":
        raise BadOption(f"the sqlite store needs a file, found '{path}'", hint="write 'sqlite:<path>' or 'memory:'")
    async with _opened(Path(path), chosen) as file:
        commits = Commits(file.connection, file.explain)
        async with together() as tasks:
            tasks.start_soon(commits.run)
            try:
                yield SqliteStore(commits, f"process-{file.number}", now)
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
