"""Schedules: which times are done, and what is fired although it was missed."""

import anyio
import pytest

from routekit import Policy, from_
from routekit.schedules import STATE, Missed, made_up
from routekit.testing import Run, running, setup_for

from .crashing import DurableStore, wall

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("missed", "fired"), [(None, []), ("skip", []), ("once", [4]), ("all", [2, 3, 4])])
def test_what_is_made_up_for(missed: Missed | None, fired: list[int]) -> None:
    """Nothing, the newest, or the newest so many of all, oldest first."""
    assert made_up([1, 2, 3, 4], missed, 3) == fired


async def test_a_time_is_done_when_all_before_it_are() -> None:
    """The store keeps the last one before which nothing is at work: a crash must not skip the slow one."""
    store = DurableStore()
    last: list[int] = []

    async def work(number: int) -> None:
        await anyio.sleep(100.0 if number == 2 else 1.0)

    flow = from_("timer:t?every=10&missed=all&repeat=6", int, policy=Policy(concurrency=10)).transform(work)
    async with running(flow, setup=setup_for(Run(), store=store, now=wall)):
        await anyio.sleep(5.0)
        for _ in range(13):
            await anyio.sleep(10.0)
            ((_, text),) = await store.marks(STATE).items()
            last.append(int(text.split()[1]))
    assert last == [1] * 11 + [6] * 2
