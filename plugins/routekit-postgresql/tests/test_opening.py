"""What opening the store finds: nothing yet, another version, another process that opens it too, or no way in."""

from time import time
from typing import Any

import anyio
import pytest

from routekit import BadOption, Claim, Described, Store, StoreError
from routekit.testing import Catalog
from routekit_postgresql import open_postgresql
from routekit_postgresql.testing import PASSWORD, PostgreSQL

pytestmark = pytest.mark.anyio


async def refused(opened: Any, **options: Any) -> StoreError:
    """What opening raises; it never tells the password."""
    with pytest.raises(StoreError) as caught:
        async with opened(**options):
            pass
    assert PASSWORD not in str(caught.value)
    assert "wrong" not in str(caught.value)
    return caught.value


async def test_processes_that_start_together_make_the_tables_once(opened: Any):
    """Many may open a new store at the same moment; each finds it ready, and has a name of its own."""
    owners: list[str] = []
    release = anyio.Event()

    async def enter() -> None:
        async with opened() as store:
            await store.keys("seen").claim(store.owner, owner=store.owner, lease=60)
            owners.append(store.owner)
            await release.wait()

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(enter)
        with anyio.fail_after(60):
            while len(owners) < 6:
                await anyio.sleep(0.01)
        async with opened() as store:
            for owner in owners:
                assert await store.keys("seen").claim(owner, owner="me", lease=60) is Claim.HELD
        release.set()
    assert sorted(owners) == [f"process-{number}" for number in range(6)]


async def test_what_was_kept_is_there_again(opened: Any):
    """State survives the closing of the store."""
    async with opened() as store:
        await store.marks("m").put("k", "v")
    async with opened() as store:
        assert await store.marks("m").get("k") == "v"


async def test_a_newer_schema_is_refused(opened: Any, server: PostgreSQL, schema: str):
    """A store that a newer RouteKit has made is not touched, and the error says what to do."""
    async with opened():
        pass
    server.rows(f"INSERT INTO {schema}.version (version) VALUES (999)")
    error = await refused(opened)
    assert "schema version 999" in error.message
    assert "upgrade" in error.hint
    assert server.rows(f"SELECT max(version) FROM {schema}.version") == [(999,)]


async def test_an_older_schema_is_brought_up_to_date(opened: Any, server: PostgreSQL, schema: str):
    """A store whose migrations are not all done gets those that are missing."""
    server.rows(f"CREATE SCHEMA {schema}")
    server.rows(f"CREATE TABLE {schema}.version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())")
    async with opened() as store:
        await store.marks("m").put("k", "v")
    assert server.rows(f"SELECT min(version) FROM {schema}.version") == [(1,)]


async def test_stores_of_several_schemas_do_not_mix(opened: Any, schema: str):
    """Each schema is a store of its own, with processes of its own."""
    async with opened(schema=f"{schema}_a") as one, opened(schema=f"{schema}_b") as two:
        await one.marks("m").put("k", "v")
        assert await two.marks("m").get("k") is None
        assert one.owner == two.owner == "process-0"


async def test_a_wrong_password_is_told(opened: Any, server: PostgreSQL):
    """It is refused at once, and the hint says where to look."""
    error = await refused(opened, uri=server.store(timeout=60).replace(PASSWORD, "wrong"))
    assert "password authentication failed" in error.message
    assert "password in `store`" in error.hint


async def test_a_missing_database_is_told(opened: Any, server: PostgreSQL):
    """It is refused at once, and the hint says what to make."""
    error = await refused(opened, uri=server.store(timeout=60).replace("/postgres", "/nowhere"))
    assert 'database "nowhere" does not exist' in error.message
    assert "CREATE DATABASE" in error.hint


async def test_missing_rights_are_told(opened: Any, server: PostgreSQL, schema: str):
    """A user that may not make the schema is told which right is missing."""
    server.rows(f"CREATE ROLE {schema}_poor LOGIN PASSWORD '{PASSWORD}'")
    error = await refused(opened, uri=server.store(schema).replace("//routekit:", f"//{schema}_poor:"))
    assert "permission denied" in error.message
    assert "GRANT CREATE" in error.hint


async def test_a_user_without_rights_may_use_a_schema_of_its_own(opened: Any, server: PostgreSQL, schema: str):
    """Nothing more is needed than to own the schema."""
    server.rows(f"CREATE ROLE {schema}_poor LOGIN PASSWORD '{PASSWORD}'")
    server.rows(f"CREATE SCHEMA {schema} AUTHORIZATION {schema}_poor")
    async with opened(uri=server.store(schema).replace("//routekit:", f"//{schema}_poor:")) as store:
        await store.marks("m").put("k", "v")
        await store.vacuum()


async def test_a_server_that_is_away_is_told(opened: Any):
    """After `timeout` seconds it is given up, with an error that names the address."""
    error = await refused(opened, uri="postgresql://me:wrong@127.0.0.1:1/db?timeout=0.1")
    assert "postgresql://127.0.0.1:1/db" in error.message
    assert "running" in error.hint


async def test_a_server_that_starts_later_is_waited_for(opened: Any):
    """A service may start before its database does."""
    with PostgreSQL() as own:
        own.kill()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, own.start)
            async with opened(server=own, timeout=60) as store:
                await store.marks("m").put("k", "v")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("postgresql:db", "needs a server and a database, found 'db'"),
        ("postgresql://u:wrong@host", "found '//...@host'"),
        ("postgresql://host/db?leese=5", "has no option 'leese'; did you mean 'lease'?"),
        ("postgresql://host/db?lease=0.1", "'lease': input should be greater than or equal to 1, found '0.1'"),
        ("postgresql://host/db?schema=A%20b", "'schema'"),
    ],
)
async def test_a_wrong_uri_is_told(uri: str, told: str):
    """What is wrong with it is said, without the password, and no server is asked."""
    with pytest.raises(BadOption) as caught:
        async with Catalog().open_store(uri, float):
            pass
    assert told in str(caught.value)
    assert "wrong" not in str(caught.value)


async def test_a_password_may_have_any_characters(server: PostgreSQL, schema: str):
    """It is percent-encoded in the URI, and decoded before the store has it."""
    password = "a@b/c:d?e&f#%é"
    server.rows(f"CREATE ROLE {schema}_odd LOGIN SUPERUSER PASSWORD '{password}'")
    path = f"//{schema}_odd:{password}@127.0.0.1:{server.port}/postgres"
    async with open_postgresql(path, {"schema": schema}, float) as store:
        await store.marks("m").put("k", "v")


async def test_a_hundred_thousand_unfinished_messages_are_taken_in_pages(opened: Any, server: PostgreSQL, schema: str):
    """What a dead process has left comes in order, once, in pages of any size."""
    async with opened() as store:
        server.rows(
            f"""INSERT INTO {schema}.journal (name, brief, id, message, place, at, owner, token)
            SELECT 'r', 'm' || n, 'm' || n, repeat('x', 100), '', n, 'process-9/r', -1 FROM generate_series(1, 100000) n
            """
        )
        journal = store.journal("r")
        assert await journal.count() == 100_000
        found, after = 0, 0
        while page := await journal.take(owner=f"{store.owner}/r", limit=20_000, after=after):
            assert [entry.at for entry in page] == [float(n) for n in range(found + 1, found + len(page) + 1)]
            found, after = found + len(page), page[-1].number
        assert found == 100_000


async def test_what_cannot_be_a_key_is_refused(opened: Any):
    """A key with a zero byte, or half a character, is a StoreError; a very long one is kept."""
    async with opened() as store:
        for key in ("a\0b", "\ud800"):
            with pytest.raises(StoreError, match="cannot be stored"):
                await store.keys("k").claim(key, owner="me", lease=60)
        long = "x" * 100_000
        assert await store.keys("k").claim(long, owner="me", lease=60) is Claim.MINE
        assert await store.keys("k").claim(long + "x", owner="you", lease=60) is Claim.MINE
        assert await store.keys("k").claim(long, owner="you", lease=60) is Claim.HELD
        await store.marks("m").put(long, "1")
        assert await store.marks("m").items() == [(long, "1")]


async def test_a_store_of_many_writers_loses_no_update(opened: Any):
    """Values changed by versions count right, whoever changes them."""
    async with opened() as one, opened() as two:

        async def count(store: Store) -> None:
            for _ in range(25):
                while True:
                    value = await store.values("v").get("n")
                    number, version = (int(value.text), value.version) if value else (0, 0)
                    if await store.values("v").put("n", str(number + 1), version=version):
                        break

        async with anyio.create_task_group() as tasks:
            for store in (one, two, one, two):
                tasks.start_soon(count, store)
        value = await one.values("v").get("n")
        assert value is not None
        assert (value.text, value.version) == ("100", 100)


async def test_what_the_store_is_kept_in(opened: Any):
    """It says what server it is, the version of its tables, and what time it is there: that of the database."""
    async with opened() as store:
        assert isinstance(store, Described)
        facts = await store.described()
    assert facts.software.startswith("PostgreSQL 1")
    assert facts.schema >= 1
    assert facts.now is not None
    assert abs(facts.now - time()) < 60  # a server of this machine
