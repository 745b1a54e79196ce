"""Routes with a transaction, as the engine runs them: what they leave in the database, and what they send."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import BodyError, Flow, Policy, Retry, Unavailable, from_
from routekit.testing import Feed, Inlet, Run, Sink, run_routes, running

pytestmark = pytest.mark.anyio

POSTGRESQL = pytest.mark.parametrize("backing", [("postgresql", "asyncio"), ("postgresql", "trio")], ids="-".join)
PATIENT = Policy(concurrency=20, retry=Retry(200, first=0.02, most=0.2))


class Order(BaseModel):
    id: int
    customer: str = "c"
    number: int = 0


def orders(*ids: int) -> list[Order]:
    return [Order(id=number, number=number) for number in ids]


def placing(source: Any, sent: Sink, place: str = "sql:crm", policy: Policy = PATIENT) -> Flow[Any]:
    return from_(source, Order, policy=policy).transaction(
        place, lambda t: t.to("sql:crm/orders").to(sent), name="orders"
    )


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not holds():
            await anyio.sleep(0.01)


async def test_rows_are_written_and_messages_sent(host: Any, setup: Any) -> None:
    """Many messages at once: each row is there, each message was sent, and nothing waits any more."""
    sent = Sink()
    run = await run_routes(placing(Feed(orders(*range(1, 101))), sent), setup=setup())
    assert run.counts["route-1"].done == 100
    assert host.rows("SELECT count(*), sum(number) FROM orders") == [(100, 5050)]
    assert sorted(order.id for order in sent.bodies) == list(range(1, 101))
    assert host.rows("SELECT count(*) FROM routekit_outbox") == [(0,)]
    assert host.rows("SELECT count(*) FROM routekit_inbox") == [(100,)]
    assert host.rows("SELECT count(*) FROM routekit_outbox_lease") == [(0,)]


async def test_a_restart_repeats_nothing(host: Any, setup: Any) -> None:
    """What a source brings again after a restart is acknowledged, and changes nothing."""
    sent = Sink()
    for _ in range(2):
        feed = Feed(orders(1, 2, 3))
        run = await run_routes(placing(feed, sent, policy=Policy()), setup=setup())
        assert (len(feed.acknowledged), list(run.letters)) == (3, [])
    assert host.rows("SELECT count(*) FROM orders") == [(3,)]
    assert [order.id for order in sent.bodies] == [1, 2, 3]


async def test_a_refused_row_is_a_dead_letter_and_sends_nothing(host: Any, setup: Any) -> None:
    """The others of its commit are stored and sent."""
    sent = Sink()
    feed = Feed([*orders(1, 2), Order(id=2, number=9), *orders(3)])
    run = await run_routes(placing(feed, sent, policy=Policy(concurrency=4)), setup=setup())
    assert host.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (3,)]
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert len(sent.bodies) == 3


async def test_a_stop_sends_what_is_committed(host: Any, setup: Any) -> None:
    """Within the drain time; what cannot be sent is left for the next start, which sends it first."""
    away = Sink(fail={number: Unavailable("away") for number in range(1, 1000)})
    inlet = Inlet()
    async with running(placing(inlet, away), setup=setup()):
        for order in orders(1, 2):
            await inlet.give(order)
    assert host.rows("SELECT count(*) FROM routekit_outbox") == [(2,)]
    sent = Sink()
    await run_routes(placing(Feed(orders(3)), sent), setup=setup())
    assert [order.id for order in sent.bodies] == [1, 2, 3]


async def test_a_table_that_does_not_fit_degrades_the_route(host: Any, setup: Any) -> None:
    """As for the sink outside of a transaction: what cannot be right is told when the route starts."""
    flow = from_(Inlet(), Order).transaction("sql:crm", lambda t: t.to("sql:crm/odrers"), name="orders")
    events = Run()
    async with running(flow, setup=setup(watch=events.events.append)):
        await until(lambda: any("no table 'odrers'" in str(event) for event in events.events))


async def test_two_services_share_an_outbox(host: Any, setup: Any) -> None:
    """One ships for both; when it has gone, the other one goes on. Nothing is sent twice."""
    sent, inlets = Sink(), (Inlet(), Inlet())
    place = "sql:crm?poll=50ms"
    async with running(placing(inlets[1], sent, place), setup=replace(setup(), store="memory:")):
        async with running(placing(inlets[0], sent, place), setup=replace(setup(), store="memory:")):
            for number in range(1, 11):
                await inlets[number % 2].give(orders(number)[0], id=f"m{number}")
            await until(lambda: len(sent.bodies) == 10)
        await inlets[1].give(orders(11)[0], id="m11")
        await until(lambda: len(sent.bodies) == 11)
    assert sorted(order.id for order in sent.bodies) == list(range(1, 12))


@POSTGRESQL
async def test_other_processes_are_told_at_once(host: Any, setup: Any) -> None:
    """With NOTIFY the one that ships hears of what another one has committed, however rarely it looks."""
    sent, inlet = Sink(), Inlet()
    place = "sql:crm?poll=1h"
    async with running(placing(Inlet(), sent, place), setup=replace(setup(), store="memory:")) as first:
        await until(lambda: bool(first.runners) and first.runners[0].state == "running")
        await until(lambda: host.rows("SELECT count(*) FROM routekit_outbox_lease") == [(1,)])
        async with running(placing(inlet, sent, place), setup=replace(setup(), store="memory:")):
            await inlet.give(orders(1)[0])
            await until(lambda: len(sent.bodies) == 1)


@POSTGRESQL
async def test_connections_that_are_cut_off_lose_and_repeat_nothing(host: Any, setup: Any) -> None:
    """All connections are terminated again and again, in the middle of whatever they do."""
    sent, feed = Sink(), Feed(orders(*range(1, 301)))
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'routekit' AND pid <> pg_backend_pid()"
    )
    done = False

    async def cutting() -> None:
        while not done:
            await anyio.to_thread.run_sync(host.rows, cut)
            await anyio.sleep(0.3)

    async with running(placing(feed, sent), setup=setup()), anyio.create_task_group() as tasks:
        tasks.start_soon(cutting)
        await until(lambda: len(feed.acknowledged) >= 250)
        done = True
        await until(lambda: len(feed.acknowledged) == 300)
        await until(lambda: host.rows("SELECT count(*) FROM routekit_outbox") == [(0,)])
    assert host.rows("SELECT count(*), count(DISTINCT id) FROM orders") == [(300, 300)]
    assert {order.id for order in sent.bodies} == set(range(1, 301))
    assert not feed.refused


async def test_what_a_sink_refuses_for_good_is_a_letter(host: Any, setup: Any) -> None:
    """The row stays, the message does not hold up those behind it."""
    sent = Sink(fail={1: BodyError("too large")})
    run = await run_routes(placing(Feed(orders(1, 2)), sent, policy=Policy()), setup=setup())
    assert [letter.message_id for letter in run.letters] == ["feed-1"]
    assert [order.id for order in sent.bodies] == [2]
    assert host.rows("SELECT count(*) FROM orders") == [(2,)]
