"""What a durable route costs: a journal on SQLite with full sync, beside DBOS on SQLite and a commit for each message.

Each exchange is kept before it is handled and finished behind its sink, so that a crash at any moment loses none.
"""

import asyncio
import json
import logging
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, time
from typing import Any

import anyio

from routekit import Consumer, Delivery, Message, Policy, Producer, Runtime, Send, Store, from_
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Run, run_routes, running, setup_for
from routekit.written import written

from .engine import Kept, Numbers, one_more, positive
from .figures import Figure, alternately

MESSAGES = 20_000
BY_HAND = 2_000
PEERS = 300
LEFT = 100_000
IN_FLIGHT = 256
ROUNDS = 3


def journaled() -> float:
    """Exchanges per second of a durable route: filter, transform, sink."""

    async def run(folder: Path) -> None:
        policy = Policy(durable="store", concurrency=IN_FLIGHT)
        flow = from_(Numbers(count=MESSAGES), int, policy=policy).filter(positive).transform(one_more).to(Kept())
        await run_routes(flow, setup=setup_for(Run(), now=time, store=f"sqlite:{folder}/store.db"))

    return MESSAGES / _seconds(lambda folder: anyio.run(run, folder))


def one_commit_each() -> float:
    """The same by hand, as it is usually written: a row for each message, committed, and marked when it is done."""

    def run(folder: Path) -> None:
        base = sqlite3.connect(folder / "by_hand.db", isolation_level=None)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("CREATE TABLE inbox (id INTEGER PRIMARY KEY, body TEXT, done INTEGER DEFAULT 0)")
        kept: list[int] = []
        for number in range(BY_HAND):
            base.execute("INSERT INTO inbox (id, body) VALUES (?, ?)", (number, json.dumps(number)))
            if positive(number):
                kept.append(one_more(number))
            base.execute("UPDATE inbox SET done = 1 WHERE id = ?", (number,))
        base.close()

    return BY_HAND / _seconds(run)


def dbos() -> float:
    """The same as a workflow of DBOS with one step, as many at once; without the package, nothing."""
    if find_spec("dbos") is None:
        return float("nan")
    package: Any = import_module("dbos")
    logging.getLogger("dbos").setLevel(logging.ERROR)
    kept: list[int] = []

    async def sink(number: int) -> None:
        kept.append(number)

    step: Any = package.DBOS.step()(sink)

    async def exchange(number: int) -> int:
        if positive(number):
            await step(one_more(number))
        return number

    workflow: Any = package.DBOS.workflow()(exchange)

    async def run() -> None:
        limit = asyncio.Semaphore(IN_FLIGHT)

        async def one(number: int) -> None:
            async with limit:
                await workflow(number)

        await asyncio.gather(*(one(number) for number in range(PEERS)))

    def timed(folder: Path) -> None:
        asyncio.run(run())

    with tempfile.TemporaryDirectory() as name:
        config = {"name": "bench", "system_database_url": f"sqlite:///{name}/dbos.sqlite", "log_level": "ERROR"}
        package.DBOS(config=config)
        package.DBOS.launch()
        try:
            return PEERS / _seconds(timed)
        finally:
            package.DBOS.destroy(destroy_registry=True)


class First(Producer):
    """A sink that tells when its first message came."""

    scheme = "first"
    told: Any

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            self.told.set()

        yield send


class Nothing(Consumer):
    """A source that has nothing."""

    scheme = "nothing"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        while True:
            await runtime.rest(3600.0)
            yield Delivery(Message(0))


def recovery() -> float:
    """Seconds from the start of the service until the first of the messages that a crash has left is delivered."""

    async def fill(folder: Path) -> None:
        async with open_sqlite(str(folder / "store.db"), {}, time) as store:
            await _left(store)

    async def run(folder: Path) -> float:
        told = anyio.Event()
        flow = from_(Nothing(), int, policy=Policy(durable="store")).transform(one_more)
        flow = flow.to(First.model_construct(told=told))
        start = perf_counter()
        async with running(flow, setup=setup_for(Run(), now=time, store=f"sqlite:{folder}/store.db", drain=0.0)):
            await told.wait()
            return perf_counter() - start

    with tempfile.TemporaryDirectory() as name:
        anyio.run(fill, Path(name))
        return anyio.run(run, Path(name))


async def _left(store: Store) -> None:
    """So many messages in the journal of the route, as a crash leaves them."""
    journal = store.journal("route-1")

    async def add(first: int) -> None:
        for number in range(first, LEFT, IN_FLIGHT):
            known_as = f"m{number}"
            await journal.add(known_as, written(Message(number, {}, known_as), time()), owner=store.owner)

    async with anyio.create_task_group() as tasks:
        for first in range(IN_FLIGHT):
            tasks.start_soon(add, first)


def _seconds(work: Callable[[Path], object]) -> float:
    with tempfile.TemporaryDirectory() as name:
        start = perf_counter()
        work(Path(name))
        return perf_counter() - start


def figures() -> list[Figure]:
    """Exchanges per second, each kept before it is handled; and how soon work goes on after a crash."""
    here, hand = alternately(ROUNDS, journaled, one_commit_each)
    peer = dbos()
    beside = f"one commit per message {hand:,.0f}/s, DBOS on SQLite {peer:,.0f}/s"
    first = recovery()
    return [
        Figure("durable: exchanges, journal on SQLite, full sync", here, "exchanges/s", beside, 10_000, "higher"),
        Figure(f"durable: first delivery of {LEFT:,} left by a crash", first, "s", "", 2.0),
    ]
