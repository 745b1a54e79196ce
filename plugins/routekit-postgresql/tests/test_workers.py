"""`routekit serve --workers`: processes of one command that share a store; they die, are stopped, and lead in turn."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
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


@pytest.fixture
def folder(tmp_path: Path, server: PostgreSQL, schema: str) -> Path:
    """A project whose settings ask for two workers."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "work.py").write_text(ROUTES)
    (tmp_path / "routekit.toml").write_text(
        f'[routekit]\nstore = "{server.store(schema, lease=60)}"\nworkers = 2\n[control]\nlisten = ""\n'
    )
    return tmp_path


@contextmanager
def serving(folder: Path, *arguments: str) -> Generator["subprocess.Popen[bytes]"]:
    """The command, whose log is in a file; nothing of it is left afterwards."""
    command = [str(Path(sys.executable).with_name("routekit")), "serve", "routes/", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        until(lambda: not [pid for pid in processes(folder) if lives(pid)], folder)


def said(folder: Path) -> str:
    return (folder / "log").read_text()


def processes(folder: Path) -> list[int]:
    """The workers, as the supervisor told of them, in order."""
    return [int(line.rpartition("process ")[2]) for line in said(folder).splitlines() if ": process " in line]


def lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def fired(folder: Path) -> list[tuple[int, str]]:
    """Which process fired what, in order."""
    path = folder / "fired"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(int(pid), known) for pid, known in lines]


def until(found: Callable[[], object], folder: Path) -> None:
    """Wait for something, with the log if it does not come."""
    end = time.monotonic() + 60
    while not found():
        if time.monotonic() > end:
            pytest.fail(said(folder))
        time.sleep(0.02)


def test_a_worker_that_is_killed_is_followed_and_started_again(folder: Path):
    """The other worker goes on and fires nothing twice; the dead one comes back; SIGTERM ends all with 0."""
    with serving(folder) as supervisor:
        until(lambda: fired(folder) and "waits: process-" in said(folder), folder)
        leader = fired(folder)[0][0]
        assert leader in processes(folder)
        assert leader != supervisor.pid
        os.kill(leader, signal.SIGKILL)
        until(lambda: fired(folder)[-1][0] != leader, folder)
        until(lambda: len(processes(folder)) == 3 and said(folder).count("paused: waits: process-") == 2, folder)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(60) == 0
        assert not [pid for pid in processes(folder) if lives(pid)]
    known = [message for _, message in fired(folder)]
    assert len(set(known)) == len(known)
    assert "was killed by SIGKILL; started again" in said(folder)
    assert {"[worker-1]", "[worker-2]"} <= set(said(folder).split())


def test_a_changed_module_is_loaded_anew_in_every_worker(folder: Path):
    """Each exchanges its routes, and nothing fires twice; a module that is broken then leaves them running."""
    module = folder / "routes" / "work.py"
    with serving(folder, "--reload"):
        until(lambda: fired(folder) and "waits: process-" in said(folder), folder)
        module.write_text(ROUTES.replace("{message.id}", "{message.id}-anew"))
        until(lambda: said(folder).count("reloaded work.beats: exchanged") == 2, folder)
        until(lambda: fired(folder)[-1][1].endswith("-anew"), folder)
        module.write_text("1 / 0")
        until(lambda: said(folder).count("not reloaded, the version before runs on") == 2, folder)
        count = len(fired(folder))
        until(lambda: len(fired(folder)) > count, folder)
    known = [message.removesuffix("-anew") for _, message in fired(folder)]
    assert len(set(known)) == len(known)


def test_nobody_is_left_when_the_supervisor_is_killed(folder: Path):
    """The workers stop by themselves, and finish what they are at."""
    with serving(folder) as supervisor:
        until(lambda: fired(folder) and "waits: process-" in said(folder), folder)
        supervisor.kill()
        until(lambda: not [pid for pid in processes(folder) if lives(pid)], folder)
    assert said(folder).count("the supervisor is gone: stopping") == 2


def test_the_supervisor_answers_for_its_workers(folder: Path):
    """One address for all: what they do is summed, an order reaches each of them, and one that is new is asked, too."""
    settings = (folder / "routekit.toml").read_text().replace('listen = ""', 'listen = "127.0.0.1:0"')
    (folder / "routekit.toml").write_text(settings)
    with serving(folder) as supervisor:
        until(lambda: asked(folder, "ps").count("running") == 1, folder)
        until(lambda: len(processes(folder)) == 2 and "waits: process-" in said(folder), folder)
        os.kill(processes(folder)[0], signal.SIGKILL)
        until(lambda: len(processes(folder)) == 3 and said(folder).count(": running") == 3, folder)
        until(lambda: "paused" in asked(folder, "pause", "work.beats") and "paused" in asked(folder, "ps"), folder)
        until(lambda: said(folder).count("paused: asked for") >= 1, folder)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(60) == 0


def asked(folder: Path, *arguments: str) -> str:
    """What a command prints that asks the daemon of this folder."""
    command = [str(Path(sys.executable).with_name("routekit")), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False).stdout


def test_signals_to_all_processes_at_once_are_one_order(folder: Path):
    """As systemd sends them: a worker that was told twice still finishes what is in flight."""
    with serving(folder) as supervisor:
        until(lambda: fired(folder) and "waits: process-" in said(folder), folder)
        for pid in (*processes(folder), supervisor.pid):
            os.kill(pid, signal.SIGTERM)
        assert supervisor.wait(60) == 0


def test_one_worker_is_a_daemon_by_itself(folder: Path):
    """The command line wins over the settings; nobody is supervised."""
    with serving(folder, "--workers", "1") as daemon:
        until(lambda: fired(folder), folder)
        assert fired(folder)[0][0] == daemon.pid
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0
        assert processes(folder) == []
