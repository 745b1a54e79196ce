"""A replay of a cluster that is killed in the middle, again and again: nothing is lost, and what is done is done."""

import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

BROKEN = """import os
from routekit import from_

COUNT = 40


def handle(n: int) -> int:
    raise ValueError(f"order {n} is unknown")


orders = from_(f"timer:t?every=1ms&repeat={COUNT}", int).transform(handle)
"""
MENDED = """import os
from routekit import from_


def handle(n: int) -> int:
    file = os.open("done.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{n}\\n".encode())
    os.fsync(file)
    os.close(file)
    return n


orders = from_("timer:t?every=1ms&repeat=40", int).transform(handle)
"""

KILLS = 3


def test_a_replay_is_killed_and_goes_on(routekit: Any) -> None:
    """After each kill the same command goes on with those that are left, in their order; only the one that it was at
    when it was killed may be done twice."""
    routekit.write("routes/a.py", BROKEN)
    assert routekit("run").code == 1
    assert left(routekit.folder) == 40
    routekit.write("routes/a.py", MENDED)
    (cluster,) = routekit("letters", "clusters", "--json").json
    command = ("letters", "replay", "--cluster", cluster["id"])
    for kill in range(1, KILLS + 1):
        running = routekit.start(*command, "--rate", "50/s")
        while len(done(routekit.folder)) < 10 * kill:
            assert running.process.poll() is None, running.log
            time.sleep(0.005)
        running.signal(signal.SIGKILL)
        running.ended()
        assert left(routekit.folder) >= 40 - len(done(routekit.folder))
    before = left(routekit.folder)
    assert 0 < before < 40
    assert routekit(*command).out == f"{before} replayed, 0 failed again\n"
    assert left(routekit.folder) == 0
    numbers = done(routekit.folder)
    assert list(dict.fromkeys(numbers)) == list(range(1, 41))
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    assert len(twice) <= KILLS
    assert numbers == sorted(numbers)


def done(folder: Path) -> list[int]:
    """What the route has done, in order."""
    file = folder / "done.txt"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def left(folder: Path) -> int:
    """How many letters there are."""
    store = sqlite3.connect(folder / "data" / "routekit.db")
    try:
        return store.execute("SELECT count(*) FROM routekit_letters").fetchone()[0]
    finally:
        store.close()
