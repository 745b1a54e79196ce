"""Holding: the ledger of a message that steps keep in memory. What it means for sources is in tests/eip."""

import anyio
import pytest

from routekit.runtime.holding import Ledger, current, hold, ledger
from routekit.tasks import together

pytestmark = pytest.mark.anyio


def test_a_ledger_settles_with_its_last_hold() -> None:
    """Once, and with the first failure."""
    settled: list[Exception | None] = []
    with ledger() as holds:
        first, second = hold(), hold()
    holds.when_settled(settled.append)
    first.failed(ValueError("x"))
    first.done()
    assert settled == []
    second.failed(KeyError("y"))
    second.done()
    assert [type(error) for error in settled] == [ValueError]


def test_a_ledger_without_holds_is_settled() -> None:
    """And knows that it was never used."""
    settled: list[Exception | None] = []
    Ledger().when_settled(settled.append)
    with ledger() as holds:
        pass
    assert (settled, holds.used) == ([None], False)


async def test_a_ledger_travels_into_tasks() -> None:
    """Parts that run in parallel are held for their parent; what begins outside of a message is held for nobody."""

    async def part() -> None:
        hold()

    with ledger() as holds:
        async with together() as tasks:
            tasks.start_soon(part)
            tasks.start_soon(part)
        assert current() is holds
    settled = anyio.Event()
    holds.when_settled(lambda _: settled.set())
    assert not settled.is_set()
    assert current() is None
    hold().done()


def test_a_ledger_in_a_ledger() -> None:
    """What is held in the inner one is nothing to the outer one, until that is held for it."""
    with ledger() as outer:
        with ledger() as inner:
            kept = hold()
        assert (inner.used, outer.used) == (True, False)
        own = inner.hold()
    settled: list[Exception | None] = []
    inner.when_settled(lambda _: own.done())
    outer.when_settled(settled.append)
    assert settled == []
    kept.done()
    assert settled == [None]
    with ledger() as alone:
        pass
    alone.hold().done()
