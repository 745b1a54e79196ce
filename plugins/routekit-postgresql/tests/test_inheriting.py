"""What a daemon kept in groups when it was killed goes on in another that runs already: once, and without a start."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from routekit_postgresql.testing import PostgreSQL

ROUTES = """
import json
import os
import time
from pathlib import Path

from routekit import from_

FIRST = os.environ["NAME"] == "first"
WAIT = 3600 if FIRST else 0.5

def note(text):
    with Path("done").open("a") as file:
        file.write(text + "\\n")

def done(word):
    def note_it(body):
        note(f"{os.environ['NAME']} {word} {json.dumps(sorted(body) if isinstance(body, list) else body)}")
    return note_it

def hang(body):
    if FIRST:
        note("first hangs")
        time.sleep(3600)
    return body

def source(word):
    return from_(f"file:{os.environ['NAME']}/{word}?after=delete&poll=50ms", str, codec="text")

grouped = source("grouped").aggregate("g", str, key=lambda body: "all", timeout=WAIT).transform(done("grouped"))
released = (
    source("released").aggregate("r", str, key=lambda body: "all", size=2).transform(hang).transform(done("released"))
)
batched = source("batched").batch("b", str, size=100, wait=WAIT).transform(done("batched"))
debounced = source("debounced").debounce("q", str, key=lambda body: "all", quiet=WAIT).transform(done("debounced"))
delayed = source("delayed").delay("d", str, by=3.0).transform(done("delayed"))
handed = source("handed").hand_over("h", str).transform(hang).transform(done("handed"))
ordered = source("ordered").resequence("s", str, number=int, gap=WAIT).transform(done("ordered"))
"""


@pytest.fixture
def folder(tmp_path: Path, server: PostgreSQL, schema: str) -> Path:
    """A project with a route for each word."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "work.py").write_text(ROUTES)
    store = server.store(schema, lease=60)
    (tmp_path / "routekit.toml").write_text(f'[routekit]\nstore = "{store}"\n[control]\nlisten = ""\n')
    return tmp_path


@contextmanager
def serving(folder: Path, name: str, *only: str) -> Generator["subprocess.Popen[bytes]"]:
    """A daemon that reads the files in the folder of its name, and hangs where it is told to if it is the first."""
    routes = [word for one in only for word in ("--route", f"work.{one}")]
    command = [str(Path(sys.executable).with_name("routekit")), "serve", "routes/", *routes]
    with (folder / f"log-{name}").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "NAME": name}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(found: Callable[[], object], folder: Path) -> None:
    """Wait for something, with the logs if it does not come."""
    end = time.monotonic() + 60
    while not found():
        if time.monotonic() > end:
            pytest.fail("\n".join([*(path.read_text() for path in folder.glob("log-*")), *done(folder)]))
        time.sleep(0.02)


def done(folder: Path) -> list[str]:
    """What was done, in order."""
    path = folder / "done"
    return path.read_text().splitlines() if path.exists() else []


def runs(folder: Path, name: str, count: int) -> None:
    """Wait until so many routes run."""
    until(lambda: (folder / f"log-{name}").read_text().count(": running") >= count, folder)


def give(folder: Path, word: str, *bodies: str) -> None:
    """Files for the first daemon, and nobody else."""
    place = folder / "first" / word
    place.mkdir(parents=True, exist_ok=True)  # a route runs before its source has made the folder
    for body in bodies:
        (place / f".{body}").write_text(body)
        (place / f".{body}").rename(place / body)


def kept(server: PostgreSQL, schema: str) -> int:
    """How many messages are in groups."""
    return server.rows(f"SELECT count(*) FROM {schema}.kept WHERE message IS NOT NULL")[0][0]


EXPECTED = {
    "grouped": ['second grouped ["1", "2"]'],
    "batched": ['second batched ["1", "2"]'],
    "debounced": ['second debounced "2"'],
    "delayed": ['second delayed "1"', 'second delayed "2"'],
    "ordered": ['second ordered "2"', 'second ordered "3"'],
}


def test_open_groups_of_a_killed_daemon_go_on_in_another(folder: Path, server: PostgreSQL, schema: str):
    """Timers of groups, delays and gaps are waited for by the one that is left; each goes on once."""
    with serving(folder, "second", *EXPECTED), serving(folder, "first", *EXPECTED) as first:
        runs(folder, "second", 5)
        runs(folder, "first", 5)
        for word in EXPECTED:
            give(folder, word, *(("3", "2") if word == "ordered" else ("1", "2")))
        until(lambda: kept(server, schema) == 9, folder)  # of the debounced ones the last
        assert done(folder) == []
        first.kill()
        expected = sorted(line for lines in EXPECTED.values() for line in lines)
        until(lambda: len(done(folder)) >= len(expected), folder)
        until(lambda: kept(server, schema) == 0, folder)
        assert sorted(done(folder)) == expected


def test_what_a_killed_daemon_was_releasing_is_released_by_another(folder: Path, server: PostgreSQL, schema: str):
    """A closed group, and a message that a worker has, go on in the one that is left, or in the successor: once."""
    words = ("released", "handed")
    with serving(folder, "second", *words):
        runs(folder, "second", 2)
        with serving(folder, "first", "released") as first:
            runs(folder, "first", 1)
            give(folder, "released", "1", "2")
            until(lambda: done(folder) == ["first hangs"], folder)
            first.kill()
        with serving(folder, "third", *words):  # the successor, at the same time
            until(lambda: len(done(folder)) > 1, folder)
            runs(folder, "third", 2)
            until(lambda: kept(server, schema) == 0, folder)
        assert [line.partition(" ")[2] for line in done(folder)] == ["hangs", 'released ["1", "2"]']
        with serving(folder, "first", "handed") as first:
            runs(folder, "first", 2)
            give(folder, "handed", "7")
            until(lambda: done(folder)[-1] == "first hangs", folder)
            first.kill()
            until(lambda: done(folder)[-1] == 'second handed "7"', folder)
