"""Supervisor: starts the workers, starts them again when they die, and ends when they have ended. It runs no routes.

A worker is a process of its own session, so that a signal to the terminal reaches the supervisor alone, which tells the
workers by their standard input. When the supervisor dies, that is closed, and they stop: nobody is left behind.
"""

import logging
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from signal import Signals

import anyio
from anyio.abc import Process

from ..route import Retry
from ..tasks import together
from .leash import FORCE, OVER, STOP

_log = logging.getLogger("routekit")

AGAIN = Retry(attempts=0, first=0.5, most=60.0)
"""How long a worker that has died waits before it is started again."""

WELL = 60.0
"""Seconds after which a worker that dies has run well: it is started again soon, as if it had never failed."""

OFTEN = 3
"""Failures in a row after which it is said that something is wrong with more than one worker."""

_WORST: Sequence[int] = (0, 3, 1, 2)
"""Exit codes, the best first."""


class Worker:
    """One worker, and the process that it is now."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: Process | None = None
        self.code = 0
        self.failures = 0

    @property
    def pid(self) -> int | None:
        """The number of its process, None while it has none."""
        return None if self.process is None else self.process.pid


class Supervisor:
    """Keeps so many workers running; `command` gives what starts the worker of a name."""

    def __init__(self, command: Callable[[str], Sequence[str]], workers: int, random: Random | None = None) -> None:
        self.workers = [Worker(f"worker-{number}") for number in range(1, workers + 1)]
        self._command = command
        self._random = random or Random()
        self._stopping = anyio.Event()
        self._told = STOP

    async def stop(self) -> None:
        """Let all workers stop orderly; `run` returns when they have."""
        if not self._stopping.is_set():
            self._stopping.set()
            await self._tell()

    async def force(self) -> None:
        """Let all workers stop at once."""
        self._told = FORCE
        self._stopping.set()
        await self._tell()

    async def run(self) -> int:
        """Run until all workers have ended, by themselves or since they were told to; gives the worst exit code."""
        async with together() as tasks:
            for worker in self.workers:
                tasks.start_soon(self._keep, worker)
        return max((worker.code for worker in self.workers), key=_WORST.index)

    async def _keep(self, worker: Worker) -> None:
        """Run one worker, again and again."""
        while not self._stopping.is_set():
            began = anyio.current_time()
            code = await self._once(worker)
            if code == OVER:  # its sources are exhausted: a new process would begin them anew
                worker.code = 0
                return
            worker.code = code if code in _WORST else 1
            if self._stopping.is_set():
                return
            worker.failures = 1 if anyio.current_time() - began >= WELL else worker.failures + 1
            wait = AGAIN.wait(worker.failures, self._random)
            self._tell_of(worker, code, wait)
            with anyio.move_on_after(wait):
                await self._stopping.wait()

    async def _once(self, worker: Worker) -> int:
        """Run a process to its end; returns its exit code, below 0 for a signal."""
        process = await anyio.open_process(
            self._command(worker.name), stdin=subprocess.PIPE, stdout=None, stderr=None, start_new_session=True
        )
        worker.process = process
        _log.info("%s: process %d", worker.name, process.pid)
        try:
            if self._stopping.is_set():
                await self._tell()
            return await process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            raise
        finally:
            worker.process = None
            with anyio.CancelScope(shield=True):
                await process.aclose()

    async def _tell(self) -> None:
        """Tell all workers what they were told last."""
        for worker in self.workers:
            stdin = None if worker.process is None else worker.process.stdin
            if stdin is not None:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it has just ended
                    await stdin.send(self._told)

    def _tell_of(self, worker: Worker, code: int, wait: float) -> None:
        _log.warning("%s: %s; started again in %.1f s", worker.name, meant(code), wait)
        if worker.failures == OFTEN:
            _log.error(
                "%s: failed %d times in a row, the last time it %s; its own lines above say more. "
                "It is tried again, every %.0f s at most",
                *(worker.name, OFTEN, meant(code), AGAIN.most),
            )


def meant(code: int) -> str:
    """What an exit code of a worker says.

    >>> meant(2), meant(-9)
    ('ended with exit code 2 (a route or a setting is wrong)', 'was killed by SIGKILL')
    """
    if code < 0:
        return f"was killed by {Signals(-code).name}"
    means = {0: "told to stop", 1: "something failed", 2: "a route or a setting is wrong", 3: "something was left"}
    return f"ended with exit code {code}" + (f" ({means[code]})" if code in means else "")
