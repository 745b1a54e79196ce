"""Gates: who passes when, and what is forgotten. Schedules of all kinds are in the tests of `throttle`."""

import asyncio
from typing import Any

import anyio
import pytest
import trio

from routekit import Expired
from routekit.limits import Gate, Gates

pytestmark = pytest.mark.anyio


async def test_the_rate_counts_in_any_window() -> None:
    """The pass that is `rate` places before has to be `per` seconds ago: not a hair less, and no more is asked."""
    gate = Gate(None, per=10)
    passed: list[tuple[bool, float]] = []
    for pause in (0, 4, 4, 1.5, 0.5, 3.5, 0.5):
        await anyio.sleep(pause)
        passed.append((gate.at_once(rate=2), anyio.current_time()))
    start = passed[0][1]
    assert [(ok, time - start) for ok, time in passed] == [
        (True, 0),
        (True, 4),
        (False, 8),
        (False, 9.5),
        (True, 10),
        (False, 13.5),
        (True, 14),
    ]


def block(seconds: float, backend: str) -> None:
    """Keep the event loop busy for so long: time passes, and no task runs."""
    if backend == "trio":
        clock: Any = trio.lowlevel.current_clock()
        clock.jump(seconds)
    else:
        loop: Any = asyncio.get_running_loop()
        loop._virtual.now += seconds


async def test_a_message_counts_from_when_it_passed(anyio_backend_name: str) -> None:
    """Not from when it might have: a busy loop wakes it late, and the next one still comes `per` seconds later."""
    gate, begun, passed = Gate(None, per=10), anyio.current_time(), list[float]()

    async def visit() -> None:
        await gate.in_turn(rate=1)
        passed.append(anyio.current_time() - begun)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(visit)
        await anyio.sleep(9)
        block(4, anyio_backend_name)
    assert passed == pytest.approx([0, 13, 23])


async def test_what_is_in_line_comes_first() -> None:
    """A newcomer does not pass while another waits, even if there is room by then."""
    gate = Gate(1)
    assert gate.at_once()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.in_turn)
        await anyio.wait_all_tasks_blocked()
        gate.leave()
        assert not gate.full
        assert not gate.at_once()
    assert gate.inside == 1
    assert gate.waiting == 0


async def test_who_gives_up_leaves_no_trace() -> None:
    """Wherever it stood in line, the others pass as if it had never been there."""
    gate, passed = Gate(1), list[int]()

    async def visit(number: int, patience: float) -> None:
        with anyio.move_on_after(patience):
            await gate.in_turn()
            passed.append(number)
            await anyio.sleep(10)
            gate.leave()

    assert gate.at_once()
    async with anyio.create_task_group() as tasks:
        for number, patience in enumerate((1, 100, 2, 100, 3)):
            tasks.start_soon(visit, number, patience)
            await anyio.wait_all_tasks_blocked()
        await anyio.sleep(5)
        assert gate.waiting == 2
        gate.leave()
    assert passed == [1, 3]
    assert gate.idle(anyio.current_time())


async def test_a_turn_that_comes_too_late_is_known_at_once() -> None:
    """It says when the turn would have come; one that comes in time is waited for."""
    gate = Gate(None, per=10)
    assert gate.at_once(rate=1)
    now = anyio.current_time()
    with pytest.raises(Expired, match=r"its turn would come in 10 s, and its deadline in 4 s"):
        await gate.in_turn(rate=1, deadline=now + 4)
    assert anyio.current_time() == now
    await gate.in_turn(rate=1, deadline=now + 11)
    assert anyio.current_time() == pytest.approx(now + 10)


async def test_idle_gates_are_forgotten() -> None:
    """A million keys one after the other take no more memory than those of one while."""
    gates = Gates(None, 1.0, 10_000)
    for number in range(1000):
        gate = gates.of(number)
        assert gate is not None
        assert gate.at_once(rate=5)
        gate.leave()
        await anyio.sleep(0.1)
    assert len(gates) < 100


async def test_a_gate_in_use_is_kept() -> None:
    """One with a message inside, one with a message in line, and one whose last pass is not long ago."""
    gates = Gates(1, 5.0, 3)
    inside, passed, third = gates.of("inside"), gates.of("passed"), gates.of("third")
    assert inside is not None
    assert passed is not None
    assert third is not None
    assert inside.at_once(rate=9)
    assert passed.at_once(rate=9)
    passed.leave()
    assert third.at_once(rate=9)
    assert gates.of("fourth") is None
    await anyio.sleep(5)
    third.leave()
    assert gates.of("fourth") is not None
    assert gates.of("inside") is inside
