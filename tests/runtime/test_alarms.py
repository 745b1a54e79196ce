"""Timers by key: exact, in one heap, without polling."""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit.runtime.alarms import HeapAlarms
from routekit.tasks import together

pytestmark = pytest.mark.anyio


async def rung(script: Any, *, load: Any = None) -> list[tuple[str, float]]:
    """What rings within a thousand seconds, with the time of each."""
    start, rings = anyio.current_time(), list[tuple[str, float]]()

    async def ring(key: str) -> None:
        rings.append((key, anyio.current_time() - start))

    alarms = HeapAlarms(ring, lambda: anyio.current_time() - start, lambda: None, load)
    async with together() as tasks:
        tasks.start_soon(alarms.run)
        await script(alarms)
        await anyio.sleep(1000)
        tasks.cancel_scope.cancel()
    assert alarms.count == 0
    return [(key, round(at, 3)) for key, at in rings]


async def test_they_ring_when_they_are_due() -> None:
    """In the order of their times, not of their setting; one that is past rings at once."""

    async def script(alarms: HeapAlarms) -> None:
        alarms.set("late", 7.0)
        alarms.set("early", 3.0)
        await anyio.sleep(1)
        alarms.set("past", 0.5)

    assert await rung(script) == [("past", 1.0), ("early", 3.0), ("late", 7.0)]


async def test_a_timer_may_be_moved_and_taken_off() -> None:
    """Later or sooner; each key rings once."""

    async def script(alarms: HeapAlarms) -> None:
        for key in ("put off", "brought forward", "off"):
            alarms.set(key, 5.0)
        alarms.set("put off", 9.0)
        alarms.set("brought forward", 2.0)
        alarms.cancel("off")
        alarms.cancel("never set")

    assert await rung(script) == [("brought forward", 2.0), ("put off", 9.0)]


async def test_what_an_earlier_run_has_left_is_loaded_first() -> None:
    """Loading counts as ringing, so that nobody takes the route for idle meanwhile."""
    seen: list[int] = []

    async def script(alarms: HeapAlarms) -> None:
        seen.append(alarms.ringing)
        await anyio.sleep(10)
        seen.append(alarms.ringing)

    async def load() -> None:
        await anyio.sleep(5)

    assert await rung(script, load=load) == []
    assert seen == [1, 0]


async def test_cancelled_timers_do_not_pile_up() -> None:
    """The heap stays in proportion to the timers that are set, however many come and go."""

    async def script(alarms: HeapAlarms) -> None:
        for number in range(10_000):
            alarms.set(str(number), 1e6)
            alarms.cancel(str(number))
        assert len(alarms._heap) < 2000  # the point of the test is inside

    assert await rung(script) == []


@settings(max_examples=100)
@given(some.lists(some.tuples(some.sampled_from("abc"), some.integers(0, 9), some.integers(0, 3)), max_size=20))
async def test_any_script_rings_like_a_plain_oracle(script: list[tuple[str, int, int]]) -> None:
    """Each key rings at the time that was set for it last, if that was not taken off before."""
    expected: list[tuple[str, float]] = []
    pending: dict[str, float] = {}
    clock = 0.0

    def pass_to(time: float) -> None:
        for key, due in sorted(pending.items(), key=lambda item: item[1]):
            if due < time:
                expected.append((key, max(due, 0.0)))
                del pending[key]

    for number, (key, due, pause) in enumerate(script):
        if due == 0:
            pending.pop(key, None)
        else:
            pending[key] = clock + due + 0.1
        clock += pause + 0.001 * (number + 1)
        pass_to(clock)
    pass_to(1e9)

    async def run(alarms: HeapAlarms) -> None:
        now = 0.0
        for number, (key, due, pause) in enumerate(script):
            if due == 0:
                alarms.cancel(key)
            else:
                alarms.set(key, now + due + 0.1)
            now += pause + 0.001 * (number + 1)
            await anyio.sleep(pause + 0.001 * (number + 1))

    found = await rung(run)
    assert sorted(found) == sorted((key, round(at, 3)) for key, at in expected)
