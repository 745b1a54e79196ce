"""What the sink says when the database or its settings are at fault."""

from pathlib import Path
from typing import Any

import pytest

from routekit import BadOption, BodyError, DefinitionError, Message, Unavailable, UnknownName
from routekit_sql.database import database_of

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

ANNA = {"email": "anna@example.com", "name": "Anna"}


async def test_a_locked_database_is_unavailable_until_it_is_free(host: Any) -> None:
    """While another process holds the lock a send raises Unavailable; the same send succeeds afterwards."""
    send = await host.sink()
    with host.place.locked(), pytest.raises(Unavailable, match=r"another (process|transaction) holds (its|the) lock"):
        await send(Message(ANNA))
    await send(Message(ANNA))
    assert host.rows("SELECT count(*) FROM contacts") == [(1,)]


async def test_every_sender_of_a_batch_hears_of_a_lock(host: Any) -> None:
    """When a whole batch cannot be written each of its senders gets an error of its own."""
    send = await host.sink()
    with host.place.locked():
        outcomes = await host.send_all(send, *({"email": str(n), "name": "x"} for n in range(10)))
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 10
    assert len(set(map(id, outcomes))) == 10


@SQLITE
async def test_a_full_disk_is_unavailable_and_loses_nothing(host: Any) -> None:
    """A batch that does not fit is not stored at all, and what was stored before stays."""
    send = await host.sink()
    await send(Message(ANNA))
    database = await database_of(host, "crm")

    def limit(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1").close()
        connection.commit()

    await database.write(limit)
    large = [{"email": str(n), "name": "x" * 3000} for n in range(20)]
    with pytest.raises(Unavailable, match="full; free some space"):
        await send(Message(large))
    assert host.rows("SELECT email FROM contacts") == [("anna@example.com",)]
    await send(Message(large))  # the connection that failed is not used again, and the limit was its own
    assert host.rows("SELECT count(*) FROM contacts") == [(21,)]


@SQLITE
async def test_the_folder_of_the_database_is_made(hosted: Any, tmp_path: Path) -> None:
    """A missing folder is no fault: it is made, and the script fills the new database."""
    script = tmp_path / "schema.sql"
    script.write_text("CREATE TABLE IF NOT EXISTS t (a TEXT);\nCREATE INDEX IF NOT EXISTS i ON t (a);")
    host = hosted(tmp_path / "not" / "yet" / "new.db", schema=str(script))
    async with host.stack:
        await (await host.sink("crm/t"))(Message({"a": "x"}))
    assert host.rows("SELECT a FROM t") == [("x",)]


@SQLITE
async def test_a_folder_that_cannot_be_made_is_unavailable(hosted: Any, tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "file").write_text("")
    host = hosted(tmp_path / "file" / "x.db")
    async with host.stack:
        with pytest.raises(Unavailable, match=r"cannot make the folder .*/file"):
            await host.sink()


@SQLITE
async def test_a_file_that_is_no_database_is_a_definition_error(hosted: Any, tmp_path: Path) -> None:
    """Waiting does not turn a text file into a database."""
    (tmp_path / "x.db").write_text("This is a text, not a database. " * 100)
    host = hosted(tmp_path / "x.db")
    async with host.stack:
        with pytest.raises(DefinitionError, match="is not an SQLite database; see url"):
            await host.sink()


@SQLITE
async def test_a_folder_in_place_of_the_file_is_unavailable(hosted: Any, tmp_path: Path) -> None:
    """A folder cannot be opened as a database."""
    host = hosted(tmp_path)
    async with host.stack:
        with pytest.raises(Unavailable, match="it is a folder"):
            await host.sink()


@SQLITE
async def test_a_damaged_database_is_unavailable(host: Any, file: Path) -> None:
    """A file whose pages are broken is reported as damaged, not as a bad row."""
    with file.open("r+b") as data:
        size = data.seek(0, 2)
        data.seek(4096)
        data.write(b"\xee" * (size - 4096))
    with pytest.raises(Unavailable, match="malformed; the file is damaged"):
        await (await host.sink())(Message(ANNA))


@SQLITE
async def test_a_script_that_is_wrong_is_named(hosted: Any, tmp_path: Path) -> None:
    """An error in the script says which script, and what the database found."""
    script = tmp_path / "schema.sql"
    script.write_text("CREATE TABEL t (a);")
    host = hosted(tmp_path / "x.db", schema=str(script))
    async with host.stack:
        with pytest.raises(DefinitionError, match=r'near "TABEL": syntax error, in the script .*schema\.sql'):
            await host.sink()


@SQLITE
async def test_a_missing_script_is_named(hosted: Any, tmp_path: Path) -> None:
    """A script that does not exist says where it was looked for."""
    host = hosted(tmp_path / "x.db", schema="no/such.sql")
    async with host.stack:
        with pytest.raises(DefinitionError, match=r"cannot read the script no/such\.sql.*the path starts at /"):
            await host.sink()


@SQLITE
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ulr": "x"}, r"\[sql.crm\] has no option 'ulr'; did you mean 'url'\?"),
        ({"url": "sqlite://"}, "in memory would not survive"),
        ({"url": "no url at all"}, "the url is no database URL"),
        ({"url": "oracle://me:hunter2@host/x"}, "the database 'oracle'; supported: mariadb, mysql, postgresql, sqlite"),
        ({"timeout": "soon"}, "'timeout'"),
        ({"pool_size": 0}, "'pool_size'"),
        ({"schema": 5}, "'schema'"),
    ],
)
async def test_wrong_settings_are_refused(hosted: Any, file: Path, settings: Any, why: str) -> None:
    """A wrong setting of a connection is named, and the password of its URL never is."""
    host = hosted(file, **settings)
    async with host.stack:
        with pytest.raises(BadOption, match=why) as caught:
            await host.sink()
        assert "hunter2" not in str(caught.value)


@SQLITE
async def test_the_password_of_a_url_is_masked(hosted: Any, file: Path) -> None:
    """Settings can be printed."""
    from routekit_sql.settings import settings_of

    assert "hunter2" not in repr(settings_of(hosted(file, url="sqlite://me:hunter2@x/y"), "crm"))


async def test_a_connection_without_settings_says_what_to_write(host: Any) -> None:
    """A name that is not in routekit.toml comes with the lines that define it."""
    with pytest.raises(UnknownName, match=r"\[sql\.erp\] is not in routekit\.toml; write \[sql\.erp\] with .*url = "):
        await host.sink("erp/contacts")


async def test_a_missing_table_is_named(host: Any) -> None:
    """A table that does not exist comes with the nearest that does."""
    with pytest.raises(UnknownName, match=r"sql:crm has no table 'contcats'; did you mean 'contacts'\?"):
        await host.sink("crm/contcats")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"key": "mail"}, r"key=mail: table contacts has no such column; did you mean 'email'\? Known: email, name"),
        ({"key": "name"}, r"key=name is not unique in table contacts; its columns: email, .* its unique keys: email;"),
        ({"key": "email,name"}, "is not unique"),
        ({"key": "email", "columns": "nmae"}, r"columns=nmae: .* did you mean 'name'"),
    ],
)
async def test_a_key_that_cannot_work_is_refused_at_open(host: Any, options: Any, why: str) -> None:
    """Upsert needs a key that the table holds unique; columns must exist. Both are known before the first row."""
    with pytest.raises(BadOption, match=why):
        await host.sink(mode="upsert", **options)


@pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("postgresql", "asyncio")], ids="-".join)
async def test_a_partial_unique_index_is_no_key(host: Any) -> None:
    """An index over some of the rows does not make a column unique."""
    host.rows("CREATE UNIQUE INDEX of_some ON contacts (name) WHERE vip")
    with pytest.raises(BadOption, match="key=name is not unique"):
        await host.sink(mode="upsert", key="name")
    host.rows("CREATE UNIQUE INDEX of_all ON contacts (name)")
    await host.sink(mode="upsert", key="name")


@pytest.mark.parametrize(
    ("path", "options", "why"),
    [
        ("crm", {}, "the table is missing: write sql:crm/table"),
        ("crm/t", {"mode": "upsert"}, "mode=upsert needs key=column"),
        ("crm/t", {"key": "a"}, "key does not go with mode=insert"),
        ("crm", {"mode": "execute"}, "mode=execute needs statement="),
        ("crm/t", {"mode": "execute", "statement": "x"}, "takes no table"),
        ("crm/t", {"statement": "x"}, "statement= does not go with mode=insert"),
        ("crm/t", {"mdoe": "x"}, "did you mean 'mode'"),
        ("crm/t", {"batch": 0}, "'batch'"),
    ],
)
async def test_options_that_contradict_each_other_are_refused(host: Any, path: str, options: Any, why: str) -> None:
    """What cannot work is said before a connection is opened."""
    with pytest.raises(BadOption, match=why):
        await host.sink(path, **options)


async def test_a_foreign_key_that_fails_at_the_commit_refuses_only_its_row(host: Any) -> None:
    """A deferred constraint is checked at the commit; the other rows of the batch are stored all the same."""
    await (await host.sink("crm/orders"))(Message({"id": 1, "customer": "A", "number": 1}))
    send = await host.sink("crm/items")
    outcomes = await host.send_all(send, *({"id": n, "order_id": 9 if n == 3 else 1} for n in range(8)))
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, BodyError)] == [3]
    assert "foreign key constraint" in str(outcomes[3]).lower()
    assert [line for (line,) in host.rows("SELECT id FROM items ORDER BY id")] == [0, 1, 2, 4, 5, 6, 7]


async def test_a_table_that_vanishes_is_a_definition_error(host: Any) -> None:
    """A table that is dropped while the route runs is reported as missing, not as a bad row."""
    send = await host.sink()
    host.rows("DROP TABLE contacts")
    with pytest.raises(UnknownName, match=r"no such table: contacts|contacts. does(n't| not) exist"):
        await send(Message(ANNA))
