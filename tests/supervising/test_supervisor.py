"""Supervisor: real processes that die, hang on, end by themselves or are told to."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import anyio
import pytest

from routekit.supervising.supervisor import Supervisor

pytestmark = pytest.mark.anyio

WORKER = """
import os, signal, sys, time
from pathlib import Path
import anyio
from routekit.supervising.leash import Leash

async def main(name):
    over = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Leash(over.set, lambda: os._exit(3), 0.0).hold)
        Path(name).open("a").write(f"{os.getpid()} began\\n")
        await over.wait()
        if Path("slow").exists():
            await anyio.sleep(3600)
        Path(name).open("a").write(f"{os.getpid()} stopped\\n")
        tasks.cancel_scope.cancel()
    sys.exit(0)

anyio.run(main, sys.argv[1])
"""


class Soon(Random):
    """No jitter, and no wait: what is tested is the order of things."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


@pytest.fixture
def anyio_backend() -> str:
    """Real processes need real time."""
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(text: str) -> Callable[[str], Sequence[str]]:
    """The command of a worker that runs this."""
    return lambda name: [sys.executable, "-c", text, name]


@contextmanager
def started(command: Sequence[str]) -> Generator[subprocess.Popen[bytes]]:
    """A process that is killed in the end."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


@asynccontextmanager
async def supervised(supervisor: Supervisor) -> AsyncGenerator[list[int]]:
    """A supervisor that runs; its exit code is in the list after the block."""
    codes: list[int] = []

    async def run() -> None:
        codes.append(await supervisor.run())

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            yield codes


def said(folder: Path, name: str) -> list[list[str]]:
    """What the workers of a name wrote: the number of their process, and what they did."""
    path = folder / name
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


async def until(found: Callable[[], object]) -> None:
    while not found():
        await anyio.sleep(0.02)


async def test_all_workers_are_stopped_orderly(folder: Path):
    """Each is told once, finishes, and the supervisor ends with 0."""
    supervisor = Supervisor(script(WORKER), 2)
    async with supervised(supervisor) as codes:
        await until(lambda: said(folder, "worker-1") and said(folder, "worker-2"))
        await supervisor.stop()
        await supervisor.stop()
    assert codes == [0]
    assert [what for _, what in said(folder, "worker-1")] == ["began", "stopped"]
    assert [what for _, what in said(folder, "worker-2")] == ["began", "stopped"]


async def test_a_dead_worker_is_started_again_and_the_others_go_on(folder: Path, caplog: pytest.LogCaptureFixture):
    """After SIGKILL there is a new process of the same name; it is told why."""
    supervisor = Supervisor(script(WORKER), 2, Soon())
    async with supervised(supervisor) as codes:
        await until(lambda: said(folder, "worker-1") and said(folder, "worker-2"))
        os.kill(int(said(folder, "worker-1")[0][0]), signal.SIGKILL)
        await until(lambda: len(said(folder, "worker-1")) == 2)
        await supervisor.stop()
    assert codes == [0]
    first, second, _ = (int(pid) for pid, _ in said(folder, "worker-1"))
    assert first != second
    assert len(said(folder, "worker-2")) == 2
    assert "worker-1: was killed by SIGKILL; started again in 0.0 s" in caplog.text


async def test_a_second_order_ends_workers_that_take_too_long(folder: Path):
    """Who forces does not wait; the exit code says that something was left."""
    (folder / "slow").touch()
    supervisor = Supervisor(script(WORKER), 2)
    async with supervised(supervisor) as codes:
        await until(lambda: said(folder, "worker-1") and said(folder, "worker-2"))
        await supervisor.stop()
        await supervisor.force()
    assert codes == [3]


async def test_a_worker_that_fails_again_and_again_is_told_once_and_tried_on(caplog: pytest.LogCaptureFixture):
    """It says with which exit code and what that means; the other one is not troubled."""
    supervisor = Supervisor(script("import sys; sys.exit(2)"), 1, Soon())
    async with supervised(supervisor) as codes:
        await until(lambda: supervisor.workers[0].failures > 4)
        await supervisor.stop()
    assert codes == [2]
    assert caplog.text.count("failed 3 times in a row") == 1
    assert "ended with exit code 2 (a route or a setting is wrong)" in caplog.text


async def test_workers_whose_sources_are_exhausted_are_not_started_again():
    """The supervisor ends by itself when all are over, and that is fine."""
    supervisor = Supervisor(script("import sys; sys.exit(64)"), 2)
    async with supervised(supervisor) as codes:
        pass
    assert codes == [0]


async def test_workers_end_when_their_supervisor_is_killed(folder: Path):
    """After SIGKILL of the supervisor nobody is left: the workers stop orderly by themselves."""
    text = f"""
import sys, anyio
from routekit.supervising.supervisor import Supervisor
anyio.run(Supervisor(lambda name: [sys.executable, "-c", {WORKER!r}, name], 2).run)
"""
    with started([sys.executable, "-c", text]) as supervisor, anyio.fail_after(60):
        await until(lambda: said(folder, "worker-1") and said(folder, "worker-2"))
        supervisor.kill()
        await until(lambda: len(said(folder, "worker-1")) == len(said(folder, "worker-2")) == 2)
    assert said(folder, "worker-1")[-1][1] == "stopped"


async def test_a_worker_that_hangs_ends_when_its_supervisor_is_killed(folder: Path):
    """Even if its event loop does nothing any more."""
    hangs = WORKER.replace("await over.wait()", "time.sleep(3600)").replace(
        "async def main", "from routekit.supervising import leash\nleash._GRACE = 0.0\n\nasync def main"
    )
    hangs = hangs.replace("Path(name)", "await anyio.sleep(0.1)\n        Path(name)", 1)
    with started([sys.executable, "-c", hangs, "worker-1"]) as process, anyio.fail_after(60):
        await until(lambda: said(folder, "worker-1"))
        assert process.stdin is not None
        process.stdin.close()
        assert await anyio.to_thread.run_sync(process.wait) == 1
