"""The proof: the real daemon posts messages to a peer, both are killed, and no message is lost.

As it stands it is small; `ROUTEKIT_PROOF=full` posts 100,000 messages, and prints what it found.
"""

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic

import anyio
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3000)]

FULL = os.environ.get("ROUTEKIT_PROOF") == "full"
MESSAGES = 100_000 if FULL else 3_000
LINES = 100
IN_FLIGHT = 20
KILLS = (("peer", 0.15), ("daemon", 0.3), ("peer", 0.45), ("daemon", 0.6), ("peer", 0.75))

ROUTES = f"""
from routekit import Policy, Retry, from_

patient = Policy(concurrency={IN_FLIGHT}, retry=Retry(1000, first=0.05, most=0.5))
post = from_("file:in?read=lines&after=delete&poll=50ms", str, policy=patient).to(
    "http:peer/orders?idempotency_key=message"
)
"""

PEER = """
import asyncio, os, sys

async def talk(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\\r\\n")[1:-2])
            body = await reader.readexactly(int(fields[b"content-length"]))
            os.write(log, body + b" " + fields[b"idempotency-key"] + b"\\n")  # the message is there, whoever dies now
            writer.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
asyncio.run(main())
"""


@dataclass
class Killable:
    """A process that can be killed and started again."""

    command: Sequence[str]
    folder: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(*command: str, folder: Path) -> Generator[Killable]:
    one = Killable(command, folder)
    one.start()
    try:
        yield one
    finally:
        one.kill()


@pytest.fixture
def anyio_backend() -> str:
    """Nothing runs here but the processes."""
    return "asyncio"


def taken(file: Path) -> int:
    """How many requests the peer has taken."""
    return file.stat().st_size // len("000000 " + "0" * 32 + "\n") if file.exists() else 0


async def until(file: Path, count: int, daemon: Killable) -> None:
    with anyio.fail_after(1500 if FULL else 90):
        while taken(file) < count:
            assert daemon.process.poll() is None, (daemon.folder / "log").read_text()[-3000:]
            await anyio.sleep(0.01)


async def test_nothing_is_lost_when_both_sides_are_killed(tmp_path: Path, free_port: int) -> None:
    """Twice comes only what a crash cut off, with the same key."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "posting.py").write_text(ROUTES)
    (tmp_path / "routekit.toml").write_text(f'[http.peer]\nurl = "http://127.0.0.1:{free_port}"\n')
    (tmp_path / "in").mkdir()
    for start in range(0, MESSAGES, LINES):
        lines = "".join(f"{number:06}\n" for number in range(start, start + LINES))
        (tmp_path / "in" / f"{start:06}.txt").write_text(lines)
    file, begun, marks = tmp_path / "taken", monotonic(), list[int]()
    serve = str(Path(sys.executable).parent / "routekit")
    with (
        running(sys.executable, "-c", PEER, str(free_port), str(file), folder=tmp_path) as peer,
        running(serve, "serve", "routes", folder=tmp_path) as daemon,
    ):
        for whom, share in KILLS:
            await until(file, int(share * MESSAGES), daemon)
            victim = peer if whom == "peer" else daemon
            victim.kill()
            marks.append(taken(file))
            victim.start()
        with anyio.fail_after(1500 if FULL else 90):
            while any((tmp_path / "in").glob("*.txt")):
                await anyio.sleep(0.05)
    rows = [row.split() for row in file.read_text().splitlines()]
    seen: dict[str, list[int]] = {}
    for index, (body, _) in enumerate(rows):
        seen.setdefault(body, []).append(index)
    assert sorted(seen) == [f"{number:06}" for number in range(MESSAGES)], "a message is lost"
    twice = [pair for indexes in seen.values() for pair in pairwise(indexes)]
    assert all(any(first < mark + IN_FLIGHT and mark <= then for mark in marks) for first, then in twice), (
        "a message came twice without a crash in between"
    )
    assert len({(body, key) for body, key in rows}) == MESSAGES, "a message came again with another key"
    assert len({key for _, key in rows}) == MESSAGES, "two messages have one key"
    print(f"{MESSAGES} messages, {len(twice)} came again, in {monotonic() - begun:.0f} s; kills at {marks}")
