"""What only a server does: it dies, comes back, tells of changes, and is used by several daemons at once."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest

from routekit import BodyError, DefinitionError, Message, Policy, Retry, RouteDegraded, Unavailable, from_
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

pytestmark = pytest.mark.anyio

POSTGRESQL = pytest.mark.parametrize("backing", [("postgresql", "asyncio"), ("postgresql", "trio")], ids="-".join)
UPSERT = "sql:crm/contacts?mode=upsert&key=email"
PATIENT = Retry(30, first=0.02, most=0.2)


@pytest.fixture
def setup(place: Any, tmp_path: Path) -> Callable[..., Any]:
    """A setup with the server as `crm`, and a durable store."""

    def made(**changes: Any) -> Any:
        def settings(table: str, name: str) -> Any:
            return {"url": place.url, "timeout": "2s"} if (table, name) == ("sql", "crm") else None

        return setup_for(Run(), settings=settings, store=f"sqlite:{tmp_path}/state.db", data=tmp_path, **changes)

    return made


@POSTGRESQL
async def test_a_server_that_is_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    host: Any, setup: Any
) -> None:
    """Rows that are being written when the server dies are written again once it is back, by the route's policy."""
    server, begun = host.place.server, list[int]()

    def row(number: int) -> Any:
        begun.append(number)
        if len(begun) == 700:
            server.kill()
        return {"email": f"{number}@x", "name": str(number)}

    def watch(event: Any) -> None:
        if isinstance(getattr(event, "error", None), Unavailable) and not server.running:
            server.start()

    flow = from_(Feed(range(2000)), policy=Policy(concurrency=64, retry=PATIENT)).transform(row).to(UPSERT)
    run = await run_routes(flow, setup=setup(watch=watch))
    assert (run.counts["route-1"].done, len(run.letters)) == (2000, 0)
    assert run.counts["route-1"].retried > 0
    assert host.rows("SELECT count(*), count(DISTINCT name) FROM contacts") == [(2000, 2000)]


@POSTGRESQL
async def test_a_table_is_read_to_its_end_although_the_server_dies_meanwhile(host: Any, setup: Any) -> None:
    """A source whose server dies is away, then goes on from the last row that was done: none is left out."""
    host.rows("INSERT INTO orders (id, customer, number) SELECT n, 'c', n FROM generate_series(1, 300) AS n")
    server, done = host.place.server, Sink()

    def killing(order: Any) -> Any:
        if order["id"] == 100:
            server.kill()
        return order

    def watch(event: Any) -> None:
        if isinstance(event, RouteDegraded):
            degraded.append(event)
            server.start()

    degraded: list[RouteDegraded] = []
    source = "sql:crm/orders?cursor=number&name=read&batch=20&poll=5ms"
    flow = from_(source).transform(killing).to(done)
    async with running(flow, setup=setup(watch=watch)):
        while len({order["id"] for order in done.bodies}) < 300:
            await anyio.sleep(0.01)
    assert isinstance(degraded[0].error, Unavailable)
    assert len(done.bodies) < 330  # a page at most comes twice


@POSTGRESQL
async def test_connections_that_died_in_the_pool_do_no_harm(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was lost while it rested is found out before it is used, and replaced."""
    monkeypatch.setattr("routekit_sql.drivers._IDLE", 0.0)
    send = await host.sink()
    await send(Message({"email": "a", "name": "A"}))
    host.place.server.kill()
    host.place.server.start()
    await send(Message({"email": "b", "name": "B"}))
    assert host.rows("SELECT count(*) FROM contacts") == [(2,)]


@POSTGRESQL
async def test_a_server_that_is_away_is_unavailable_and_no_bad_row(host: Any) -> None:
    """While the server is down each send raises Unavailable at once; when it is back the same send succeeds."""
    send = await host.sink()
    server = host.place.server
    server.kill()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await send(Message({"email": "a", "name": "A"}))
    finally:
        server.start()
    await send(Message({"email": "a", "name": "A"}))


@POSTGRESQL
async def test_a_notification_wakes_the_source(host: Any, setup: Any) -> None:
    """With listen= a row is delivered when NOTIFY tells of it, however long the poll is."""
    done = Sink()
    flow = from_("sql:crm/orders?key=id&after=delete&poll=1h&listen=New Orders").to(done)
    async with running(flow, setup=setup()):
        with anyio.fail_after(20):
            for number in (1, 2, 3):
                host.rows("INSERT INTO orders (id, customer, number) VALUES (?, 'c', ?)", number, number)
                host.rows("SELECT pg_notify('New Orders', 'whatever')")
                while len(done.bodies) < number:
                    await anyio.sleep(0.005)


@POSTGRESQL
async def test_notifications_are_heard_again_after_the_server_was_away(
    host: Any, setup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that listens is made anew, and what came meanwhile is read without a notification."""
    monkeypatch.setattr("routekit_sql.listening._AGAIN", 0.05)
    done = Sink()
    flow = from_("sql:crm/orders?key=id&after=delete&poll=1h&listen=orders", policy=Policy(retry=PATIENT)).to(done)
    async with running(flow, setup=setup()):
        with anyio.fail_after(20):
            host.rows("INSERT INTO orders (id, customer, number) VALUES (1, 'c', 1)")
            host.rows("NOTIFY orders")
            while len(done.bodies) < 1:
                await anyio.sleep(0.005)
            host.place.server.kill()
            host.place.server.start()
            host.rows("INSERT INTO orders (id, customer, number) VALUES (2, 'c', 2)")  # nobody is told
            while len(done.bodies) < 2:
                await anyio.sleep(0.005)
            host.rows("INSERT INTO orders (id, customer, number) VALUES (3, 'c', 3)")
            host.rows("NOTIFY orders")
            while len(done.bodies) < 3:
                await anyio.sleep(0.005)


ROUTE = '''
"""Work that several daemons share."""

import json
from routekit import Policy, from_

def told(order):
    with open({file!r}, "a") as out:
        out.write(json.dumps(order["id"]) + "\\n")
    return order

shared = from_(
    "sql:crm/orders?key=id&after=mark&set=state:done&claim=taken_until&lease=1s&batch=5&poll=20ms",
    policy=Policy(concurrency=4),
).transform(told)
'''


@pytest.mark.parametrize("backing", [("postgresql", "asyncio")], ids="-".join)
async def test_two_daemons_share_a_queue_and_one_of_them_is_killed(host: Any, tmp_path: Path) -> None:
    """Two daemons work on one table: no row is done by both but those that a killed one had in its hands."""
    host.rows("INSERT INTO orders (id, customer, number) SELECT n, 'c', n FROM generate_series(1, 400) AS n")
    folders = [tmp_path / name for name in ("one", "two")]
    daemons = [_daemon(folder, host.place.url) for folder in folders]
    try:
        with anyio.fail_after(60):
            while min(len(_done(folder)) for folder in folders) < 20:
                await anyio.sleep(0.02)
            daemons[0].send_signal(signal.SIGKILL)
            while host.rows("SELECT count(*) FROM orders WHERE state = 'done'") != [(400,)]:
                await anyio.sleep(0.05)
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait()
    one, two = map(_done, folders)
    assert set(one) | set(two) == set(range(1, 401))
    assert len(one) == len(set(one))
    assert len(two) == len(set(two))
    assert len(set(one) & set(two)) <= 5  # no more than one claim


def _daemon(folder: Path, url: str) -> subprocess.Popen[bytes]:
    (folder / "routes").mkdir(parents=True)
    (folder / "routes" / "work.py").write_text(ROUTE.format(file=str(folder / "done")))
    (folder / "routekit.toml").write_text(f'[sql.crm]\nurl = "{url}"\n')
    command = [Path(sys.executable).with_name("routekit"), "serve", "routes"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _done(folder: Path) -> list[int]:
    file = folder / "done"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@POSTGRESQL
async def test_each_type_of_column_takes_and_gives_its_own_values(host: Any) -> None:
    """Values of Python reach the columns that are made for them, and come back equal."""
    host.rows(
        "CREATE TABLE kinds (id INTEGER PRIMARY KEY, moment TIMESTAMPTZ, local TIMESTAMP, day DATE, span INTERVAL, "
        "amount NUMERIC(30, 4), ratio DOUBLE PRECISION, known UUID, raw BYTEA, words TEXT[], grid INT[], data JSONB, "
        "yes BOOLEAN, small SMALLINT, choice VARCHAR(3))"
    )
    two = datetime(2026, 11, 21, 4, 5, 6, 7, UTC).astimezone()
    row = {
        "moment": two,
        "local": datetime(2026, 11, 21, 4, 5, 6),
        "day": date(2026, 11, 21),
        "span": timedelta(days=1, seconds=2, microseconds=3),
        "amount": Decimal("12345678901234567890.1234"),
        "ratio": 0.1,
        "known": UUID(int=5),
        "raw": b"\0\xff",
        "words": ['a"b', "c\\d", "", "NULL", None, "{,}"],
        "grid": [[1, 2], [3, 4]],
        "data": {"a": [1, None, "x"]},
        "yes": True,
        "small": True,
        "choice": "abc",
    }
    await (await host.sink("crm/kinds"))(Message({"id": 1, **row}))
    async with host.reading("crm/kinds", key="id", after="delete") as reading:
        [delivery] = await reading.poll()
        assert delivery.message.body == {"id": 1, **row, "small": 1}


@POSTGRESQL
@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("age", 1.5, 'invalid input syntax for type integer: "1.5"'),
        ("age", "many", "invalid input syntax for type integer"),
        ("age", True, ""),
        ("name", "x" * 101, "too long for type character varying"),
        ("vip", 7, "invalid input syntax for type boolean"),
    ],
)
async def test_nothing_is_rounded_or_cut_to_fit(host: Any, column: str, value: Any, why: str) -> None:
    """What does not fit a column is refused: it is not made fit."""
    send = await host.sink()
    row = {"email": "a", "name": "A", column: value}
    if not why:
        await send(Message(row))
        return
    with pytest.raises(BodyError, match=why):
        await send(Message(row))


@POSTGRESQL
async def test_values_stay_out_of_the_text_of_a_broken_constraint(host: Any) -> None:
    """A letter about a duplicate names the column and not what was in it."""
    send = await host.sink()
    await send(Message({"email": "secret@example.com", "name": "A"}))
    with pytest.raises(BodyError) as caught:
        await send(Message({"email": "secret@example.com", "name": "B"}))
    assert caught.value.column == "email"
    assert "secret" not in str(caught.value)


@POSTGRESQL
async def test_rows_are_read_in_the_order_of_the_database_whatever_its_language(host: Any) -> None:
    """Texts that the database sorts otherwise than Python are delivered once each, also across pages and polls."""
    host.rows('CREATE TABLE names (name TEXT COLLATE "en-x-icu" PRIMARY KEY, at INTEGER NOT NULL)')
    for name in ("b", "A", "a", "B", "é", "e", "Z"):
        host.rows("INSERT INTO names VALUES (?, 1)", name)
    async with host.reading("crm/names", cursor="at", name="n", batch=2) as reading:
        found = await reading.poll()
        assert [delivery.message.body["name"] for delivery in found] == ["a", "A", "b", "B", "e", "é", "Z"]
        for delivery in found:
            await delivery.ack(None)
        assert await reading.poll() == []
    async with host.reading("crm/names", cursor="at", name="n", batch=2) as reading:
        assert await reading.poll() == []


@POSTGRESQL
async def test_a_cursor_of_times_is_kept_exactly(host: Any) -> None:
    """Times, numbers of any size and UUIDs are positions, to the microsecond and across restarts."""
    host.rows("CREATE TABLE changes (id UUID PRIMARY KEY, at TIMESTAMPTZ NOT NULL)")
    for number in range(4):
        host.rows(
            "INSERT INTO changes VALUES (?, ?::timestamptz)",
            UUID(int=number),
            f"2026-11-21 04:00:00.00000{number // 2}",
        )
    options = {"cursor": "at", "name": "changes", "batch": 1}
    async with host.reading("crm/changes", **options) as reading:
        for delivery in (await reading.poll())[:3]:
            await delivery.ack(None)
    async with host.reading("crm/changes", **options) as reading:
        [last] = await reading.poll()
    assert last.message.body["id"] == UUID(int=3)
    async with host.reading("crm/changes", **{**options, "overlap": "1s", "name": "late"}) as reading:
        for delivery in await reading.poll():
            await delivery.ack(None)
        host.rows("INSERT INTO changes VALUES (?, '2026-11-21 03:59:59.5'::timestamptz)", UUID(int=9))
        [late] = await reading.poll()
    assert late.message.body["id"] == UUID(int=9)


@POSTGRESQL
async def test_times_that_python_does_not_know_come_as_text(host: Any) -> None:
    """A row with an endless time is delivered like any other: it does not stop the source."""
    host.rows("CREATE TABLE ends (id INTEGER PRIMARY KEY, until TIMESTAMP, day DATE, early TIMESTAMPTZ)")
    host.rows("INSERT INTO ends VALUES (1, 'infinity', '-infinity', '0044-03-15 BC')")
    async with host.reading("crm/ends", key="id", after="delete") as reading:
        [delivery] = await reading.poll()
    assert (delivery.message.body["until"], delivery.message.body["day"]) == ("infinity", "-infinity")


@pytest.mark.parametrize("backing", [("postgresql", "asyncio")], ids="-".join)
async def test_a_statement_may_call_a_procedure(host: Any) -> None:
    """CALL is checked at the start like any statement; what it gives back is the answer."""
    host.rows(
        "CREATE PROCEDURE place(customer TEXT, number INT, OUT made INT) LANGUAGE SQL AS "
        "$$ INSERT INTO orders (customer, number) VALUES (customer, number) RETURNING id $$"
    )
    send = await host.sink("crm", mode="execute", statement="CALL place(:customer, :number, NULL)")
    answer = await send(Message({"customer": "a", "number": 7}))
    assert answer.body == [{"made": 1}]
    assert host.rows("SELECT customer, number FROM orders") == [("a", 7)]
    with pytest.raises(DefinitionError, match="procedure nothing"):
        await host.sink("crm", mode="execute", statement="CALL nothing(:a)")


@pytest.mark.parametrize("backing", [("postgresql", "asyncio")], ids="-".join)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("secret", "wrong"), "password authentication failed"),
        (("/postgres", "/nothing"), 'database "nothing" does not exist'),
        (("127.0.0.1:", "127.0.0.1:1/x?application_name="), "Connection refused"),
    ],
)
async def test_a_url_that_does_not_lead_there_says_why(hosted: Any, place: Any, change: Any, why: str) -> None:
    """The text says what the server refused, without the password; what was wrong there may be mended there."""
    host = hosted(place, url=place.url.replace(*change))
    async with host.stack:
        with pytest.raises(Unavailable, match=why) as caught:
            await host.sink()
    assert "secret" not in str(caught.value)


def test_the_driver_is_named_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says what to install."""
    from routekit_sql.dialect import parsed
    from routekit_sql.settings import ConnectionSettings

    monkeypatch.setitem(sys.modules, "psycopg", None)
    settings = ConnectionSettings.model_validate({"url": "postgresql://me@host/db"})
    url, dialect = parsed(settings, "[sql.crm]")
    with pytest.raises(DefinitionError, match=r"pip install 'routekit-sql\[postgresql\]'"):
        dialect.engine(url, settings)
