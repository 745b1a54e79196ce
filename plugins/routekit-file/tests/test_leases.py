"""A file belongs to one route of one process at a time, and to nobody once that is dead."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import fcntl
import signal
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from routekit_file import FileSource
from routekit_file.lease import Lease

pytestmark = pytest.mark.anyio

WORKER = """
import sys, anyio
from itertools import chain
from pathlib import Path
from routekit import from_
from routekit.testing import run_routes
inbox, taken = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
flow = from_(f"file:{inbox}?after=delete", bytes).to(f"file:{taken}?name=all&exists=append")
anyio.run(run_routes, flow)
"""

HOLDER = """
import sys, anyio
from routekit import from_
from routekit.testing import run_routes
def hold(body):
    print(body.decode(), flush=True)
    sys.stdin.readline()
anyio.run(run_routes, from_(f"file:{sys.argv[1]}?after=delete", bytes).transform(hold))
"""


def start(program: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_two_sources_of_one_process_exclude_each_other(bench: Any, inbox: Path, accept: Any, refuse: Any) -> None:
    """A file in the hands of one route is not there for the other, until it is settled."""
    (inbox / "a").write_text("x")
    source = FileSource(directory=inbox, after="keep")
    [delivery] = await bench.take(source)
    bench.route = "other"
    assert await bench.take(source) == []
    await accept(delivery)
    assert len(await bench.take(source)) == 1


async def test_a_source_that_looks_into_the_folder_of_another_is_excluded_too(
    bench: Any, tmp_path: Path, inbox: Path
) -> None:
    """The lease belongs to the file and not to the source: one that reads the folder above sees it as well."""
    (inbox / "a").write_text("x")
    taken = await bench.take(FileSource(directory=tmp_path, after="keep", recursive=True))
    assert len(taken) == 1
    assert await bench.take(FileSource(directory=inbox, after="keep")) == []


async def test_deliveries_that_were_dropped_free_their_files(bench: Any, inbox: Path) -> None:
    """After a forced stop, which tells the source nothing, the same process can take the files again."""
    (inbox / "a").write_text("x")
    source = FileSource(directory=inbox, after="delete")
    taken = await bench.take(source)
    assert await bench.take(source) == []
    taken.clear()
    assert len(await bench.take(source)) == 1


def test_a_lease_file_that_was_removed_before_it_was_locked_protects_nothing(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens the lease file just before its owner removes it must not believe to have the file alone.

    The lease itself is tested, since this race cannot be forced through the source.
    """
    (inbox / "a").touch()
    owner = Lease.take(inbox / "a")
    assert owner is not None
    lock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        owner.release()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    next_one = Lease.take(inbox / "a")
    assert next_one is not None
    assert Lease.take(inbox / "a") is None


def test_two_processes_share_the_files_of_a_directory(inbox: Path, tmp_path: Path) -> None:
    """Of 200 files that two processes compete for, each is taken exactly once."""
    for number in range(200):
        (inbox / f"{number:03}").write_text(f"{number:03}\n")
    workers = [start(WORKER, inbox, tmp_path / "taken" / str(number)) for number in (1, 2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=60)
        assert worker.returncode == 0
    taken = [file.read_text().split() for file in (tmp_path / "taken").rglob("*") if file.is_file()]
    assert Counter(chain.from_iterable(taken)) == Counter(f"{number:03}" for number in range(200))


async def test_a_file_of_a_killed_process_is_taken_again(bench: Any, inbox: Path) -> None:
    """While a process works on a file nobody has it; `kill -9` frees it at once, with nothing to clean up."""
    (inbox / "a").write_text("x")
    holder = start(HOLDER, inbox)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "x\n"
    source = FileSource(directory=inbox, after="delete")
    assert await bench.take(source) == []
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=60)
    assert await bench.work(source) == [b"x"]
    assert list(inbox.rglob("*.lease")) == []
