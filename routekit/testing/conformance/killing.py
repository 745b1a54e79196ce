"""A process that is killed: a fork of the test's own, so that the author's class is there as it is."""

import os
import select
import signal
import threading
import traceback
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest

from ...endpoint import Endpoint
from .bench import Bench

AT_WORK = b"at work"

Work: TypeAlias = Callable[[Callable[[bytes], object]], Awaitable[Any]]
"""What a process does; it is given the function by which it tells how far it is."""


async def killed_at_work(bench: Bench, source: Callable[[], str | Endpoint], loop: str) -> None:
    """Let another process take a message from the source, and kill it while the route is at work on it."""

    async def work(tell: Callable[[bytes], object]) -> None:
        async with bench.source_life(source()) as life:
            await life.next()
            tell(AT_WORK)
            await anyio.sleep_forever()

    told = await killed(work, loop, len(AT_WORK), bench.patience * 2)
    assert told == AT_WORK, f"a process that was to take a message did not: {told.decode(errors='replace')}"


async def killed(work: Work, loop: str, enough: int, patience: float) -> bytes:
    """Let another process do the work, and kill it once it has told so many bytes; returns all that it has told.

    That is less, or the text of an error, if the work ends before; or if it tells nothing for `patience` seconds.
    """
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork a process that is to be killed")
    return await anyio.to_thread.run_sync(_kill, work, loop, enough, patience)


def _kill(work: Work, loop: str, enough: int, patience: float) -> bytes:
    reading, writing = os.pipe()
    pids: list[int] = []

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads are there; the child uses none of them
            pid = os.fork()
        if pid == 0:
            _live(work, loop, writing)
        pids.append(pid)

    # In a thread of its own, the child does not believe that it is inside the event loop of its parent.
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    os.close(writing)
    told = b""
    try:
        while len(told) < enough and (more := _read(reading, patience)):
            told += more
    finally:
        os.kill(pids[0], signal.SIGKILL)
        os.waitpid(pids[0], 0)
        while more := _read(reading, patience):  # what it has told before it died
            told += more
        os.close(reading)
    return told


def _read(reading: int, seconds: float) -> bytes:
    ready, _, _ = select.select([reading], [], [], seconds)
    return os.read(reading, 65536) if ready else b""


def _live(work: Work, loop: str, writing: int) -> Any:
    """The life of the child: it ends by being killed."""

    def tell(told: bytes) -> None:
        os.write(writing, told)

    try:
        signal.set_wakeup_fd(-1)  # the one of the parent's event loop
        anyio.run(work, tell, backend=loop)
    except BaseException as error:  # it is told to the parent, and nothing of pytest's own may run here
        os.write(writing, "".join(traceback.format_exception(error)).encode())
    finally:
        os._exit(1)
