"""The proof: rows moved from table to table by real daemons, while they and their database are killed.

ROUTEKIT_SQL_PROOF=100000 moves so many rows.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import psycopg
import pytest

from routekit_sql.testing import PostgreSQL, Server

ROWS = int(os.environ.get("ROUTEKIT_SQL_PROOF", "5000"))
WITHIN = 60 + ROWS / 100
"""Seconds that it may take."""
LATE = 10.0
"""Seconds after a crash within which something may be delivered twice: its lease, a start, and tries of the send."""

TABLES = """
CREATE TABLE work (id INTEGER PRIMARY KEY, note TEXT NOT NULL, taken_until TIMESTAMPTZ);
CREATE TABLE moved (id INTEGER PRIMARY KEY, note TEXT NOT NULL);
CREATE TABLE seen (number SERIAL PRIMARY KEY, id INTEGER NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp());
INSERT INTO work SELECT n, 'note ' || n FROM generate_series(1, {rows}) AS n;
"""
ROUTES = '''
"""Rows of a queue table become rows of another; what was delivered is written down each time."""

from routekit import Policy, Retry, from_

moved = (
    from_(
        "sql:crm/work?key=id&after=delete&claim=taken_until&lease=2s&batch=200&poll=20ms",
        policy=Policy(concurrency=200, retry=Retry(100, first=0.05, most=0.5)),
    )
    .to("sql:crm/seen?columns=id")
    .to("sql:crm/moved?mode=upsert&key=id&columns=id,note")
)
'''


class Daemon:
    """`routekit serve` in a folder of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "routes").mkdir(parents=True)
        (folder / "routes" / "moving.py").write_text(ROUTES)
        (folder / "routekit.toml").write_text(f'[sql.crm]\nurl = "{url}"\n')

    def start(self) -> None:
        command = [Path(sys.executable).with_name("routekit"), "serve", "routes"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-3000:]


@contextmanager
def moving(server: Server, folder: Path) -> Generator[Daemon]:
    daemon = Daemon(folder, server.url)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.kill()


def asked(server: Server, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def moved(server: Server) -> int:
    return asked(server, "SELECT count(*) FROM moved")[0][0]


def wait_until(reached: Callable[[], bool], daemon: Daemon) -> None:
    end = monotonic() + WITHIN
    while not reached():
        assert monotonic() < end, daemon.log
        sleep(0.02)


@pytest.mark.timeout(WITHIN * 7)
def test_nothing_is_lost_while_the_server_and_the_daemon_are_killed(tmp_path: Path, postgresql: Server) -> None:
    """Of all rows each is moved; what was delivered twice was so because of a crash, and is there once."""
    crashes: list[float] = []
    start = monotonic()
    with PostgreSQL(durable=True) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(TABLES.format(rows=ROWS))  # type: ignore[arg-type]
        with moving(server, tmp_path) as daemon:
            for number, victim in enumerate((server, daemon, server, daemon, server), 1):
                wait_until(lambda goal=number * ROWS // 6: moved(server) >= goal, daemon)
                victim.kill()
                crashes.append(time())
                victim.start()
            wait_until(lambda: asked(server, "SELECT count(*) FROM work") == [(0,)], daemon)
        seconds = monotonic() - start
        assert moved(server) == ROWS
        assert asked(server, "SELECT count(*) FROM moved WHERE note <> 'note ' || id") == [(0,)]
        [(seen, distinct)] = asked(server, "SELECT count(*), count(DISTINCT id) FROM seen")
        assert distinct == ROWS
        twice = asked(
            server,
            "SELECT extract(epoch FROM min(at)), extract(epoch FROM max(at)) FROM seen GROUP BY id HAVING count(*) > 1",
        )
    print(f"{ROWS} rows in {seconds:.1f} s, {len(crashes)} crashes, {seen - ROWS} delivered again")
    for first, last in twice:
        # what was at work when the server died may be tried by the old claim still while it is claimed anew
        assert any(float(first) - LATE < crash < float(last) for crash in crashes)
    assert seen - ROWS <= len(crashes) * 400  # what one process has claimed, twice
