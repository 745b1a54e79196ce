"""The event loop of a simulated process: virtual time, a seeded order of its tasks, and an end at any moment.

asyncio and no other: a process that dies must stop between two steps, and nothing that waits in it may run on. Neither
anyio nor trio lets a loop be left like that. It opens no files and no connections, so a route that tries is told.
"""

import asyncio
import inspect
import sys
import threading
import time as real
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Literal, TypeAlias, cast

from ..errors import RouteKitError

Ending: TypeAlias = Literal["halted", "done", "late", "busy"]
"""Why the loop stopped: it was told to, what was waited for holds, time is up, or it never came to rest."""

BUSY = 200_000
"""Steps without any time passing, after which tasks only keep each other awake."""

_LAST_STEPS = 50
"""Rounds that the tasks of a dead process get to end in."""


class NoNetwork(RouteKitError):
    """A route that is simulated has tried to open a connection or a file descriptor of its own."""


class _Task(asyncio.Task[Any]):
    """A task with a number, so that their order does not depend on where they lie in memory."""

    number: int = 0


class SimLoop(asyncio.AbstractEventLoop):
    """Runs until told otherwise; `order` shuffles the tasks that are ready at one moment, None keeps their order."""

    def __init__(self, start: float = 0.0, order: Random | None = None) -> None:
        self.steps = 0
        self._now = start
        self._order = order
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count(1)
        self._halted = False
        self._dead = False
        self._running = False
        self._threads = threading.active_count()

    def halt(self) -> None:
        """Run nothing any more after this step."""
        self._halted = True

    def run(self, *, until: float, done: Callable[[], bool]) -> Ending:
        """Run until `done` holds at a moment when all tasks wait, or the time `until` is reached."""
        return self._run_as_running(lambda: self._run(until, done))

    def _run_as_running(self, work: Callable[[], Ending]) -> Ending:
        hooks = sys.get_asyncgen_hooks()
        before = events._get_running_loop()
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._forgotten)
        events._set_running_loop(self)
        self._running = True
        try:
            return work()
        finally:
            self._running = False
            events._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)

    def _run(self, until: float, done: Callable[[], bool]) -> Ending:
        busy = 0
        while not self._halted:
            if not self._ready:
                if done():
                    return "done"
                due = self._next()
                if due is None or due > until:
                    self._now = max(self._now, until)
                    return "late"
                busy = busy if due <= self._now else 0
                self._now = max(self._now, due)
                self._ring()
            busy += self._step()
            if busy > BUSY:
                return "busy"
        return "halted"

    def _step(self) -> int:
        """Run what is ready now; what becomes ready by that comes after it."""
        batch = self._batch()
        for place, handle in enumerate(batch):
            if self._halted:
                self._ready.extendleft(reversed(batch[place:]))  # they are buried with their tasks
                break
            if not handle.cancelled():
                handle._run()
                if threading.active_count() > self._threads:
                    self._await_threads()
        self.steps += len(batch)
        return len(batch)

    def _batch(self) -> list[asyncio.Handle]:
        batch = list(self._ready)
        self._ready.clear()
        if self._order is None or len(batch) < 2:
            return batch
        tasks: list[tuple[int, int, asyncio.Handle]] = []
        others: list[asyncio.Handle] = []
        for place, handle in enumerate(batch):
            owner = getattr(handle._callback, "__self__", None)
            if isinstance(owner, _Task):
                tasks.append((owner.number, place, handle))
            else:
                others.append(handle)
        tasks.sort(key=lambda one: one[:2])
        self._order.shuffle(tasks)
        return [*others, *(handle for *_, handle in tasks)]

    def _next(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled():
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _ring(self) -> None:
        while (due := self._next()) is not None and due <= self._now:
            self._ready.append(heappop(self._timers)[2])

    def _await_threads(self) -> None:
        """A worker thread does its work at once, as far as the tasks can see."""
        while _threads_at_work():
            real.sleep(0.0005)

    def bury(self) -> None:
        """End all tasks of a process that is dead: what they still do has no effect, and takes no time."""
        self._dead = True
        for _ in range(3):
            left = [task for task in asyncio.all_tasks(self) if not task.done()]
            for task in left:
                _unbegun(cast("Coroutine[Any, Any, Any]", task.get_coro()))
                task.cancel()
            if left:
                self._last_steps()
        for task in asyncio.all_tasks(self):
            setattr(task, "_log_destroy_pending", False)  # noqa: B010 - it is meant to be left behind
            with suppress(BaseException):  # whatever its finally blocks do now
                cast("Coroutine[Any, Any, Any]", task.get_coro()).close()
        self._ready.clear()
        self._timers.clear()

    def _last_steps(self) -> None:
        rounds = count()
        self._halted = False
        self._run_as_running(lambda: self._rounds(rounds))

    def _rounds(self, rounds: Iterator[int]) -> Ending:
        while self._ready and next(rounds) < _LAST_STEPS:
            self._step()
        return "halted"

    def _forgotten(self, generator: AsyncGenerator[Any, Any]) -> None:
        """A generator that nobody iterates any more."""
        if not self._dead:
            self.call_soon(self.create_task, generator.aclose())

    # what asyncio and anyio ask of a loop

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> asyncio.Task[Any]:
        if self._dead:
            _unbegun(coro)
        task = _Task(coro, loop=self, name=name, context=context)
        task.number = next(self._numbers)
        return task

    def get_task_factory(self) -> None:
        return None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What no task has handled is nobody's: the routes tell of all that counts."""

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return False

    async def shutdown_asyncgens(self) -> None:
        pass

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NoNetwork(
            "a function of the route opens a connection, and a simulation opens none",
            hint="send by an endpoint, which has a twin; or give simulate(answers=...) in its place",
        )

    create_connection = create_datagram_endpoint = create_unix_connection = getaddrinfo = _refuse
    subprocess_exec = subprocess_shell = sock_connect = create_server = _refuse


def _unbegun(coro: Coroutine[Any, Any, Any]) -> None:
    """Close what a task of anyio would have begun, and never will: else Python warns that nobody awaited it."""
    frame = coro.cr_frame if inspect.iscoroutine(coro) and inspect.getcoroutinestate(coro) == "CORO_CREATED" else None
    for value in frame.f_locals.values() if frame is not None else ():
        inner = getattr(value, "_coro", None)
        if inspect.iscoroutine(inner):
            inner.close()


def _threads_at_work() -> bool:
    """Whether a worker of anyio's pool has something to do."""
    queues: list[Any] = [getattr(thread, "queue", None) for thread in threading.enumerate()]
    return any(getattr(queue, "unfinished_tasks", 0) for queue in queues)


def ended(task: asyncio.Task[Any]) -> BaseException | None:
    """What a task ended with; None if all is well, or if it has not ended."""
    with suppress(asyncio.InvalidStateError, asyncio.CancelledError):
        return task.exception()
    return None
