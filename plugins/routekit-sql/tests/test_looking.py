"""What the endpoints tell about themselves: probes, figures, and sources that are in each other's way."""

import re
from typing import Any

import pytest

from routekit import BadOption, Message, Unavailable, UnknownName
from routekit_sql import SqlSink, SqlSource

pytestmark = pytest.mark.anyio

VERSION = r"(SQLite 3|PostgreSQL \d\d|MariaDB \d\d)\.\S+, "
CURSOR = {"cursor": "number", "name": "n"}
WORK = {"key": "id", "after": "delete"}
CLAIMED = {**WORK, "claim": "taken_until"}


@pytest.mark.parametrize("options", [CURSOR, {**CURSOR, "overlap": 1}, WORK, CLAIMED], ids=str)
async def test_the_probe_of_a_source_counts_what_waits(host: Any, options: Any) -> None:
    """It tells the database and how many rows wait, up to a thousand, and takes none."""
    for count, found in ((0, "0"), (3, "3"), (1200, "1000 or more")):
        host.rows("DELETE FROM orders")
        if count:
            host.orders(count)
        text = await host.source("crm/orders", **options).probe(host)
        assert re.fullmatch(f"{VERSION}crm/orders: {found} rows waiting", text)


async def test_the_probe_of_a_cursor_counts_from_its_position(host: Any) -> None:
    """Rows that are done are not counted."""
    host.orders(3)
    async with host.reading("crm/orders", **CURSOR) as reading:
        first, *_ = await reading.poll()
        await first.ack(None)
    assert (await host.source("crm/orders", **CURSOR).probe(host)).endswith(": 2 rows waiting")


async def test_the_probe_of_a_sink_tells_its_table(host: Any) -> None:
    """It tells the database and the table, and changes nothing; what does not fit is raised."""
    assert re.fullmatch(f"{VERSION}crm/contacts: 6 columns", await SqlSink(target="crm/contacts").probe(host))
    statement = "DELETE FROM orders WHERE id = :id"
    found = await SqlSink(target="crm", mode="execute", statement=statement).probe(host)
    assert re.fullmatch(f"{VERSION}the statement can be run", found)
    with pytest.raises(UnknownName, match="did you mean 'contacts'"):
        await SqlSink(target="crm/contact").probe(host)
    with pytest.raises(BadOption, match="is not unique"):
        await SqlSink(target="crm/contacts", mode="upsert", key="name").probe(host)


@pytest.mark.parametrize("backing", [("postgresql", "asyncio"), ("mariadb", "trio")], ids="-".join)
async def test_the_probe_of_a_server_that_is_away_raises(host: Any) -> None:
    """The reason is told, and not the password."""
    host.place.server.kill()
    try:
        with pytest.raises(Unavailable) as caught:
            await SqlSink(target="crm/contacts").probe(host)
    finally:
        host.place.server.start()
    assert "s3cret" not in str(caught.value)


async def test_the_figures_of_a_sink_count_its_rows(host: Any) -> None:
    """Rows, transactions and refusals are counted; nothing waits when all is told."""
    send = await host.sink("crm/contacts")
    figures = host.figures
    await host.send_all(send, *({"email": str(n), "name": "x", "age": -1 if n == 2 else n} for n in range(4)))
    found = {name: read() for name, read in figures.items()}
    assert (found["rows_total"], found["refused_total"], found["waiting"]) == (3, 1, 0)
    assert found["commits_total"] >= 1


@pytest.mark.parametrize("options", [CURSOR, WORK], ids=str)
async def test_the_figures_of_a_source_count_what_is_unfinished(host: Any, options: Any) -> None:
    """Rows in flight and those that wait for another try are told."""
    host.orders(4)
    async with host.reading("crm/orders", **options) as reading:
        first, second, *_ = await reading.poll()
        await first.ack(None)
        await second.nack(RuntimeError("refused"))
        found = {name: read() for name, read in host.figures.items()}
    assert (found["refused"], found["rows_total"]) == (1, 4)
    assert found["unfinished"] == (3 if options is CURSOR else 2)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({**CURSOR}, {**CURSOR}, "both keep their position as name=n"),
        ({**CURSOR}, {**CURSOR, "name": "m"}, None),
        (WORK, WORK, "both take all work of crm/orders: let them share it by claim=COLUMN"),
        (WORK, CLAIMED, "both take all work of crm/orders: let them share it by claim=COLUMN"),
        (CLAIMED, CLAIMED, None),
        (WORK, {**WORK, "query": "SELECT * FROM orders WHERE number > 5"}, None),
        (WORK, CURSOR, None),
    ],
)
def test_sources_that_are_in_each_others_way_are_told(one: Any, other: Any, why: str | None) -> None:
    """Two sources of one position, or of the same work, cannot run in one service."""
    first, second = (SqlSource.of("crm/orders", options) for options in (one, other))
    assert first.clashes(second) == why


async def test_a_batch_waits_for_more_rows_for_a_time(host: Any) -> None:
    """With linger= a transaction that is not full waits; it goes on at once when it is full."""
    send = await host.sink("crm/contacts", linger="1h", batch=3)
    await host.send_all(send, *({"email": str(n), "name": "x"} for n in range(3)))
    assert host.figures["commits_total"]() == 1
    soon = await host.sink("crm/contacts", linger="5ms", batch=3)
    await soon(Message({"email": "alone", "name": "x"}))
    assert host.rows("SELECT count(*) FROM contacts") == [(4,)]
