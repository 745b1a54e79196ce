"""Watching: the kernel says when a directory changes, so that a source need not wait for its next poll."""

import math
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_GROUPING = 200
"""Milliseconds in which changes are told as one."""

_STEP = 50
"""Milliseconds between two looks of the package at what the kernel told it, and at whether to stop."""

_DELETED = 3
"""What the package calls the change that something was removed."""

_AT_MOST = 5_000
"""Milliseconds without a change after which it is asked whether the directory is still the one that is watched."""


class Watch:
    """A watched directory. `changed` is set at the next change, and replaced by a new event then."""

    def __init__(self) -> None:
        self.changed = anyio.Event()
        self.error: Exception | None = None
        """Why the watching ended early, such as for want of inotify watches: polling goes on."""

    def tell(self) -> None:
        """Wake all who wait for a change."""
        self.changed.set()
        self.changed = anyio.Event()


class Watcher:
    """The package's watcher of one directory, which may be removed and made anew; all methods block."""

    def __init__(self, directory: Path, *, recursive: bool) -> None:
        self._directory = directory
        self._recursive = recursive
        self._notify: RustNotify | None = None
        self._watched: tuple[int, int] | None = None
        self.stop = Event()

    def begin(self) -> None:
        """Watch from now on: what changes after this is told. Raises OSError, and RuntimeError of the package."""
        # `awatch` begins to watch at some later time, and in a thread of those that are for work that ends.
        from watchfiles._rust_notify import RustNotify

        self._watched = self._there()
        self._notify = RustNotify([str(self._directory)], False, False, 0, self._recursive, True)

    def changed(self) -> bool:
        """Whether something has changed, after a while without a change; raises as `begin` does."""
        if self._notify is None:
            return self._begin_again()
        told = self._notify.watch(_GROUPING, _STEP, _AT_MOST, self.stop)
        changes = told if isinstance(told, set) else set[tuple[int, str]]()
        # A directory that is made anew may be known to the system by the very same number.
        if (_DELETED, str(self._directory)) in changes or self._there() != self._watched:
            self.close()
            return True
        return any(self._concerns(path) for _, path in changes)

    def close(self) -> None:
        """Let go of the kernel's watches."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    def _begin_again(self) -> bool:
        """Watch the directory that is there now; while there is none, wait for it."""
        if self._there() is None:
            self.stop.wait(_AT_MOST / 1000)
            return False
        self.begin()
        return True

    def _there(self) -> tuple[int, int] | None:
        try:
            found = self._directory.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _concerns(self, path: str) -> bool:
        """Not what is hidden, such as our own leases: a source that wakes itself would never rest."""
        parts = Path(os.path.relpath(path, self._directory)).parts
        return not any(part.startswith(".") and part not in (".", "..") for part in parts)


def can_watch() -> bool:
    """Whether the package that watches is installed."""
    return find_spec("watchfiles") is not None


@asynccontextmanager
async def watching(directory: str, recursive: bool) -> AsyncGenerator[Watch]:
    """Watch a directory for as long as this is open; made for `runtime.shared`."""
    watch, watcher = Watch(), Watcher(Path(directory), recursive=recursive)
    # Each watch sits in a thread for as long as it lives; those of the process are for work that ends.
    limiter = anyio.CapacityLimiter(math.inf)
    try:
        await anyio.to_thread.run_sync(watcher.begin, limiter=limiter)  # before the source's first look
    except (OSError, RuntimeError) as error:  # the package's own errors are RuntimeErrors
        watch.error = error
    async with anyio.create_task_group() as tasks:
        if watch.error is None:
            tasks.start_soon(_follow, watch, watcher, limiter)
        try:
            yield watch
        finally:
            watcher.stop.set()
    watcher.close()


async def _follow(watch: Watch, watcher: Watcher, limiter: anyio.CapacityLimiter) -> None:
    try:
        while not watcher.stop.is_set():
            if await anyio.to_thread.run_sync(watcher.changed, limiter=limiter):
                watch.tell()
    except (OSError, RuntimeError) as error:
        watch.error = error
        watch.tell()
