"""What is special about the SQLite store: it lasts, it is shared, and it says what is wrong with its file."""

import sqlite3
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskStatus

from routekit import BadOption, Claim, Letter, StoreError
from routekit.stores.sqlite import open_sqlite

pytestmark = pytest.mark.anyio

SURROGATE = "\ud800"
"""A key that SQLite cannot take, as no text encoding can."""


async def test_state_survives_reopening(reopen):
    """Keys, marks and letters are there again after the store was closed and opened."""
    kept = Letter("1", "m", "r", "s", "t", "p", "E", "no", 1, 1.0, {"n": 1})
    async with reopen() as store:
        assert store.durable
        await store.keys("seen").claim("a", owner="me", lease=10)
        await store.keys("seen").complete("a", owner="me")
        await store.marks("cursor").put("at", "7")
        await store.letters.add(kept)
    async with reopen() as store:
        assert await store.keys("seen").claim("a", owner="you", lease=10) is Claim.DONE
        assert await store.marks("cursor").get("at") == "7"
        assert await store.letters.list() == [kept]


async def test_missing_folders_are_made(tmp_path: Path, clock):
    """The folders of the path are created."""
    async with open_sqlite(str(tmp_path / "a" / "b" / "s.db"), {}, clock) as store:
        await store.marks("m").put("k", "v")
    assert (tmp_path / "a" / "b" / "s.db").is_file()


async def test_closing_leaves_one_complete_file(reopen, tmp_path: Path):
    """After closing, the write-ahead log is gone and the database alone holds everything."""
    async with reopen() as store:
        await store.marks("m").put("k", "v")
    assert not (tmp_path / "s.db-wal").exists()
    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("SELECT value FROM routekit_marks").fetchall() == [("v",)]
    connection.close()


async def test_commits_are_synced(reopen, tmp_path: Path):
    """The store runs in write-ahead mode with full sync, so that what was told done survives a power cut."""
    async with reopen() as store:
        connection = store._commits._connection  # the setting belongs to the connection: no other way to see it
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_a_failing_operation_costs_only_itself(reopen):
    """When one of many operations at once fails, its caller is told and all others are stored."""
    failures: list[StoreError] = []
    async with reopen() as store:

        async def put(key: str) -> None:
            try:
                await store.marks("m").put(key, "v")
            except StoreError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(put, SURROGATE if number == 10 else f"{number:02}")
        assert [key for key, _ in await store.marks("m").items()] == [f"{n:02}" for n in range(20) if n != 10]
    assert len(failures) == 1
    assert isinstance(failures[0].__cause__, UnicodeEncodeError)


async def test_a_cancelled_caller_does_not_hurt_the_others(reopen):
    """Callers who give up while they wait for a commit leave the group and the store working."""
    async with reopen() as store:
        keys = store.keys("seen")

        async def claim(key: str, task_status: TaskStatus[anyio.CancelScope]) -> None:
            with anyio.CancelScope() as scope:
                task_status.started(scope)
                await keys.claim(key, owner="me", lease=10)

        async with anyio.create_task_group() as tasks:
            scopes = [await tasks.start(claim, f"k{number}") for number in range(10)]
            await anyio.lowlevel.checkpoint()
            for scope in scopes[::2]:
                scope.cancel()
        for number in range(1, 10, 2):
            assert await keys.claim(f"k{number}", owner="you", lease=10) is Claim.HELD


async def test_what_is_pending_is_done_before_closing(reopen):
    """An operation that waits while the store closes is stored, and its caller is told so."""
    async with anyio.create_task_group() as tasks:
        told: list[str] = []

        async def put(store, key: str, task_status: TaskStatus[None]) -> None:
            task_status.started()
            await store.marks("m").put(key, "v")
            told.append(key)

        async with reopen() as store:
            for number in range(5):
                await tasks.start(put, store, f"k{number}")
            await anyio.lowlevel.checkpoint()
    async with reopen() as store:
        assert {key for key, _ in await store.marks("m").items()} >= set(told)
    assert len(told) == 5


async def test_cancelling_the_service_finishes_what_is_pending(reopen):
    """When everything around the store is cancelled, a shielded caller still gets its answer."""
    told: list[str] = []

    async def put(store, task_status: TaskStatus[None]) -> None:
        with anyio.CancelScope(shield=True):
            task_status.started()
            await store.marks("m").put("k", "v")
            told.append("k")

    async with anyio.create_task_group() as tasks, reopen() as store:
        await tasks.start(put, store)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
        await anyio.sleep_forever()
    assert told == ["k"]
    async with reopen() as store:
        assert await store.marks("m").get("k") == "v"


async def test_a_closed_store_refuses(reopen):
    """A call after closing raises instead of waiting for ever."""
    async with reopen() as store:
        marks = store.marks("m")
    with pytest.raises(StoreError, match="closed"):
        await marks.get("k")


async def test_an_error_inside_comes_out_as_itself(reopen):
    """An error raised while the store is open is not wrapped in a group."""
    with pytest.raises(ValueError, match="mine"):
        async with reopen():
            raise ValueError("mine")


async def test_a_locked_database_is_named(reopen, tmp_path: Path):
    """While another process holds the database, a call fails after the timeout with a hint, and works afterwards."""
    async with reopen(busy_timeout="50ms") as store:
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked by another process.*busy_timeout"):
            await store.marks("m").put("k", "v")
        other.execute("ROLLBACK")
        other.close()
        await store.marks("m").put("k", "v")
        assert await store.marks("m").get("k") == "v"


async def test_many_callers_wait_once_for_a_locked_database(reopen, tmp_path: Path):
    """A group that meets a lock fails as a whole after one wait: every caller is told, and nothing of it is stored."""
    failures: list[StoreError] = []
    statements: list[str] = []
    async with reopen(busy_timeout="50ms") as store:
        store._commits._connection.set_trace_callback(statements.append)  # how often it waited shows nowhere else
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        async def put(key: str) -> None:
            try:
                await store.marks("m").put(key, "v")
            except StoreError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(put, str(number))
        other.execute("ROLLBACK")
        other.close()
        assert list(await store.marks("m").items()) == []
    assert len(failures) == 100
    assert statements.count("BEGIN IMMEDIATE") < 5


async def test_a_full_database_says_so_and_keeps_what_it_told(reopen):
    """When the file may not grow, writing fails with a hint; all that was told done is there, and removing helps."""
    async with reopen(max_size="256KB") as store:
        told: list[str] = []

        async def fill() -> None:
            for number in range(100):
                await store.marks("m").put(f"k{number:03}", "v" * 4000)
                told.append(f"k{number:03}")

        with pytest.raises(StoreError, match=r"is full.*max_size"):
            await fill()
        assert told
        assert [key for key, _ in await store.marks("m").items()] == told
        for key in told[:3]:
            await store.marks("m").delete(key)
        await store.marks("m").put("again", "v" * 4000)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, clock):
    """A file of something else is named and left as it is."""
    (tmp_path / "s.db").write_bytes(b"this is a letter to my mother\n" * 100)
    with pytest.raises(StoreError, match="is no SQLite database"):
        async with open_sqlite(str(tmp_path / "s.db"), {}, clock):
            pass
    assert (tmp_path / "s.db").read_bytes() == b"this is a letter to my mother\n" * 100


async def test_a_damaged_database_says_so(reopen, tmp_path: Path):
    """Pages that were overwritten give an error that names the damage."""
    async with reopen() as store:
        for number in range(300):
            await store.marks("m").put(f"k{number}", "v" * 100)
    file = tmp_path / "s.db"
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xee" * (len(data) - 8192)
    file.write_bytes(data)
    with pytest.raises(StoreError, match=r"is damaged.*backup"):
        async with reopen() as store:
            await store.marks("m").items()


@pytest.mark.parametrize("path", ["folder", "file/s.db"])
async def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path, clock, path: str):
    """A folder, or a path below a file, is refused with what the path must be."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be opened.*the path must be a file"):
        async with open_sqlite(str(tmp_path / path), {}, clock):
            pass


async def test_a_newer_schema_is_refused(reopen, tmp_path: Path):
    """A store that a newer RouteKit has written is left alone."""
    async with reopen():
        pass
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"schema version 99.*upgrade RouteKit"):
        async with reopen():
            pass


async def test_another_programs_tables_are_left_alone(reopen, tmp_path: Path):
    """A database that has tables of its own keeps them."""
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("CREATE TABLE keys (mine TEXT)")
    connection.close()
    async with reopen() as store:
        await store.keys("seen").claim("a", owner="me", lease=1)
    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("SELECT count(*) FROM keys").fetchone() == (0,)
    connection.close()


async def test_a_letter_of_a_newer_version_is_read(reopen, tmp_path: Path):
    """Fields of a letter that this version does not know are left out."""
    kept = Letter("1", "m", "r", "s", "t", "p", "E", "no", 1, 1.0, {"n": 1})
    async with reopen() as store:
        await store.letters.add(kept)
    connection = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    connection.execute("UPDATE routekit_letters SET letter = json_set(letter, '$.mood', 'sad')")
    connection.close()
    async with reopen() as store:
        assert await store.letters.get("1") == kept


@pytest.mark.parametrize("path", ["", ":memory:"])
async def test_a_store_without_a_file_is_refused(clock, path: str):
    """The SQLite store needs a file; without one the memory store is offered."""
    with pytest.raises(BadOption, match="memory:"):
        async with open_sqlite(path, {}, clock):
            pass


async def test_an_unknown_option_is_refused(reopen):
    """A mistyped option is refused with the nearest one."""
    with pytest.raises(BadOption, match="did you mean 'busy_timeout'"):
        async with reopen(busy_timout=1):
            pass


async def test_two_openings_have_different_owners(reopen):
    """No two living openings of a store have the same owner; a number that became free is taken again."""
    async with reopen() as first:
        async with reopen() as second:
            assert first.owner != second.owner
        async with reopen() as third:
            assert third.owner == second.owner


async def test_two_openings_share_the_state(reopen):
    """What one opening wrote, the other sees at once."""
    async with reopen() as one, reopen() as two:
        assert await one.keys("seen").claim("a", owner=one.owner, lease=10) is Claim.MINE
        assert await two.keys("seen").claim("a", owner=two.owner, lease=10) is Claim.HELD
        await one.keys("seen").complete("a", owner=one.owner)
        assert await two.keys("seen").claim("a", owner=two.owner, lease=10) is Claim.DONE
