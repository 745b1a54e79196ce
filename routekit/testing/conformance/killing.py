"""A process that is killed: a fork of the test's own, so that the author's class is there as it is."""

import os
import select
import signal
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest

from ...endpoint import Endpoint
from .bench import Bench


async def killed_at_work(bench: Bench, source: Callable[[], str | Endpoint], loop: str) -> None:
    """Let another process take a message from the source, and kill it while the route is at work on it."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork a process that is to be killed")
    await anyio.to_thread.run_sync(_kill, bench, source, loop)


def _kill(bench: Bench, source: Callable[[], str | Endpoint], loop: str) -> None:
    reading, writing = os.pipe()
    pids: list[int] = []

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads are there; the child uses none of them
            pid = os.fork()
        if pid == 0:
            _live(bench, source, loop, writing)
        pids.append(pid)

    # In a thread of its own, the child does not believe that it is inside the event loop of its parent.
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    os.close(writing)
    try:
        os.set_blocking(reading, False)
        told = _read(reading, bench.patience * 2)
    finally:
        os.kill(pids[0], signal.SIGKILL)
        os.waitpid(pids[0], 0)
        os.close(reading)
    assert told == b"at work", f"a process that was to take a message did not: {told.decode(errors='replace')}"


def _read(reading: int, seconds: float) -> bytes:
    ready, _, _ = select.select([reading], [], [], seconds)
    return os.read(reading, 65536) if ready else b"it waited for it in vain"


def _live(bench: Bench, source: Callable[[], str | Endpoint], loop: str, writing: int) -> Any:
    """The life of the child: it ends by being killed."""

    async def work() -> None:
        async with bench.source_life(source()) as life:
            await life.next()
            os.write(writing, b"at work")
            await anyio.sleep_forever()

    try:
        signal.set_wakeup_fd(-1)  # the one of the parent's event loop
        anyio.run(work, backend=loop)
    except BaseException as error:  # it is told to the parent, and nothing of pytest's own may run here
        os.write(writing, "".join(traceback.format_exception(error)).encode())
    finally:
        os._exit(1)
