"""Watching: the kernel says when a directory changes, so that a source need not wait for its next poll."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import anyio

_GROUPING = 200
"""Milliseconds in which changes are told as one."""


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


def can_watch() -> bool:
    """Whether the package that watches is installed."""
    return find_spec("watchfiles") is not None


@asynccontextmanager
async def watching(directory: str, recursive: bool) -> AsyncGenerator[Watch]:
    """Watch a directory for as long as this is open; made for `runtime.shared`."""
    watch, stop = Watch(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_follow, watch, directory, recursive, stop)
        try:
            yield watch
        finally:
            stop.set()  # the package's thread looks at this, and only every five seconds at a cancellation
            tasks.cancel_scope.cancel()


async def _follow(watch: Watch, directory: str, recursive: bool, stop: anyio.Event) -> None:
    from watchfiles import awatch

    try:
        async for _ in awatch(directory, recursive=recursive, watch_filter=None, debounce=_GROUPING, stop_event=stop):
            watch.tell()
    except (OSError, RuntimeError) as error:  # the package's own errors are RuntimeErrors
        watch.error = error
    watch.tell()
