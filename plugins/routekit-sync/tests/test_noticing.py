"""Hints are kept until a cycle has looked, and one that is given meanwhile is not lost."""

import anyio
import pytest

from routekit.testing import Catalog
from routekit_sync.noticing import MOST, Hints, Room

pytestmark = pytest.mark.anyio


async def test_a_hint_is_kept_until_it_is_done() -> None:
    """The same one twice counts as one; what is done is forgotten."""
    async with Catalog().open_store("memory:", lambda: 1.0) as store:
        hints = Hints(store.values("sync-hints:people"))
        for side, own in (("a", "7"), ("b", "x/y"), ("a", "7")):
            await hints.add("a" if side == "a" else "b", own)
        noted = await hints.all()
        assert [(one.side, one.id) for one in noted] == [("a", "7"), ("b", "x/y")]
        await hints.done(noted)
        assert await hints.all() == []


async def test_one_that_comes_while_a_cycle_looks_stays() -> None:
    """The cycle may have read the record before it changed again."""
    async with Catalog().open_store("memory:", lambda: 1.0) as store:
        hints = Hints(store.values("sync-hints:people"))
        await hints.add("a", "7")
        noted = await hints.all()
        await hints.add("a", "7")
        await hints.done(noted)
        assert [(one.side, one.id) for one in await hints.all()] == [("a", "7")]


async def test_a_cycle_takes_so_many_and_no_more() -> None:
    """A flood of webhooks does not make a cycle endless."""
    async with Catalog().open_store("memory:", lambda: 1.0) as store:
        hints = Hints(store.values("sync-hints:people"))
        for number in range(MOST + 1):
            await hints.add("a", f"{number:05}")
        first = await hints.all()
        await hints.done(first)
        assert (len(first), len(await hints.all())) == (MOST, 1)


async def test_a_bell_that_rings_before_anybody_listens_is_heard() -> None:
    """What rings during a cycle begins the next one; what rang before is over."""
    room = Room()
    room.ring()
    room.hush()
    assert not room.bell.is_set()
    room.ring()
    with anyio.fail_after(1):
        await room.bell.wait()
