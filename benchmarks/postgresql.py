"""Durable calls per second of the store in PostgreSQL, beside one commit for each by hand on the same server.

A message is put into a journal and finished, which are two calls; by hand it is a row that is inserted and deleted,
each committed. The server syncs every commit. 64 callers are in flight at the store; by hand there is one connection,
as in a loop over messages. Recovery: the time until the first page of 100,000 unfinished messages is there, from the
opening of the store.
"""

from collections.abc import Sequence
from itertools import count
from time import perf_counter, time

import anyio
import psycopg

from routekit import Store
from routekit.testing import Catalog
from routekit_postgresql.testing import PostgreSQL

from .figures import Figure, alternately

CALLERS = 64
MESSAGES = 20_000
BY_HAND = 1_000
LEFT = 100_000
TEXT = "x" * 200
ROUNDS = 3

_names = (f"bench_{number}" for number in count())


def figures() -> Sequence[Figure]:
    """Calls, and recovery."""
    with PostgreSQL(durable=True) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE inbox (id text PRIMARY KEY, message text NOT NULL)")
        store, hand = alternately(ROUNDS, lambda: _by_store(server), lambda: _by_hand(server))
        first = _recovery(server)
    beside = f"{hand:,.0f} with one commit for each call, by hand"
    return [
        Figure(f"postgresql store: durable calls, {CALLERS} in flight", store, "calls/s", beside, better="higher"),
        Figure(f"postgresql store: first of {LEFT:,} left messages", first, "s", goal=2.0),
    ]


def _by_store(server: PostgreSQL) -> float:
    async def work(store: Store, numbers: range) -> None:
        journal = store.journal("bench")
        for number in numbers:
            await journal.add(f"m{number}", TEXT, owner=store.owner)
            await journal.finish(f"m{number}", owner=store.owner)

    async def run() -> float:
        async with Catalog().open_store(server.store(next(_names)), time) as store:
            begun = perf_counter()
            async with anyio.create_task_group() as tasks:
                for caller in range(CALLERS):
                    tasks.start_soon(work, store, range(caller, MESSAGES, CALLERS))
            return 2 * MESSAGES / (perf_counter() - begun)

    return anyio.run(run)


def _by_hand(server: PostgreSQL) -> float:
    with psycopg.connect(server.url, autocommit=True) as connection:
        begun = perf_counter()
        for number in range(BY_HAND):
            connection.execute("INSERT INTO inbox VALUES (%s, %s)", (f"m{number}", TEXT))
            connection.execute("DELETE FROM inbox WHERE id = %s", (f"m{number}",))
        return 2 * BY_HAND / (perf_counter() - begun)


def _recovery(server: PostgreSQL) -> float:
    schema = next(_names)

    async def fill(store: Store, numbers: range) -> None:
        for number in numbers:
            await store.journal("bench").add(f"m{number}", TEXT, owner=store.owner)

    async def run() -> float:
        async with Catalog().open_store(server.store(schema), time) as store, anyio.create_task_group() as tasks:
            for caller in range(256):
                tasks.start_soon(fill, store, range(caller, LEFT, 256))
        begun = perf_counter()
        async with Catalog().open_store(server.store(schema), time) as store:
            page = await store.journal("bench").take(owner=store.owner, limit=200)
            assert len(page) == 200
            return perf_counter() - begun

    return anyio.run(run)
