"""Two processes over one PostgreSQL: one works at a pair, and what a late one writes is refused by the database."""

import os
from collections.abc import AsyncIterator, Iterator
from time import time

import anyio
import pytest

from routekit import Store
from routekit.testing import Catalog
from routekit_postgresql.testing import PostgreSQL
from routekit_sync.kept import Cursor
from routekit_sync.ledger import Known, LeaseLost, Ledger, Saving
from routekit_sync.state import Link, Shadow

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """PostgreSQL's driver works on asyncio."""
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    missing = PostgreSQL.missing()
    if missing:
        reason = f"{missing} is not installed: `make test`, as root on Debian, installs PostgreSQL"
        if os.environ.get("ROUTEKIT_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    with PostgreSQL() as server:
        yield server


@pytest.fixture
async def stores(server: PostgreSQL) -> AsyncIterator[tuple[Store, Store]]:
    """The store of each of two processes."""
    uri = server.store("fencing")
    async with Catalog().open_store(uri, time) as one, Catalog().open_store(uri, time) as two:
        yield one, two


def link(id: str, own: str) -> Link:
    return Link(id=id, a=Shadow(id=own, fields={"name": "Ann"}))


async def test_one_of_two_processes_has_the_lease(stores: tuple[Store, Store]) -> None:
    """P29: of several that ask at the same time one gets it, and each write of the others is refused."""
    ledgers = [Ledger(store.values("sync:one"), time, owner=f"process {number}") for number, store in enumerate(stores)]
    got: list[bool] = []

    async def ask(ledger: Ledger) -> None:
        got.append(await ledger.acquire(seconds=600))

    async with anyio.create_task_group() as tasks:
        for ledger in ledgers:
            tasks.start_soon(ask, ledger)
    assert sorted(got) == [False, True]


async def test_what_a_late_process_writes_is_refused(stores: tuple[Store, Store]) -> None:
    """P29: its lease has run out and another one works: no link and no cursor of it gets in."""
    late, other = (Ledger(store.values("sync:two"), time, owner=name) for store, name in zip(stores, "ab", strict=True))
    assert await late.acquire(seconds=0.05)
    await late.save(Saving(None, link("l1", "7")))
    while not await other.acquire(seconds=600):
        await anyio.sleep(0.01)
    with pytest.raises(LeaseLost):
        await late.save(Saving(Known(link("l1", "7"), 1), link("l1", "8")))
    with pytest.raises(LeaseLost):
        await late.move("a", Cursor(value=1.0))
    assert "8" not in await other.linked("a", ["7", "8"])
    assert (await other.cursor("a")).value is None
    await other.save(Saving(Known(link("l1", "7"), 1), link("l1", "9")))
    assert list(await late.linked("a", ["7", "9"])) == ["9"]
