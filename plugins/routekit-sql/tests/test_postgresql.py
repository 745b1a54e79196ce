"""What only PostgreSQL has: its types, its languages, its procedures."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from routekit import BodyError, DefinitionError, Message

pytestmark = pytest.mark.anyio

POSTGRESQL = pytest.mark.parametrize("backing", [("postgresql", "asyncio"), ("postgresql", "trio")], ids="-".join)


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
