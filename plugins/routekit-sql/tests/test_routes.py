"""Whole routes through databases, as the engine runs them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from routekit import Flow, Policy, Retry, RouteDegraded, Unavailable, from_
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

UPSERT = "sql:crm/contacts?mode=upsert&key=email"


@pytest.fixture
def setup(place: Any, tmp_path: Path) -> Callable[[], Any]:
    """A setup with the database as `crm`, and a durable store."""

    def made(**changes: Any) -> Any:
        def settings(table: str, name: str) -> Any:
            return {"url": place.url, "timeout": "50ms"} if (table, name) == ("sql", "crm") else None

        run = Run()
        return setup_for(run, settings=settings, store=f"sqlite:{tmp_path}/state.db", data=tmp_path, **changes)

    return made


async def test_rows_flow_through_a_route_into_a_table(host: Any, setup: Any) -> None:
    """What a source brings is in the table at the end of the run, each row once."""
    rows = [{"email": f"{n % 100}@x", "name": str(n)} for n in range(300)]
    run = await run_routes(from_(Feed(rows), policy=Policy(concurrency=64)).to(UPSERT), setup=setup())
    assert run.counts["route-1"].done == 300
    assert host.rows("SELECT count(*), min(name), max(CAST(name AS INT)) FROM contacts") == [(100, "200", 299)]


async def test_a_bad_row_is_a_dead_letter_and_is_not_retried(host: Any, setup: Any) -> None:
    """A row that the table refuses is put aside with the reason; the others are stored."""
    rows = [{"email": "a", "name": "A"}, {"email": "b", "name": None}, {"email": "c", "name": "C"}]
    policy = Policy(retry=Retry(5), concurrency=3)
    run = await run_routes(from_(Feed(rows), policy=policy).to(UPSERT), setup=setup())
    assert [(letter.error, letter.attempts) for letter in run.letters] == [("BodyError", 1)]
    assert "column 'name': NULL is not allowed" in run.letters[0].reason
    assert host.rows("SELECT email FROM contacts ORDER BY email") == [("a",), ("c",)]


@SQLITE
async def test_a_lock_is_waited_out_by_retries(host: Any, setup: Any, file: Path) -> None:
    """A row that meets a lock is sent again by the route's policy and stored once the lock is gone."""
    errors: list[Any] = []
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN EXCLUSIVE")

        def watch(event: Any) -> None:
            errors.append(getattr(event, "error", None))
            if errors[-1] and other.in_transaction:
                other.execute("COMMIT")

        flow = from_(Feed([{"email": "a", "name": "A"}]), policy=Policy(retry=Retry(3, first=0.001))).to(UPSERT)
        run = await run_routes(flow, setup=setup(watch=watch))
    assert (run.counts["route-1"].done, run.counts["route-1"].retried) == (1, 1)
    assert [type(error) for error in errors if error] == [Unavailable]
    assert host.rows("SELECT email FROM contacts") == [("a",)]


def copies() -> Flow[Any]:
    source = "sql:crm/orders?cursor=number&name=copies&poll=1ms"
    return from_(source).to("sql:crm?mode=execute&statement=INSERT INTO items VALUES (:id, :id, 1)")


async def test_a_table_is_copied_by_its_cursor_across_runs(host: Any, setup: Any) -> None:
    """The second run takes up where the first ended: each row is copied once."""
    host.rows("INSERT INTO orders (id, customer, number) VALUES (1, 'a', 1), (2, 'a', 2)")
    first = await run_routes(copies(), setup=setup())
    host.rows("INSERT INTO orders (id, customer, number) VALUES (3, 'a', 3)")
    second = await run_routes(copies(), setup=setup())
    assert (first.counts["route-1"].done, second.counts["route-1"].done) == (2, 1)
    assert host.rows("SELECT id FROM items") == [(1,), (2,), (3,)]


async def test_a_run_that_is_killed_loses_no_row(host: Any, setup: Any) -> None:
    """Rows in flight when a service is stopped by force are delivered by the next one."""
    host.rows("INSERT INTO orders (id, customer, number) VALUES (1, 'a', 1), (2, 'a', 2), (3, 'a', 3)")
    gate, reached = anyio.Event(), anyio.Event()

    async def hold(order: Any) -> Any:
        if order["id"] == 1:
            reached.set()
            await gate.wait()
        return order

    source, done = "sql:crm/orders?cursor=number&name=held&poll=1ms", Sink()
    flow = from_(source, policy=Policy(concurrency=3)).transform(hold).to(done)
    async with running(flow, setup=setup()) as service:
        await reached.wait()
        while len(done.bodies) < 2:
            await anyio.lowlevel.checkpoint()
        service.force()
    after = Sink()
    await run_routes(from_(source).to(after), setup=setup())
    assert sorted(order["id"] for order in done.bodies) == [2, 3]
    assert [order["id"] for order in after.bodies] == [1, 2, 3]


async def test_work_is_done_and_deleted(host: Any, setup: Any) -> None:
    """Rows of a work table are gone once the route has handled them; a refused one stays."""
    host.rows("INSERT INTO orders (id, customer, number) VALUES (1, 'a', 1), (2, 'bad', 2), (3, 'a', 3)")

    def check(order: Any) -> Any:
        if order["customer"] == "bad":
            raise ValueError("bad customer")
        return order

    source = "sql:crm/orders?key=id&after=delete&poll=1ms"
    policy = Policy(dead_letter="refuse")
    await run_routes(from_(source, policy=policy).transform(check).to(Sink()), setup=setup(), most=3)
    assert host.rows("SELECT id FROM orders") == [(2,)]


@pytest.mark.parametrize(
    ("source", "sink", "why"),
    [
        ("sql:crm/nothing?cursor=a&name=n", UPSERT, "sql:crm has no table 'nothing'"),
        ("sql:crm/orders?cursor=number&name=n", "sql:crm/contact", "did you mean 'contacts'"),
        ("sql:erp/orders?cursor=number&name=n", UPSERT, "[sql.erp] is not in routekit.toml"),
    ],
)
async def test_a_route_that_cannot_work_is_degraded_with_the_reason(
    setup: Any, source: str, sink: str, why: str
) -> None:
    """A missing table or connection degrades its own route, and says what is missing."""
    degraded, told = anyio.Event(), list[RouteDegraded]()

    def watch(event: Any) -> None:
        if isinstance(event, RouteDegraded):
            told.append(event)
            degraded.set()

    async with running(from_(source).to(sink), setup=setup(watch=watch)):
        await degraded.wait()
    assert why in str(told[0].error)
