"""The virtual clock that the other tests stand on."""

import time

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit.testing import virtual

pytestmark = pytest.mark.anyio


async def test_hours_pass_at_once() -> None:
    """Sleeping takes exactly its virtual time and next to no real time."""
    real, start = time.monotonic(), anyio.current_time()
    await anyio.sleep(5 * 3600)
    assert anyio.current_time() - start == pytest.approx(5 * 3600)
    assert time.monotonic() - real < 5


async def test_a_year_of_hours_passes() -> None:
    """Time keeps ticking far from its start."""
    start = anyio.current_time()
    for _ in range(12):
        await anyio.sleep(30 * 86400 + 0.001)
    assert anyio.current_time() - start == pytest.approx(12 * (30 * 86400 + 0.001))


async def test_timers_run_in_order() -> None:
    """Tasks wake in the order of their times."""
    woken: list[float] = []

    async def wake(after: float) -> None:
        await anyio.sleep(after)
        woken.append(after)

    async with anyio.create_task_group() as tasks:
        for after in (3.0, 1.0, 2.0):
            tasks.start_soon(wake, after)
    assert woken == [1.0, 2.0, 3.0]


async def test_a_timeout_fires() -> None:
    """A deadline cancels what takes longer."""
    with anyio.move_on_after(10) as scope:
        await anyio.sleep(11)
    assert scope.cancelled_caught


@pytest.mark.parametrize("anyio_backend", [virtual("asyncio")])
async def test_time_stands_still_while_a_thread_works() -> None:
    """On asyncio a thread at work does not run into a virtual timeout; trio's clock does not know of threads."""
    with anyio.fail_after(1):
        await anyio.to_thread.run_sync(time.sleep, 0.05)


@given(st.lists(st.floats(0, 1e6), max_size=5))
async def test_sleeps_add_up(naps: list[float]) -> None:
    """Examples of a property run in virtual time as well."""
    start = anyio.current_time()
    for nap in naps:
        await anyio.sleep(nap)
    assert anyio.current_time() - start == pytest.approx(sum(naps), abs=1e-3)


@pytest.mark.real_time
async def test_the_real_clock_on_request() -> None:
    """A test marked `real_time` runs by the real clock."""
    real, start = time.monotonic(), anyio.current_time()
    await anyio.sleep(0.01)
    assert abs((time.monotonic() - real) - (anyio.current_time() - start)) < 1
