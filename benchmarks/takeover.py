"""Seconds from a kill -9 of the daemon that leads to the first tick of the timer in the other one.

    python -m benchmarks.takeover [times]

Starts a PostgreSQL server of its own, and two daemons on it, for each time anew.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from routekit_postgresql.testing import PostgreSQL

from .figures import Figure, report

ROUTES = """
import os, time
from pathlib import Path
from routekit import from_

def fire(body):
    with Path("fired").open("a") as file:
        file.write(f"{os.getpid()} {time.time()}\\n")

beats = from_("timer:beat?every=50ms&missed=skip", int).transform(fire)
"""


def until(found: Callable[[], object]) -> None:
    """Look again and again."""
    while not found():
        time.sleep(0.001)


def serving(folder: Path, stack: ExitStack, name: str) -> "subprocess.Popen[bytes]":
    """A daemon, killed in the end; its log is in the file of that name."""
    log = stack.enter_context((folder / name).open("wb"))
    command = [str(Path(sys.executable).with_name("routekit")), "--set", "control.listen=", "serve", "routes/"]
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def measured(server: PostgreSQL, number: int) -> float:
    """One kill."""
    with TemporaryDirectory() as path, ExitStack() as stack:
        folder = Path(path)
        (folder / "routes").mkdir()
        (folder / "routes" / "work.py").write_text(ROUTES)
        (folder / "routekit.toml").write_text(f'[routekit]\nstore = "{server.store(f"t{number}")}"\n')
        fired = folder / "fired"
        first = serving(folder, stack, "first")
        until(fired.exists)
        second = serving(folder, stack, "second")
        until(lambda: "leads" in (folder / "second").read_text())
        time.sleep(1)
        killed = time.time()
        first.kill()
        until(lambda: f"{second.pid} " in fired.read_text())
        lines = [line.split() for line in fired.read_text().splitlines()]
        return next(float(at) for pid, at in lines if int(pid) == second.pid) - killed


def figures(times: int = 3) -> Sequence[Figure]:
    """The median of some kills."""
    with PostgreSQL() as server:
        found = sorted(measured(server, number) for number in range(times))
    seconds = statistics.median(found)
    beside = f"from {found[0]:.3f} to {found[-1]:.3f} s, {times} kills"
    return [Figure("the leader is killed: until the other one fires", seconds, "s", beside)]


if __name__ == "__main__":
    report(figures(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
