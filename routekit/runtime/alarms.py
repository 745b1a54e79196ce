"""Exact timers by key: one heap, one sleeping task, no polling."""

from collections.abc import Awaitable, Callable
from heapq import heapify, heappop, heappush

import anyio
from anyio.abc import TaskGroup

from ..step import Job
from ..tasks import together

_AT_ONCE = 32
"""Timers that are due at one moment and ring at the same time, so that their writes share a commit."""

_SPARE = 1000
"""Places of cancelled timers that may stay in the heap, besides as many as there are timers."""

_NOW = 1e-6
"""Seconds that are no time: the clocks of the wall and of the event loop may differ by less than can be slept."""


class HeapAlarms:
    """Rings for keys at their times. Implements `Alarms`; `changed` is called when none rings any more."""

    def __init__(
        self,
        ring: Callable[[str], Awaitable[None]],
        now: Callable[[], float],
        changed: Callable[[], None],
        load: Job | None = None,
    ) -> None:
        self._load = load
        self._ring = ring
        self._now = now
        self._changed = changed
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._wake = anyio.Event()
        self.ringing = 0 if load is None else 1
        """How many timers ring just now; loading is one."""

    @property
    def count(self) -> int:
        """How many timers are set or ringing."""
        return len(self._due) + self.ringing

    def set(self, key: str, due: float) -> None:
        """Ring for `key` at that time; a later time costs nothing until the first one has come."""
        before = self._due.get(key)
        self._due[key] = due
        if before is None or due < before:
            heappush(self._heap, (due, key))
            if self._heap[0][1] == key:
                self._wake.set()

    def cancel(self, key: str) -> None:
        """Do not ring for `key`; its place in the heap is found empty when its time comes."""
        if self._due.pop(key, None) is not None:
            if len(self._heap) > 2 * len(self._due) + _SPARE:
                self._heap = [(due, key) for key, due in self._due.items()]
                heapify(self._heap)
            self._told()

    def working(self) -> Callable[[], None]:
        """Count as ringing until what this gives is called, once."""
        self.ringing += 1
        return self._rang

    async def run(self) -> None:
        """Ring until cancelled."""
        if self._load is not None:
            await self._load()
            self._rang()
        limit = anyio.Semaphore(_AT_ONCE)
        async with together() as tasks:
            while True:
                await self._sleep()
                await self._ring_next(tasks, limit)

    async def _sleep(self) -> None:
        """Until the first timer is due."""
        while True:
            self._wake = anyio.Event()
            wait = self._heap[0][0] - self._now() if self._heap else None
            if wait is not None and wait <= _NOW:
                return
            if wait is None:
                await self._wake.wait()
            else:
                with anyio.move_on_after(wait):
                    await self._wake.wait()

    async def _ring_next(self, tasks: TaskGroup, limit: anyio.Semaphore) -> None:
        due, key = heappop(self._heap)
        wanted = self._due.get(key)
        if wanted is None:
            return
        if wanted > due:  # it was put off
            heappush(self._heap, (wanted, key))
            return
        del self._due[key]
        self.ringing += 1
        await limit.acquire()
        tasks.start_soon(self._rung, key, limit)

    async def _rung(self, key: str, limit: anyio.Semaphore) -> None:
        try:
            await self._ring(key)
        finally:
            limit.release()
            self._rang()

    def _rang(self) -> None:
        self.ringing -= 1
        self._told()

    def _told(self) -> None:
        if not self.ringing:
            self._changed()
