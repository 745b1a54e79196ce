"""Retention: what is old enough is forgotten, what is not stays, and the service does it by itself."""

import logging
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from routekit import Arrival, Claim, Deed, Letter, StoreError, from_
from routekit.retention import EVERY, FIRST, Retention, sweep, swept
from routekit.runtime.service import Service
from routekit.stores.memory import MemoryStore
from routekit.testing import Run, Sink, routes_of, setup_for

pytestmark = pytest.mark.anyio

DAY = 86400.0
NOW = 1000 * DAY


def wall() -> float:
    return NOW + anyio.current_time()


def letter(id: str, when: float) -> Letter:
    return Letter(id, id, "r", "s", "t", "p", "E", "no", 1, when, None)


async def filled(now: Callable[[], float]) -> MemoryStore:
    """A store with something two days old of each kind, and something new."""
    clock = [NOW - 2 * DAY]
    store = MemoryStore(lambda: clock[0])
    for name, ago in (("old", 2 * DAY), ("new", 0)):
        clock[0] = NOW - ago
        await store.letters.add(letter(name, clock[0]))
        await store.audit.add(Deed(clock[0], "ann", "x", name))
        await store.keys("seen").claim(name, owner="me", lease=1e9)
        await store.keys("seen").complete(name, owner="me")
        await store.journal("r").add(name, name, owner="me")
        await store.journal("r").finish(name, owner="me", remember=DAY)
    await store.keys("seen").claim("held", owner="me", lease=1e9)
    await store.marks("m").put("k", "v")
    return store


async def test_what_is_older_than_its_kind_is_kept_is_forgotten() -> None:
    """Of each kind that has a limit; what is newer stays, and what is not done."""
    store = await filled(wall)
    counts = await swept(store, Retention(letters=DAY, keys=DAY, audit=DAY), NOW)
    assert counts == {"letters": 1, "keys": 1, "finished": 1, "audit": 1}
    assert [one.id for one in await store.letters.list()] == ["new"]
    assert [deed.what for deed in await store.audit.list()] == ["new"]
    assert await store.keys("seen").claim("new", owner="you", lease=1) is Claim.DONE
    assert await store.keys("seen").claim("held", owner="you", lease=1) is Claim.HELD
    assert await store.journal("r").add("new", "new", owner="me") is Arrival.FINISHED
    assert await store.marks("m").get("k") == "v"


async def test_what_has_no_limit_is_kept() -> None:
    """Letters and keys stay unless somebody says for how long; ids of a journal go when their time is over."""
    store = await filled(wall)
    counts = await swept(store, Retention(), NOW)
    assert counts == {"letters": 0, "keys": 0, "finished": 1, "audit": 0}
    assert await store.letters.count() == 2
    counts = await swept(store, Retention(), NOW + 401 * DAY)
    assert counts == {"letters": 0, "keys": 0, "finished": 1, "audit": 2}


async def test_it_is_done_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    """A minute after the start, and each hour; letters that are forgotten are told."""
    store = await filled(wall)
    with caplog.at_level(logging.INFO, "routekit"):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sweep, store, Retention(letters=3 * DAY), wall)
            await anyio.sleep(FIRST + DAY - 1)
            assert await store.letters.count() == 2
            await anyio.sleep(EVERY + 1)
            assert await store.letters.count() == 1
            tasks.cancel_scope.cancel()
    assert [record.getMessage()[:15] for record in caplog.records] == ["1 dead letters "]


async def test_a_store_that_is_away_is_swept_later(caplog: pytest.LogCaptureFixture) -> None:
    """An error is told, and the next sweep does what this one could not."""
    store = await filled(wall)
    failing = [True]

    class Away:
        def __getattr__(self, name: str) -> object:
            if failing[0]:
                raise StoreError("the disk is away")
            return getattr(store, name)

    with caplog.at_level(logging.INFO, "routekit"):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sweep, Away(), Retention(letters=DAY), wall)
            await anyio.sleep(FIRST + 1)
            failing[0] = False
            await anyio.sleep(EVERY)
            assert await store.letters.count() == 1
            tasks.cancel_scope.cancel()
    assert "the disk is away" in caplog.text


@pytest.mark.real_time
async def test_the_service_sweeps_the_store_that_it_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the settings say, as long as it runs."""
    monkeypatch.setattr("routekit.retention.FIRST", 0.01)
    uri = f"sqlite:{tmp_path}/s.db"
    setup = setup_for(Run(), store=uri, retention=Retention(letters=DAY), now=lambda: NOW)
    async with setup.opened_store() as store:
        await store.letters.add(letter("old", NOW - 2 * DAY))
    service = Service(routes_of(from_("timer:1h", float).to(Sink())), setup)
    async with service.started():
        assert service.store is not None
        with anyio.fail_after(30):
            while await service.store.letters.count():
                await anyio.sleep(0.01)
