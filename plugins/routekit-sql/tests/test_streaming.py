"""Many rows, and slow queries: what is read is bounded, and a query may be run once for all its rows.

ROUTEKIT_SQL_STREAM=1000000 reads so many rows.
"""

import os
import tracemalloc
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from sqlalchemy import event

from routekit import Message, Unavailable

pytestmark = pytest.mark.anyio

ROWS = int(os.environ.get("ROUTEKIT_SQL_STREAM", "5000"))
WIDE = "x" * 500
QUERY = "SELECT o.id, o.number, o.customer FROM orders o WHERE o.number > 0"
OPTIONS = {"query": QUERY, "cursor": "number", "key": "id", "name": "all", "batch": 100, "stream": True}
PAIRS = [("postgresql", "asyncio"), ("postgresql", "trio")]
STREAMS = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio"), *PAIRS], ids="-".join)


def fill(host: Any, count: int) -> None:
    """A table of wide rows."""
    host.rows("CREATE TABLE wide (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, note TEXT NOT NULL)")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
    for first in range(0, count, 1000):
        chosen = f"SELECT i + {first}, (i + {first}) / 3, '{WIDE}' FROM n WHERE i + {first} <= {count}"
        host.rows(
            host.told(
                sqlite=f"{numbers} INSERT INTO wide {chosen}",
                postgresql=f"{numbers} INSERT INTO wide {chosen}",
                mariadb=f"INSERT INTO wide {numbers} {chosen.replace(' / ', ' DIV ')}",
            )
        )


async def done(deliveries: list[Any]) -> None:
    """Acknowledge all at once."""
    async with anyio.create_task_group() as tasks:
        for delivery in deliveries:
            tasks.start_soon(delivery.ack, None)


async def read(host: Any, most: int, path: str = "crm", **options: Any) -> list[int]:
    """Read and acknowledge so many rows, in groups, and leave the source; their keys."""
    keys: list[int] = []
    group: list[Any] = []
    async with aclosing(host.source(path, **options).consume(host)) as deliveries:
        async for delivery in deliveries:
            group.append(delivery)
            keys.append(delivery.message.body["id"])
            if len(group) == 100 or len(keys) == most:
                await done(group)
                group.clear()
            if len(keys) == most:
                break
    return keys


@pytest.mark.parametrize("stream", [False, True], ids=["pages", "stream"])
@pytest.mark.timeout(60 + ROWS / 500)
async def test_many_rows_take_little_memory(host: Any, stream: bool) -> None:
    """All rows of a large table are read once each, in order, and only some of them are in memory at a time."""
    fill(host, ROWS)
    stream = stream and host.kind != "mariadb"
    tracemalloc.start()
    try:
        keys = await read(host, ROWS, "crm/wide", cursor="at", name="w", stream=stream, batch=200)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    peak -= len(keys) * 40  # the keys themselves
    print(f"{host.kind}: {ROWS} rows of {len(WIDE)} bytes, {peak / 1e6:.1f} MB at most")
    assert keys == list(range(1, ROWS + 1))
    assert peak < 8e6 or ROWS * len(WIDE) < 2.5e6


@STREAMS
async def test_a_stream_is_one_statement_for_all_rows(host: Any) -> None:
    """A slow query is run once, however many pages its rows are fetched in."""
    host.orders(1000)
    ran: list[str] = []

    def seen(*arguments: Any) -> None:
        if "ORDER BY" in arguments[2]:
            ran.append(arguments[2])

    await host.sink("crm/orders")
    database = next(iter(host.open.values()))
    await database.read(lambda connection: event.listen(connection.engine, "before_cursor_execute", seen))
    assert await read(host, 1000, **OPTIONS) == list(range(1, 1001))
    assert len(ran) == 1


@STREAMS
async def test_a_stream_goes_on_behind_what_was_done(host: Any) -> None:
    """Who leaves a stream in the middle finds the next row at its next start; what comes later is read too."""
    host.orders(500)
    assert await read(host, 150, **OPTIONS) == list(range(1, 151))
    host.rows("INSERT INTO orders (id, customer, number) VALUES (501, 'c', 501)")
    assert await read(host, 351, **OPTIONS) == list(range(151, 502))


@STREAMS
async def test_a_stream_that_was_left_holds_nothing(host: Any) -> None:
    """The rest of its rows is neither read nor locked, and writing goes on."""
    fill(host, 3000)
    for _ in range(10):  # more often than there are connections
        assert len(await read(host, 1, "crm/wide", cursor="at", name="w", stream=True, batch=10)) == 1
    await (await host.sink("crm/wide"))(Message({"id": 0, "at": 0, "note": "n"}))
    host.rows("DROP TABLE wide")


@pytest.mark.parametrize("backing", PAIRS, ids="-".join)
async def test_a_stream_whose_server_dies_says_so(host: Any) -> None:
    """The source is away then; when the server is back, it goes on behind what was done."""
    fill(host, 5000)
    server = host.place.server
    options: Any = {"cursor": "at", "name": "w", "stream": True, "batch": 10}
    count = 0

    async def read_on() -> None:
        nonlocal count
        async with aclosing(host.source("crm/wide", **options).consume(host)) as deliveries:
            async for delivery in deliveries:
                await delivery.ack(None)
                count += 1
                if count == 25:
                    server.kill()

    with pytest.raises(Unavailable):
        await read_on()
    server.start()
    keys = await read(host, 10, "crm/wide", **options)
    assert keys == list(range(count + 1, count + 11))


@pytest.mark.parametrize("backing", [("mariadb", "asyncio")], ids="-".join)
async def test_a_stream_that_could_not_be_left_is_refused(host: Any) -> None:
    """The driver of MariaDB reads a result to its end, whatever is wanted: pages are asked for instead."""
    assert "raise batch= instead" in str(await host.refusal("crm", **OPTIONS))
