"""Appending: many messages in one file, whole and in order, in few writes."""

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from routekit import BodyError, Message, Unavailable
from routekit_file import FileSink

pytestmark = pytest.mark.anyio


def to(folder: Path, name: str = "all.csv", **options: Any) -> FileSink:
    return FileSink(directory=folder, name=name, exists="append", **options)


async def test_bytes_follow_each_other_as_they_are(bench: Any, tmp_path: Path) -> None:
    """Bytes and text are appended without anything in between."""
    await bench.send(to(tmp_path, "a"), b"1", "2\n", b"3")
    assert (tmp_path / "a").read_bytes() == b"12\n3"


async def test_a_header_is_written_only_into_an_empty_file(bench: Any, tmp_path: Path) -> None:
    """Rows of CSV stand under one header, also after a restart."""
    await bench.send(to(tmp_path), {"n": 1}, {"n": 2})
    await bench.send(to(tmp_path), {"n": 3})
    assert (tmp_path / "all.csv").read_text().split() == ["n", "1", "2", "3"]


async def test_the_answer_names_the_file(bench: Any, tmp_path: Path) -> None:
    """Appending tells the file's name and path as other writing does."""
    [reply] = await bench.send(to(tmp_path, "sub/all.csv"), {"n": 1})
    assert (reply.headers["file.name"], reply.headers["file.path"]) == ("all.csv", "sub/all.csv")


async def test_many_at_once_are_written_whole_and_synced_together(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand waiting sends take a few syncs, and each row is there once, in order of arrival."""
    import os

    syncs: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (syncs.append(1), real(fd)))
    async with to(tmp_path).open(bench) as send, anyio.create_task_group() as tasks:
        for n in range(1000):
            tasks.start_soon(send, Message({"n": n}, id=str(n)))
    rows = (tmp_path / "all.csv").read_text().split()
    assert rows[0] == "n"
    assert sorted(rows[1:], key=int) == [str(n) for n in range(1000)]
    assert len(syncs) < 20


async def test_one_bad_body_fails_alone(bench: Any, tmp_path: Path) -> None:
    """Of those that are written together, only the one that cannot be encoded is refused."""
    failed: list[int] = []

    async def one(send: Any, n: int, body: Any) -> None:
        try:
            await send(Message(body))
        except BodyError:
            failed.append(n)

    async with to(tmp_path, "all.jsonl", codec="jsonl").open(bench) as send, anyio.create_task_group() as tasks:
        for n in range(50):
            tasks.start_soon(one, send, n, object() if n == 30 else {"n": n})
    written = [json.loads(line)["n"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert failed == [30]
    assert sorted(written) == [n for n in range(50) if n != 30]


async def test_two_sinks_of_one_process_do_not_mix_their_rows(bench: Any, tmp_path: Path) -> None:
    """Each route has a sink of its own; the lock on the file keeps their writes and the one header apart."""
    sinks = [to(tmp_path, fsync=False) for _ in range(2)]
    async with sinks[0].open(bench) as one, sinks[1].open(bench) as two, anyio.create_task_group() as tasks:
        for n in range(200):
            tasks.start_soon((one, two)[n % 2], Message({"n": n, "text": "x" * 2000}))
    header, *rows = (tmp_path / "all.csv").read_text().splitlines()
    assert header == "n,text"
    assert sorted(int(row.removesuffix("," + "x" * 2000)) for row in rows) == list(range(200))


PROCESS = """
import sys, anyio
from routekit import from_
from routekit.testing import Feed, run_routes
who, folder = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
rows = [{"who": who, "n": n, "text": "x" * 5000} for n in range(300)]
flow = from_(Feed(rows)).to(f"file:{folder}?exists=append&fsync=false", name=lambda row: f"{row['n'] // 3}.csv")
anyio.run(run_routes, flow)
"""


def test_two_processes_do_not_mix_their_rows(tmp_path: Path) -> None:
    """Rows of several processes in the same files are whole, none is missing, and each file has one header."""
    command = [sys.executable, "-c", PROCESS]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, who, str(tmp_path)], **pipes) for who in "ab"]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    for number in range(100):
        header, *rows = (tmp_path / f"{number}.csv").read_text().splitlines()
        assert header == "who,n,text"
        assert sorted(rows) == sorted(f"{who},{number * 3 + n},{'x' * 5000}" for who in "ab" for n in range(3))


async def test_a_file_that_was_taken_away_is_begun_anew(bench: Any, tmp_path: Path) -> None:
    """Who moves the file away while the sink is open gets all that was written; the next row begins a new file."""
    async with to(tmp_path).open(bench) as send:
        await send(Message({"n": 1}))
        (tmp_path / "all.csv").rename(tmp_path / "old.csv")
        await send(Message({"n": 2}))
    assert (tmp_path / "old.csv").read_text().split() == ["n", "1"]
    assert (tmp_path / "all.csv").read_text().split() == ["n", "2"]


async def test_a_torn_line_does_not_spoil_the_next_one(bench: Any, tmp_path: Path) -> None:
    """Where a process died in the middle of a line, the next record begins a line of its own."""
    (tmp_path / "all.jsonl").write_text('{"n":1}\n{"n":')
    await bench.send(to(tmp_path, "all.jsonl"), {"n": 2})
    assert [line.replace(" ", "") for line in (tmp_path / "all.jsonl").read_text().splitlines()] == [
        '{"n":1}',
        '{"n":',
        '{"n":2}',
    ]


async def test_a_full_disk_leaves_the_file_as_it_was(bench: Any, small_disk: Path) -> None:
    """All that were written together are told Unavailable, and no part of their rows is in the file."""
    await bench.send(to(small_disk), {"n": 1})
    with pytest.raises(Unavailable, match="make room"):
        await bench.send(to(small_disk), {"n": "x" * 2_000_000})
    assert (small_disk / "all.csv").read_text().split() == ["n", "1"]
    await bench.send(to(small_disk), {"n": 2})
    assert (small_disk / "all.csv").read_text().split() == ["n", "1", "2"]


async def test_a_send_that_was_cancelled_while_waiting_stops_nobody(bench: Any, tmp_path: Path) -> None:
    """Cancelling one of many waiting sends takes back its row and loses none of the others."""
    with (tmp_path / "all.csv").open("ab") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        async with to(tmp_path).open(bench) as send, anyio.create_task_group() as tasks:
            for n in range(5):
                tasks.start_soon(send, Message({"n": n}))
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as doomed:
                doomed.start_soon(send, Message({"n": 99}))
                await anyio.wait_all_tasks_blocked()
                doomed.cancel_scope.cancel()
            tasks.start_soon(send, Message({"n": 5}))
            fcntl.flock(holder, fcntl.LOCK_UN)
    assert sorted((tmp_path / "all.csv").read_text().split()) == ["0", "1", "2", "3", "4", "5", "n"]


async def test_what_others_write_meanwhile_is_seen(bench: Any, tmp_path: Path) -> None:
    """Whether the file is empty is asked under its lock: a header that another process has written is enough."""
    with (tmp_path / "all.csv").open("ab", buffering=0) as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        async with to(tmp_path).open(bench) as send, anyio.create_task_group() as tasks:
            tasks.start_soon(send, Message({"n": 2}))
            await anyio.wait_all_tasks_blocked()
            holder.write(b"n\n1\n")
            fcntl.flock(holder, fcntl.LOCK_UN)
    assert (tmp_path / "all.csv").read_text().split() == ["n", "1", "2"]


async def test_a_file_that_is_taken_away_just_before_it_is_locked_gets_no_more(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row never goes to a file that another process has moved away and thinks complete."""
    (tmp_path / "all.csv").write_text("n\n1\n")
    lock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if not (tmp_path / "old.csv").exists():
            (tmp_path / "all.csv").rename(tmp_path / "old.csv")
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    await bench.send(to(tmp_path), {"n": 2})
    assert (tmp_path / "old.csv").read_text() == "n\n1\n"
    assert (tmp_path / "all.csv").read_text().split() == ["n", "2"]


async def test_files_are_appended_whole(bench: Any, tmp_path: Path) -> None:
    """A Path is appended as the content of its file; one that is gone fails alone."""
    (tmp_path / "part").write_bytes(b"x" * 2_500_000)
    await bench.send(to(tmp_path, "all"), b"1", tmp_path / "part", b"2")
    assert (tmp_path / "all").read_bytes() == b"1" + b"x" * 2_500_000 + b"2"
    with pytest.raises(BodyError, match="cannot be read"):
        await bench.send(to(tmp_path, "all"), tmp_path / "gone")
