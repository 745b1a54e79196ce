"""Rows as work: deleted or marked once they are done, and not before."""

from typing import Any

import anyio
import pytest

from routekit import BadOption, Unavailable

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

DELETE = {"key": "id", "after": "delete"}
MARK = {"key": "id", "after": "mark", "set": "state:done"}
FAILURE = RuntimeError("refused")


def orders(host: Any, *numbers: int) -> None:
    for order in numbers:
        host.rows("INSERT INTO orders (id, customer, number) VALUES (?, 'c', ?)", order, order)


def ids(deliveries: Any) -> list[int]:
    return [delivery.message.body["id"] for delivery in deliveries]


async def test_an_acknowledged_row_is_deleted(host: Any) -> None:
    """A row stays until it is acknowledged, then it is gone; the others stay."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", **DELETE) as reading:
        first, second = await reading.poll()
        assert (first.message.id, dict(first.message.headers)) == (
            "crm/orders/1",
            {"sql.table": "crm/orders", "sql.key": 1},
        )
        await second.ack(None)
    assert host.rows("SELECT id FROM orders") == [(1,)]


async def test_an_acknowledged_row_is_marked_and_not_delivered_again(host: Any) -> None:
    """A marked row is left alone, also by the next start; one without the mark is work."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", **MARK) as reading:
        first, _ = await reading.poll()
        await first.ack(None)
        assert await reading.poll() == []
    assert host.rows("SELECT id, state FROM orders ORDER BY id") == [(1, "done"), (2, "new")]
    async with host.reading("crm/orders", **MARK) as reading:
        assert ids(await reading.poll()) == [2]


async def test_a_row_without_any_value_is_not_marked(host: Any) -> None:
    """NULL in the marked column is not the mark: such a row is work."""
    host.rows("INSERT INTO contacts (email, name) VALUES ('a', 'A')")
    async with host.reading(key="email", after="mark", set="age:1, note:by us") as reading:
        [delivery] = await reading.poll()
        await delivery.ack(None)
        assert await reading.poll() == []
    assert host.rows("SELECT age, note FROM contacts") == [(1, "by us")]


async def test_a_row_in_flight_is_not_delivered_twice(host: Any) -> None:
    """Polls leave rows alone that are being handled, and bring those that are new."""
    orders(host, 1, 2, 3)
    async with host.reading("crm/orders", batch=2, **DELETE) as reading:
        assert ids(await reading.poll()) == [1, 2, 3]
        orders(host, 4)
        assert ids(await reading.poll()) == [4]
        assert await reading.poll() == []


async def test_a_refused_row_is_delivered_again(host: Any) -> None:
    """A refused row comes again after a while, as it is then; its refusal changed nothing."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", poll=1e-9, **DELETE) as reading:
        first, second = await reading.poll()
        await second.ack(None)
        await first.nack(FAILURE)
        host.rows("UPDATE orders SET state = 'mended'")
        [again] = await reading.poll()
        assert (again.message.id, again.message.body["state"]) == (first.message.id, "mended")
        await again.ack(None)
    assert host.rows("SELECT count(*) FROM orders") == [(0,)]


async def test_a_refused_row_does_not_come_again_at_once(host: Any) -> None:
    """Before `poll` seconds have passed a refused row is not offered again, so it cannot spin."""
    orders(host, 1)
    async with host.reading("crm/orders", poll="1h", **DELETE) as reading:
        [delivery] = await reading.poll()
        await delivery.nack(FAILURE)
        assert await reading.poll() == []


async def test_rows_that_were_not_acknowledged_come_again_after_a_restart(host: Any) -> None:
    """The table says what is left: a crash loses nothing."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", **DELETE) as reading:
        assert len(await reading.poll()) == 2
    async with host.reading("crm/orders", **DELETE) as reading:
        assert ids(await reading.poll()) == [1, 2]


async def test_a_query_chooses_the_work(host: Any) -> None:
    """A query says which rows are work and what they bring; the table of the path is what is marked."""
    orders(host, 1, 2, 3)
    query = "SELECT id, number * 10 AS ten FROM orders WHERE number > 1"
    async with host.reading("crm/orders", query=query, **MARK) as reading:
        found = await reading.poll()
        assert [delivery.message.body for delivery in found] == [{"id": 2, "ten": 20}, {"id": 3, "ten": 30}]
        await found[0].ack(None)
        assert await reading.poll() == []
    assert host.rows("SELECT id FROM orders WHERE state = 'done'") == [(2,)]


async def test_an_acknowledgement_while_the_database_is_locked_says_so(host: Any) -> None:
    """The engine hears that the source could not be told, so that the row is delivered again."""
    orders(host, 1)
    async with host.reading("crm/orders", **DELETE) as reading:
        [delivery] = await reading.poll()
        with host.place.locked(), pytest.raises(Unavailable, match=r"locked|lock timeout|Lock wait timeout"):
            await delivery.ack(None)


async def test_much_refused_work_is_bounded(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If very many rows wait for another try, no more are read until some of them are due."""
    monkeypatch.setattr("routekit_sql.work.WINDOW", 3)
    orders(host, *range(1, 7))
    async with host.reading("crm/orders", poll="1h", batch=1, **DELETE) as reading:
        for delivery in await reading.poll():
            await delivery.nack(FAILURE)
        assert await reading.poll() == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({**DELETE, "key": "state"}, "key=state is not unique in table orders"),
        ({**MARK, "set": "sate:done"}, "set=sate: .* did you mean 'state'"),
        ({**MARK, "set": "state"}, "'state' sets nothing; write set=column:value"),
        ({**MARK, "set": "id:5"}, "'id' is part of the key"),
        ({**MARK, "query": "SELECT number FROM orders"}, "key=id: sql:crm: the query has no such column"),
    ],
)
async def test_work_that_could_touch_other_rows_is_refused(host: Any, options: Any, why: str) -> None:
    """What is deleted or marked must be exactly the row that was delivered."""
    with pytest.raises(BadOption, match=why):
        raise await host.refusal("crm/orders", **options)


async def test_a_row_that_is_done_while_others_are_read_is_not_delivered_again(host: Any) -> None:
    """What is read at the same time as it is deleted was in flight when the reading began."""
    async with host.reading("crm/orders", **DELETE) as reading:
        for number in range(1, 60):
            orders(host, number)
            [delivery] = await reading.poll()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delivery.ack, None)
                assert await reading.poll() == []
