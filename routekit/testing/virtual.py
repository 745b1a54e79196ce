"""Virtual time: a clock that jumps to the next timer as soon as all tasks wait, on asyncio and on trio.

Time stands still while something real is under way: on asyncio a file descriptor that is ready, or a worker thread at
work; trio's clock does not know of threads. What needs real time, such as a server, belongs to a real clock.
"""

import asyncio
import selectors
import threading
from typing import Any, Literal, TypeAlias

Loop: TypeAlias = Literal["asyncio", "trio"]


def virtual(loop: Loop = "asyncio") -> tuple[str, dict[str, Any]]:
    """An event loop in virtual time, for a fixture `anyio_backend`, or for `anyio.run`.

    >>> import anyio
    >>> backend, options = virtual()
    >>> anyio.run(anyio.sleep, 3600, backend=backend, backend_options=options)
    """
    if loop == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop}
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}


BUSY_POLL = 0.02
"""Real seconds between two looks at worker threads that are at work."""

GRACE = 0.002
"""Real seconds that other threads, such as a database's own, get before time jumps."""


class VirtualSelector(selectors.DefaultSelector):
    """Selects without waiting, and moves the time by as much as it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # no timer: only the outside, such as a thread, can bring us on
            return super().select(None)
        while _threads_at_work():
            if ready := super().select(BUSY_POLL):
                return ready
        if threading.active_count() > 1 and (ready := super().select(GRACE)):
            return ready
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """To be given to anyio: `("asyncio", {"loop_factory": VirtualLoop})`."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-6  # years of virtual time still have room for the next tick

    def time(self) -> float:
        return self._virtual.now


def _threads_at_work() -> bool:
    """Whether a worker of anyio's pool has something to do."""
    queues: list[Any] = [getattr(thread, "queue", None) for thread in threading.enumerate()]
    return any(getattr(queue, "unfinished_tasks", 0) for queue in queues)
