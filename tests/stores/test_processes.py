"""The SQLite store among processes: shared by several, and after one of them was killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from routekit import Claim, Exclusive
from routekit.stores._database import connect
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Catalog

WRITER = """
import sys, time
import anyio
from routekit.stores._database import connect
from routekit.stores.sqlite import open_sqlite

async def work(store, keys, caller):
    for number in range(int(sys.argv[3])):
        key = f"{sys.argv[2]}-{caller}-{number}"
        await keys.claim(key, owner=store.owner, lease=3600)
        await keys.complete(key, owner=store.owner)
        print(key, flush=True)

async def main():
    async with open_sqlite(sys.argv[1], {}, time.time) as store:
        keys = store.keys("seen")
        await keys.claim("held", owner=store.owner, lease=3600)
        async with anyio.create_task_group() as tasks:
            for caller in range(16):
                tasks.start_soon(work, store, keys, caller)

anyio.run(main)
"""


@contextmanager
def writer(path: Path, name: str, each: int) -> Iterator[subprocess.Popen[str]]:
    """A process in which 16 callers complete `each` keys, and print each one when told that it is done."""
    command = [sys.executable, "-c", WRITER, str(path), name, str(each)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.anyio
async def test_a_killed_process_loses_nothing_that_it_was_told(tmp_path: Path):
    """After a SIGKILL in the middle of writing, every key that was told done is done."""
    with writer(tmp_path / "s.db", "w", 100_000) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines()[:-1]  # the last line may be half of one
    async with open_sqlite(str(tmp_path / "s.db"), {}, time.time) as store:
        for key in told:
            assert await store.keys("seen").claim(key, owner="other", lease=1) is Claim.DONE
    assert len(told) >= 500


@pytest.mark.anyio
async def test_the_next_process_takes_over_the_claims_of_a_killed_one(tmp_path: Path):
    """The successor of a killed process has its owner, so that a claim is granted before its lease has run out."""
    with writer(tmp_path / "s.db", "w", 100_000) as process:
        assert process.stdout is not None
        process.stdout.readline()
        async with open_sqlite(str(tmp_path / "s.db"), {}, time.time) as store:
            assert await store.keys("seen").claim("held", owner=store.owner, lease=1) is Claim.HELD
        process.send_signal(signal.SIGKILL)
        process.wait()
    async with open_sqlite(str(tmp_path / "s.db"), {}, time.time) as store:
        assert await store.keys("seen").claim("held", owner=store.owner, lease=1) is Claim.MINE


@pytest.mark.anyio
@pytest.mark.parametrize("option", ["", "?key=${KEY}"])
async def test_a_service_has_the_name_of_the_one_before_it(tmp_path: Path, option: str):
    """Whatever tools have the store open: what it claimed and closed before it died is its own again."""
    opened = partial(Catalog({"KEY": "A" * 43}.get).open_store, f"sqlite:{tmp_path}/s.db{option}", time.time)
    names: list[str] = []
    async with opened() as tool:
        for _ in range(2):
            async with opened() as store, opened() as other:
                assert isinstance(store, Exclusive)
                with store.serving():
                    names.append(store.owner)
                    assert len({tool.owner, other.owner, store.owner}) == 3
                    assert await store.journal("r").add(f"m{len(names)}", "text", owner=store.owner)
                    found = await other.journal("r").take(owner=other.owner, limit=10)
                    assert [entry.id for entry in found] == []
    assert names[0] == names[1]


@pytest.mark.anyio
async def test_processes_that_start_together_share_one_new_file(tmp_path: Path):
    """Several processes may create, migrate and write the same database at once."""
    with (
        writer(tmp_path / "s.db", "a", 10) as a,
        writer(tmp_path / "s.db", "b", 10) as b,
        writer(tmp_path / "s.db", "c", 10) as c,
    ):
        told = [line for process in (a, b, c) for line in process.communicate()[0].split()]
        assert [process.returncode for process in (a, b, c)] == [0, 0, 0]
    assert len(told) == 480
    async with open_sqlite(str(tmp_path / "s.db"), {}, time.time) as store:
        for key in told:
            assert await store.keys("seen").claim(key, owner="other", lease=1) is Claim.DONE


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path):
    """Of many that open a new database at the same moment, each finds it ready, whoever sets it up."""

    def opened(path: Path, start: Barrier) -> None:
        start.wait()
        connect(path, busy_timeout=30, max_size=None).close()

    with ThreadPoolExecutor(8) as threads:
        for number in range(10):
            start = Barrier(8)
            jobs = [threads.submit(opened, tmp_path / f"{number}.db", start) for _ in range(8)]
            for job in jobs:
                job.result()
