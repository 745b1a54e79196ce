"""Two daemons and one store: the one that leads runs the timers, and the other goes on when it is killed or stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from routekit_postgresql.testing import PostgreSQL

ROUTES = """
import os
from pathlib import Path
from routekit import from_

def fire(body, message):
    with Path("fired").open("a") as file:
        file.write(f"{os.getpid()} {message.id}\\n")
    return body

beats = from_("timer:beat?every=250ms&missed=skip", int).transform(fire).log("{body}", level="debug")
"""
EVERY = 0.25
LEASE = 2


@pytest.fixture
def project(tmp_path: Path, server: PostgreSQL, schema: str) -> Callable[[float], Path]:
    """A folder with the route, and a store whose processes have so long a lease."""

    def made(lease: float) -> Path:
        (tmp_path / "routes").mkdir()
        (tmp_path / "routes" / "work.py").write_text(ROUTES)
        (tmp_path / "routekit.toml").write_text(f'[routekit]\nstore = "{server.store(schema, lease=lease)}"\n')
        return tmp_path

    return made


@contextmanager
def serving(folder: Path, name: str) -> Generator["subprocess.Popen[bytes]"]:
    """A daemon, whose log is in the file of that name."""
    command = [str(Path(sys.executable).with_name("routekit")), "serve", "routes/"]
    with (folder / name).open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "300"}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def fired(folder: Path) -> list[tuple[int, float]]:
    """Which process fired which time, in order."""
    if not (folder / "fired").exists():
        return []
    lines = [line.split() for line in (folder / "fired").read_text().splitlines()]
    return [(int(pid), float(known.removeprefix("beat-"))) for pid, known in lines]


def until(found: Callable[[], object], folder: Path) -> None:
    """Wait for something, with the logs of all if it does not come."""
    end = time.monotonic() + 60
    while not found():
        if time.monotonic() > end:
            pytest.fail("\n".join(path.read_text() for path in folder.glob("log-*")))
        time.sleep(0.02)


def waits(folder: Path) -> None:
    """Wait until the second daemon says who leads."""
    until(lambda: "waits: process-0 leads" in (folder / "log-second").read_text(), folder)


def test_a_killed_leader_is_followed_and_nothing_fires_twice_or_is_left_out(project: Callable[[float], Path]):
    """After SIGKILL the other daemon goes on where the leader was, long before the end of its lease."""
    folder = project(60)
    with serving(folder, "log-first") as first:
        until(lambda: fired(folder), folder)
        with serving(folder, "log-second") as second:
            waits(folder)
            until(lambda: len(fired(folder)) >= 4, folder)
            assert {pid for pid, _ in fired(folder)} == {first.pid}
            first.kill()
            until(lambda: [pid for pid, _ in fired(folder)].count(second.pid) >= 4, folder)
            pids, times = zip(*fired(folder), strict=True)
            assert list(pids) == sorted(pids, key=[first.pid, second.pid].index)
            assert len(set(times)) == len(times)
            missing = round((times[-1] - times[0]) / EVERY) + 1 - len(times)
            assert missing <= 1  # the one that was at work when it was killed, as missed=skip asks for


def test_a_leader_that_is_stopped_beyond_its_lease_fires_no_more(project: Callable[[float], Path]):
    """It is followed once its lease is over; when it goes on it ends, and no time was fired by both."""
    folder = project(LEASE)
    with serving(folder, "log-first") as first:
        until(lambda: fired(folder), folder)
        with serving(folder, "log-second") as second:
            waits(folder)
            os.kill(first.pid, signal.SIGSTOP)
            until(lambda: fired(folder)[-1][0] == second.pid, folder)
            os.kill(first.pid, signal.SIGCONT)
            assert first.wait(60) == 1
            assert "held for dead" in (folder / "log-first").read_text()
            count = len(fired(folder))
            until(lambda: len(fired(folder)) >= count + 4, folder)
            pids, times = zip(*fired(folder), strict=True)
            late = list(pids)[list(pids).index(second.pid) :].count(first.pid)
            assert late <= 1  # one that had begun before it was stopped, and that the other has left to it
            assert len(set(times)) == len(times)
            assert round((max(times) - min(times)) / EVERY) + 1 - len(times) <= 1


def test_a_leader_that_is_told_to_stop_hands_over(project: Callable[[float], Path]):
    """After an orderly stop the other one goes on: no time is fired twice, and one is left out at most."""
    folder = project(60)
    with serving(folder, "log-first") as first:
        until(lambda: fired(folder), folder)
        with serving(folder, "log-second") as second:
            waits(folder)
            first.send_signal(signal.SIGTERM)
            assert first.wait(60) == 0
            until(lambda: [pid for pid, _ in fired(folder)].count(second.pid) >= 2, folder)
            _, times = zip(*fired(folder), strict=True)
            assert len(set(times)) == len(times)
            assert round((times[-1] - times[0]) / EVERY) + 1 - len(times) <= 1
