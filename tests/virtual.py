"""An asyncio event loop in virtual time: it jumps to the next timer instead of sleeping, as trio's MockClock does.

Time stands still while something real is under way: a file descriptor that is ready, or a worker thread at work.
"""

import asyncio
import selectors
import threading
from typing import Any

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
