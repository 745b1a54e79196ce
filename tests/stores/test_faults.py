"""What a route does when its SQLite store cannot: nothing is acknowledged or lost, and it goes on once it can."""

import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import time

import anyio
import pytest

from routekit import Flow, Message, Store, StoreError, from_
from routekit.stores import _database
from routekit.stores.sqlite import open_sqlite
from tests.crashing import Outside, live

pytestmark = pytest.mark.anyio

PATIENCE = 60.0


BODIES = tuple(f"{number}" + "x" * 20_000 for number in range(3))
"""Of such a size that neither their keys nor letters about them have room in a full file."""


def flow(outside: Outside) -> Flow[str]:
    return from_(outside.source, str).idempotent("seen", key=lambda body: body).to(outside.sink)


def fed(store: Store | None = None) -> Outside:
    """Three messages; what is refused comes again soon."""
    return Outside([Message(body, id=body[0]) for body in BODIES], store=store, again=0.02)


@asynccontextmanager
async def running(store: Store) -> AsyncGenerator[Outside]:
    """A route that is fed until all is done."""
    outside = fed(store)
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await live(flow, outside, until=lambda: outside.done)

        tasks.start_soon(run)
        yield outside
        with anyio.fail_after(PATIENCE):
            while not outside.done:
                await anyio.sleep(0.01)


async def refused(outside: Outside) -> None:
    """Wait until the source has been told twice that a message could not be done."""
    with anyio.fail_after(PATIENCE):
        while sum(outside.refused.values()) < 2:
            await anyio.sleep(0.01)
    assert not outside.acknowledged


def all_done(outside: Outside) -> None:
    """Each is sent, or is a letter: one that failed just before the store came back."""
    assert {*outside.bodies, *(letter.body for letter in outside.letters)} == set(BODIES)
    assert not outside.waiting


async def test_a_file_that_is_locked_for_a_while(tmp_path: Path) -> None:
    """While another process holds it, messages are refused; once it is free they are done."""
    async with open_sqlite(f"{tmp_path}/s.db", {"busy_timeout": "10ms"}, time) as store:
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with running(store) as outside:
            await refused(outside)
            other.execute("ROLLBACK")
        other.close()
        all_done(outside)


async def test_a_full_file(tmp_path: Path) -> None:
    """While there is no room, messages are refused and no letter is lost; once there is, they are done."""
    async with open_sqlite(f"{tmp_path}/s.db", {"max_size": "256KB"}, time) as store:
        ballast = [f"{number}" + "v" * 4000 for number in range(100)]

        async def fill() -> None:
            for key in ballast:
                await store.marks("ballast").put(key, key)

        with pytest.raises(StoreError, match="is full"):
            await fill()
        async with running(store) as outside:
            await refused(outside)
            for key in ballast:
                await store.marks("ballast").delete(key)
        all_done(outside)


async def test_a_file_that_is_read_only_for_a_while(tmp_path: Path) -> None:
    """While nothing may be written, messages are refused and told why; afterwards they are done."""
    async with open_sqlite(f"{tmp_path}/s.db", {}, time) as store:
        connection = store._commits._connection  # who runs the tests may be root, to whom no file is read-only
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreError, match=r"is read-only.*let this user write"):
            await store.marks("m").put("k", "v")
        async with running(store) as outside:
            await refused(outside)
            connection.execute("PRAGMA query_only = OFF")
        all_done(outside)


async def test_a_file_that_is_moved_away_and_put_back(tmp_path: Path) -> None:
    """What would be written to a file without a name would be lost: messages are refused until it is back."""
    file, away = tmp_path / "s.db", tmp_path / "away.db"
    async with open_sqlite(str(file), {}, time) as store:
        await anyio.Path(file).rename(away)
        with pytest.raises(StoreError, match=r"was moved, removed or replaced.*put it back"):
            await store.marks("m").put("k", "v")
        async with running(store) as outside:
            await refused(outside)
            await anyio.Path(away).rename(file)
        all_done(outside)


async def test_a_damaged_file_loses_no_message(tmp_path: Path) -> None:
    """Messages that meet the damage are refused; with the file restored from a backup they are done."""
    file = tmp_path / "s.db"
    async with open_sqlite(str(file), {}, time) as store:
        for number in range(300):
            await store.keys("seen").claim(f"{number}" + "k" * 100, owner="me", lease=1)
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xee" * (len(whole) - 4096))
    outside = fed()

    async def meet() -> None:
        async with open_sqlite(str(file), {}, time) as store:
            outside.store = store
            await live(flow, outside, until=lambda: sum(outside.refused.values()) > 1)

    with pytest.raises(StoreError, match=r"is damaged.*backup"):
        await meet()  # its last look at the letters meets the damage too
    assert not outside.acknowledged
    file.write_bytes(whole)
    async with open_sqlite(str(file), {}, time) as store:
        outside.store = store
        await live(flow, outside, until=lambda: outside.done)
    all_done(outside)


LIMITED = """
import resource, sys
import anyio
from time import time
from routekit import StoreError
from routekit.stores.sqlite import open_sqlite

async def main():
    async with open_sqlite(sys.argv[1], {}, time) as store:
        marks = store.marks("m")
        await marks.put("first", "v")
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        try:
            for number in range(100):
                await marks.put(str(number), "v" * 4000)
        except StoreError as error:
            print(error, flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await marks.put("last", "v")
        print(len(await marks.items()), flush=True)

anyio.run(main)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="this system has no limit for files")
def test_a_disk_that_refuses_and_comes_back(tmp_path: Path) -> None:
    """When the system refuses to write, the store says so; what was told done is there, and it goes on afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "s.db")], capture_output=True, text=True, timeout=60, check=True
    )
    told, count = done.stdout.splitlines()[0], int(done.stdout.splitlines()[-1])
    assert "the store" in told
    assert "cannot be read or written" in told or "is full" in told
    assert count >= 2


OLD = """
    CREATE TABLE routekit_keys (
        name TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, until REAL, at REAL NOT NULL,
        PRIMARY KEY (name, key)
    ) WITHOUT ROWID;
    CREATE TABLE routekit_marks (
        name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (name, key)
    ) WITHOUT ROWID;
    CREATE TABLE routekit_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, route TEXT NOT NULL, at REAL NOT NULL,
        letter TEXT NOT NULL
    );
    CREATE INDEX routekit_letters_by_time ON routekit_letters (at, number);
    INSERT INTO routekit_keys VALUES ('seen', 'a', 'process-0', NULL, 1.0);
    INSERT INTO routekit_marks VALUES ('cursor', 'at', '7', 1.0);
    INSERT INTO routekit_letters (id, route, at, letter) VALUES ('1', 'r', 1.0, '{"id": "1", "message_id": "m",
        "route": "r", "source": "s", "step": "t", "place": "p", "error": "E", "reason": "no 17", "attempts": 1,
        "when": 1.0, "body": {"n": 1}, "headers": {}}');
    INSERT INTO routekit_letters (id, route, at, letter) VALUES ('2', 'r', 2.0, 'half of a let');
    PRAGMA user_version = 1;
"""
"""A store as the first release has made it."""


async def test_a_store_of_the_first_release_is_read(tmp_path: Path) -> None:
    """What is in it is there, also for what came later; a letter that is damaged keeps nobody from the others."""
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.executescript(OLD)
    connection.close()
    for _ in range(2):
        async with open_sqlite(f"{tmp_path}/s.db", {}, time) as store:
            assert (await store.keys("seen").claim("a", owner="me", lease=1)).value == "done"
            assert await store.marks("cursor").get("at") == "7"
            found = await store.letters.get("1")
            assert found is not None
            assert (found.body, found.reason) == ({"n": 1}, "no 17")
            assert await store.letters.count() == 2
            assert await store.letters.count(cluster=found.cluster) == 1
            assert await store.journal("r").count() == 0
            with pytest.raises(StoreError, match="no letter"):
                await store.letters.get("2")
    async with open_sqlite(f"{tmp_path}/s.db", {}, time) as store:
        await store.letters.remove("2")
        async with running(store) as outside:
            pass
        assert set(outside.bodies) == set(BODIES)


async def test_a_migration_that_is_cut_off_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It happens as a whole or not at all: after an error in its middle the old store is as it was."""
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.executescript(OLD)
    connection.close()
    whole = _database.MIGRATIONS
    broken = (*whole[:-1], (*whole[-1][:5], "CREATE TABLE routekit_keys (again TEXT)"))
    monkeypatch.setattr(_database, "MIGRATIONS", broken)
    with pytest.raises(StoreError):
        async with open_sqlite(f"{tmp_path}/s.db", {}, time):
            pass
    monkeypatch.setattr(_database, "MIGRATIONS", whole)
    async with open_sqlite(f"{tmp_path}/s.db", {}, time) as store:
        assert await store.marks("cursor").get("at") == "7"
        assert await store.letters.count() == 2
