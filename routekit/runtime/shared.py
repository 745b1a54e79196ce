"""Resources that all routes share, each opened and closed in a task of its own.

A context manager must be left in the task that entered it; routes come and go in other tasks.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import TaskGroup

CLOSING = 10.0
"""Seconds that a resource gets to close in."""


@dataclass(eq=False)
class _Host:
    ready: anyio.Event = field(default_factory=anyio.Event)
    close: anyio.Event = field(default_factory=anyio.Event)
    closed: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))
    value: Any = None
    error: Exception | None = None


class Shared:
    """Opens each resource once, on first use; all are closed, last opened first, by `close`."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._hosts: dict[tuple[Any, ...], _Host] = {}

    async def get(self, factory: Callable[..., AbstractAsyncContextManager[Any]], *args: Hashable) -> Any:
        """The resource; raises what its opening raised, and the next call tries again."""
        key = (factory, args)
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host()
            self._tasks.start_soon(self._run, key, host, factory, args)
        await host.ready.wait()
        if host.error is not None:
            raise host.error
        return host.value

    async def _run(
        self, key: tuple[Any, ...], host: _Host, factory: Callable[..., AbstractAsyncContextManager[Any]], args: Any
    ) -> None:
        try:
            with host.scope:  # shielded: only `close` ends it, so that it is closed in order and in peace
                async with factory(*args) as host.value:
                    self._hosts[key] = self._hosts.pop(key)  # the order is that in which they were open, not asked for
                    host.ready.set()
                    await host.close.wait()
        except Exception as error:
            self._hosts.pop(key, None)
            if host.ready.is_set() and not host.close.is_set():
                raise  # it broke while in use: nobody else would tell
            host.error = error
        finally:
            host.ready.set()
            host.closed.set()

    async def close(self) -> None:
        """Close everything, in the reverse order of opening."""
        for host in reversed(list(self._hosts.values())):
            host.close.set()
            with anyio.move_on_after(CLOSING if host.ready.is_set() else 0.0):
                await host.closed.wait()
            host.scope.cancel()  # it does not open, or does not close: nobody waits for it any more
            await host.closed.wait()
