"""Rows by a cursor: none is skipped, and none is delivered twice without need."""

import re
from typing import Any

import pytest

from routekit import BadOption, DefinitionError, UnknownName

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

BY_NUMBER = {"cursor": "number", "name": "orders"}
FAILURE = RuntimeError("refused")


def orders(host: Any, *rows: tuple[int, int]) -> None:
    """Orders by their id and number; the customer is a text of the id."""
    for order, number in rows:
        host.rows("INSERT INTO orders (id, customer, number) VALUES (?, ?, ?)", order, f"c{order}", number)


def ids(deliveries: Any) -> list[int]:
    return [delivery.message.body["id"] for delivery in deliveries]


async def acknowledge(deliveries: Any) -> None:
    for delivery in deliveries:
        await delivery.ack(None)


async def position(host: Any, name: str = "orders") -> str | None:
    return await host.store.marks(f"sql-cursor:{name}").get("position")


async def test_a_row_is_delivered_as_a_mapping_with_its_key(host: Any) -> None:
    """The body is the row, the headers name its table and key, the id holds both and the cursor."""
    orders(host, (7, 3))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        [delivery] = await reading.poll()
    message = delivery.message
    row = {"id": 7, "customer": "c7", "number": 3, "total": None, "placed": None, "state": "new", "taken_until": None}
    assert message.body == row
    assert dict(message.headers) == {"sql.table": "crm/orders", "sql.key": 7}
    assert message.id == "crm/orders/7@3"


async def test_rows_come_in_the_order_of_the_cursor_and_only_once(host: Any) -> None:
    """A poll brings what is new since the last one, in the order of cursor and key."""
    orders(host, (1, 20), (2, 10), (4, 10), (3, 10))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        assert ids(await reading.poll()) == [2, 3, 4, 1]
        assert await reading.poll() == []
        orders(host, (5, 30))
        assert ids(await reading.poll()) == [5]


async def test_rows_of_equal_cursor_are_not_skipped_between_pages(host: Any) -> None:
    """However small a page is, all rows with one time are read, also those that come while they are read."""
    orders(host, *((n, 10) for n in range(1, 8)))
    async with host.reading("crm/orders", batch=2, **BY_NUMBER) as reading:
        assert ids(await reading.poll()) == [1, 2, 3, 4, 5, 6, 7]
        orders(host, (8, 10))
        assert ids(await reading.poll()) == [8]


async def test_a_changed_row_is_delivered_again(host: Any) -> None:
    """A row whose cursor grew is a new message with an id of its own."""
    orders(host, (1, 1))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        [first] = await reading.poll()
        host.rows("UPDATE orders SET number = 2, state = 'paid'")
        [second] = await reading.poll()
    assert (first.message.id, second.message.id) == ("crm/orders/1@1", "crm/orders/1@2")
    assert second.message.body["state"] == "paid"


async def test_rows_that_were_not_acknowledged_come_again_after_a_restart(host: Any) -> None:
    """The position that is kept stops before the first row that is unfinished, whatever is done behind it."""
    orders(host, *((n, n) for n in range(1, 6)))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        found = await reading.poll()
        await acknowledge([found[0], found[1], found[3], found[4]])
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        assert ids(await reading.poll()) == [3, 4, 5]


async def test_acknowledged_rows_do_not_come_again_after_a_restart(host: Any) -> None:
    """Once all rows are done, in whatever order, the next start begins behind the last one."""
    orders(host, (1, 1), (2, 2), (3, 2))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        await acknowledge(reversed(await reading.poll()))
    orders(host, (4, 2))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        assert ids(await reading.poll()) == [4]


async def test_a_refused_row_comes_again_as_it_is_now(host: Any) -> None:
    """A refused row is read anew after a while, and the position does not pass it before it is done."""
    orders(host, (1, 1), (2, 2))
    async with host.reading("crm/orders", poll=1e-9, **BY_NUMBER) as reading:
        first, second = await reading.poll()
        await first.nack(FAILURE)
        await second.ack(None)
        assert await position(host) is None
        host.rows("UPDATE orders SET state = 'mended' WHERE id = 1")
        [again] = await reading.poll()
        assert (again.message.id, again.message.body["state"]) == ("crm/orders/1@1", "mended")
        await again.ack(None)
        assert await position(host) == '{"columns": ["number", "id"], "values": [2, 2]}'


async def test_a_refused_row_that_is_gone_does_not_hold_the_cursor(host: Any) -> None:
    """A row that was deleted or moved on after its refusal is not waited for."""
    orders(host, (1, 1), (2, 2), (3, 3))
    async with host.reading("crm/orders", poll=1e-9, **BY_NUMBER) as reading:
        first, second, third = await reading.poll()
        await first.nack(FAILURE)
        await second.nack(FAILURE)
        await third.ack(None)
        host.rows("DELETE FROM orders WHERE id = 1")
        host.rows("UPDATE orders SET number = 9 WHERE id = 2")
        assert ids(await reading.poll()) == [2]
        assert await position(host) == '{"columns": ["number", "id"], "values": [3, 3]}'


async def test_a_query_is_read_by_its_cursor(host: Any) -> None:
    """A SELECT with a join and a comment at its end is read in pages like a table."""
    orders(host, (1, 1), (2, 2), (3, 3))
    host.rows("INSERT INTO items VALUES (5, 1, 9.5), (6, 3, 1.5)")
    query = "SELECT l.id, l.price, o.number FROM items l JOIN orders o ON o.id = l.order_id WHERE l.price > 1 -- all"
    async with host.reading("crm", query=query, key="id", batch=1, **BY_NUMBER) as reading:
        found = await reading.poll()
    assert [delivery.message.body for delivery in found] == [
        {"id": 5, "price": 9.5, "number": 1},
        {"id": 6, "price": 1.5, "number": 3},
    ]
    assert found[0].message.id == "crm/orders/5@1"


async def test_a_composite_key_is_part_of_the_id(host: Any) -> None:
    """Rows that differ in one column of their key are different messages."""
    orders(host, (1, 1))
    async with host.reading("crm/orders", cursor="id", key="customer,number", name="x") as reading:
        [delivery] = await reading.poll()
    assert delivery.message.id == 'crm/orders/["c1", 1]@1'
    assert delivery.message.headers["sql.key"] == ["c1", 1]


async def test_late_rows_are_found_within_the_overlap(host: Any) -> None:
    """A row that turns up below the front is delivered if it lies within the overlap, and no other comes twice."""
    orders(host, (1, 100), (2, 105), (3, 110))
    async with host.reading("crm/orders", overlap=8, batch=2, **BY_NUMBER) as reading:
        await acknowledge(await reading.poll())
        orders(host, (4, 103), (5, 90), (6, 110))
        found = await reading.poll()
        assert ids(found) == [4, 6]
        await acknowledge(found)
        assert await reading.poll() == []
        orders(host, (7, 120), (8, 121))
        assert ids(await reading.poll()) == [7, 8]


async def test_a_late_row_in_flight_is_not_lost_by_a_crash(host: Any) -> None:
    """The overlap is read again after a restart, so a late row that was not acknowledged comes again."""
    orders(host, (1, 100), (2, 110))
    async with host.reading("crm/orders", overlap=20, **BY_NUMBER) as reading:
        await acknowledge(await reading.poll())
        orders(host, (3, 95))
        assert ids(await reading.poll()) == [3]
    async with host.reading("crm/orders", overlap=20, **BY_NUMBER) as reading:
        assert 3 in ids(await reading.poll())


async def test_the_overlap_of_times_is_in_seconds(host: Any) -> None:
    """A cursor of ISO times is re-read by seconds."""
    insert = "INSERT INTO orders (id, customer, number, placed) VALUES (?, 'c', ?, ?)"
    host.rows(insert, 1, 1, "2026-11-21T04:00:30")
    async with host.reading("crm/orders", cursor="placed", name="t", overlap="30s") as reading:
        assert ids(await reading.poll()) == [1]
        host.rows(insert, 2, 2, "2026-11-21T03:59:59")
        host.rows(insert, 3, 3, "2026-11-21T04:00:05")
        assert ids(await reading.poll()) == [3]


async def test_nothing_more_is_read_behind_a_stuck_row(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits behind an unfinished row is bounded; reading goes on once it is done."""
    monkeypatch.setattr("routekit_sql.cursor.WINDOW", 4)
    orders(host, *((n, n) for n in range(1, 10)))
    async with host.reading("crm/orders", batch=2, **BY_NUMBER) as reading:
        first, *others = await reading.poll()
        assert ids([first, *others]) == [1, 2, 3, 4]
        await acknowledge(others)
        assert await reading.poll() == []
        await first.ack(None)
        assert ids(await reading.poll()) == [5, 6, 7, 8]


@SQLITE
async def test_json_and_boolean_columns_are_read_as_what_they_hold(host: Any) -> None:
    """JSON is parsed, a boolean is a bool, and what does not fit its column is delivered as it is."""
    insert = "INSERT INTO contacts (email, name, age, vip, tags, note) VALUES (?, 'n', ?, ?, ?, ?)"
    host.rows(insert, "a", 1, 1, '{"x": [1]}', "\0")
    host.rows(insert, "b", 2, "perhaps", "{broken", b"\xff")
    async with host.reading(cursor="age", name="c") as reading:
        a, b = [delivery.message.body for delivery in await reading.poll()]
    assert (a["vip"], a["tags"], a["note"]) == (True, {"x": [1]}, "\0")
    assert (b["vip"], b["tags"], b["note"]) == ("perhaps", "{broken", b"\xff")


@pytest.mark.parametrize(
    ("path", "options", "kind", "why"),
    [
        ("crm/ordrs", BY_NUMBER, UnknownName, "has no table 'ordrs'; did you mean 'orders'"),
        ("crm/orders", {**BY_NUMBER, "cursor": "nubmer"}, BadOption, "cursor=nubmer: .* did you mean 'number'"),
        ("crm/orders", {**BY_NUMBER, "key": "idd"}, BadOption, "key=idd: .* did you mean 'id'"),
        ("crm/orders", {**BY_NUMBER, "key": "state"}, BadOption, "key=state is not unique"),
        (
            "crm",
            {**BY_NUMBER, "key": "id", "query": "SELECT * FROM ordrs"},
            UnknownName,
            "no such table: ordrs|.ordrs. does(n't| not) exist",
        ),
        (
            "crm",
            {**BY_NUMBER, "key": "id", "query": "SELEC 1"},
            DefinitionError,
            "syntax error|error in your SQL syntax",
        ),
        ("crm", {**BY_NUMBER, "key": "id", "query": "SELECT 1 AS a"}, BadOption, "cursor=number: .*nown: a"),
        (
            "crm",
            {**BY_NUMBER, "key": "id", "query": "SELECT * FROM orders WHERE number > :cursor"},
            BadOption,
            "it has a parameter :cursor; conditions on cursor and key are added",
        ),
        ("erp/orders", BY_NUMBER, UnknownName, r"\[sql\.erp\] is not in"),
    ],
)
async def test_a_source_that_cannot_work_says_why(host: Any, path: str, options: Any, kind: Any, why: str) -> None:
    """Tables, columns and queries are checked when the source is first read."""
    error = await host.refusal(path, **options)
    assert isinstance(error, kind)
    assert re.search(why, str(error))


async def test_rows_without_a_cursor_value_are_not_passed_over_in_silence(host: Any) -> None:
    """NULL has no place in an order: such rows are reported instead of being left unread."""
    orders(host, (1, 1))
    error = await host.refusal("crm/orders", cursor="total", name="t")
    found = host.told(sqlite="total or id", postgresql="total", mariadb="total")  # a key of SQLite may be NULL
    assert f"rows with NULL in {found}: the cursor would never read them" in str(error)


async def test_a_key_that_names_two_rows_is_found_out(host: Any) -> None:
    """Two rows of a query with one position could fall between two pages: they are reported."""
    orders(host, (1, 1), (2, 1))
    query = "SELECT number, 'same' AS id FROM orders"
    error = await host.refusal("crm", query=query, key="id", batch=1, **BY_NUMBER)
    assert "has two rows with number=1, id='same'" in str(error)


async def test_a_position_of_other_columns_is_not_used(host: Any) -> None:
    """A name whose position is of another cursor is refused, since its meaning is another."""
    orders(host, (1, 1))
    async with host.reading("crm/orders", **BY_NUMBER) as reading:
        await acknowledge(await reading.poll())
    error = await host.refusal("crm/orders", cursor="id", name="orders")
    assert "the position that was kept is of number, id, not of id, id" in str(error)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "how are rows taken"),
        ({"cursor": "a", "name": "n", "after": "delete", "key": "a"}, "how are rows taken"),
        ({"cursor": "a"}, "cursor needs name="),
        ({"cursor": "a", "name": "n", "query": "SELECT 1"}, "with a query and a cursor there is no table"),
        ({"after": "delete"}, "after=delete needs key="),
        ({"after": "mark", "key": "a"}, "after=mark and set=column:value go together"),
        ({"after": "delete", "key": "a", "set": "b:c"}, "after=mark and set=column:value go together"),
        ({"after": "delete", "key": "a", "name": "n"}, "name and overlap go with a cursor only"),
    ],
)
async def test_options_of_the_source_that_contradict_each_other_are_refused(host: Any, options: Any, why: str) -> None:
    """What cannot work is said before a connection is opened."""
    error = await host.refusal("crm/t", **options)
    assert isinstance(error, BadOption)
    assert why in str(error)
