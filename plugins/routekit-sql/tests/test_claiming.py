"""Rows as work that several processes share: each row is claimed by one of them at a time."""

from typing import Any

import pytest

from routekit import BadOption

pytestmark = pytest.mark.anyio

SHARED = {"key": "id", "after": "delete", "claim": "taken_until"}
MARKED = {"key": "id", "after": "mark", "set": "state:done", "claim": "taken_until"}
FAILURE = RuntimeError("refused")


def orders(host: Any, *numbers: int) -> None:
    for order in numbers:
        host.rows("INSERT INTO orders (id, customer, number) VALUES (?, 'c', ?)", order, order)


def ids(deliveries: Any) -> list[int]:
    return [delivery.message.body["id"] for delivery in deliveries]


def free(host: Any) -> list[int]:
    return [order for (order,) in host.rows("SELECT id FROM orders WHERE taken_until IS NULL ORDER BY id")]


async def test_what_one_has_claimed_the_other_does_not_get(host: Any) -> None:
    """Two sources of one table share its rows: none is delivered by both."""
    orders(host, 1, 2, 3, 4)
    async with host.reading("crm/orders", batch=2, **SHARED) as one:
        assert ids(await one.poll()) == [1, 2, 3, 4]
        orders(host, 5)
        async with host.reading("crm/orders", **SHARED) as other:
            assert ids(await other.poll()) == [5]


async def test_an_acknowledged_row_is_done(host: Any) -> None:
    """An acknowledged row is gone or marked, and what is still in flight stays claimed."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", **SHARED) as reading:
        first, _ = await reading.poll()
        await first.ack(None)
        assert host.rows("SELECT id FROM orders") == [(2,)]
        assert await reading.poll() == []
    orders(host, 3)
    async with host.reading("crm/orders", **MARKED) as reading:
        [third] = await reading.poll()
        await third.ack(None)
        assert await reading.poll() == []
    assert host.rows("SELECT id, state FROM orders ORDER BY id") == [(2, "new"), (3, "done")]


async def test_a_refused_row_is_free_again_after_a_while(host: Any) -> None:
    """A refused row comes again when `poll` seconds are over, and may then be anybody's."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", poll=1e-6, **SHARED) as one:
        first, _ = await one.poll()
        await first.nack(FAILURE)
        async with host.reading("crm/orders", poll="1h", **SHARED) as other:
            [again] = await other.poll()
            assert again.message.id == first.message.id == "crm/orders/1"
            await again.nack(FAILURE)
            assert await other.poll() == []


async def test_what_a_dead_process_had_is_free_when_its_lease_is_over(host: Any) -> None:
    """Claims of a process that is no more run out by themselves."""
    orders(host, 1)
    async with host.reading("crm/orders", lease=0.2, **SHARED) as dead:
        assert ids(await dead.poll()) == [1]
        host.tasks.cancel_scope.cancel()  # nobody puts its claims off any more
    async with host.reading("crm/orders", **SHARED) as other:
        while not (found := await other.poll()):
            await host.beat()
        assert ids(found) == [1]


async def test_claims_of_what_is_in_flight_are_put_off(host: Any) -> None:
    """A row that takes longer than a lease stays claimed for as long as its process lives."""
    orders(host, 1)
    async with host.reading("crm/orders", lease=0.3, **SHARED) as slow:
        assert ids(await slow.poll()) == [1]
        [(first,)] = host.rows("SELECT taken_until FROM orders")
        while host.rows("SELECT taken_until FROM orders") == [(first,)]:
            await host.beat()
        [(second,)] = host.rows("SELECT taken_until FROM orders")
        assert second > first


async def test_what_was_claimed_and_not_delivered_is_let_go(host: Any) -> None:
    """A source that is stopped keeps no rows that it has not delivered."""
    orders(host, 1, 2, 3)
    source = host.source("crm/orders", **SHARED)
    async with host.jobs():
        deliveries = source.consume(host)
        assert (await anext(deliveries)).message.body["id"] == 1
        assert free(host) == []
        await deliveries.aclose()
        assert free(host) == [2, 3]


async def test_a_query_chooses_what_is_claimed(host: Any) -> None:
    """With a query only rows that it gives are claimed, and they are delivered as it gives them."""
    orders(host, 1, 2, 3)
    query = "SELECT id, number * 10 AS ten FROM orders WHERE number > 1"
    async with host.reading("crm/orders", query=query, **MARKED) as reading:
        found = await reading.poll()
        assert [delivery.message.body for delivery in found] == [{"id": 2, "ten": 20}, {"id": 3, "ten": 30}]
        assert free(host) == [1]


async def test_a_composite_key_is_claimed(host: Any) -> None:
    """Rows may be named by several columns."""
    orders(host, 1, 2)
    async with host.reading("crm/orders", **{**SHARED, "key": "customer, number"}) as reading:
        first, _ = await reading.poll()
        await first.ack(None)
    assert host.rows("SELECT id FROM orders") == [(2,)]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({**SHARED, "claim": "taken"}, "claim=taken: .* did you mean 'taken_until'"),
        (
            {**SHARED, "claim": "state"},
            "the column does not hold times; ALTER TABLE orders ADD claimed_until TIMESTAMP",
        ),
        ({"cursor": "id", "name": "n", "claim": "taken_until"}, "claim goes with after="),
        ({"key": "id", "after": "delete", "lease": 5}, "lease needs claim"),
        ({**MARKED, "set": "taken_until:x"}, "it is part of key or set"),
    ],
)
async def test_a_claim_that_cannot_work_is_refused(host: Any, options: Any, why: str) -> None:
    """The column must hold times and nothing else."""
    with pytest.raises(BadOption, match=why):
        raise await host.refusal("crm/orders", **options)
