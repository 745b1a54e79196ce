"""Work that many want at once."""

import anyio
import pytest

from routekit import Unavailable
from routekit_rabbitmq.joint import Joint

pytestmark = pytest.mark.anyio


class Work:
    """Gives a number or fails, when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.go = anyio.Event()
        self.error = error

    async def do(self) -> int:
        self.begun += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return self.begun


async def test_who_comes_during_an_attempt_shares_it() -> None:
    """Ten who want it at once cause one attempt, and the next one causes another."""
    work, found = Work(), list[int]()
    joint = Joint(work.do)

    async def want() -> None:
        found.append(await joint.do())

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(want)
        await anyio.wait_all_tasks_blocked()
        work.go.set()
    assert found == [1] * 10
    assert await joint.do() == 2


async def test_each_hears_of_a_failure_by_an_error_of_its_own() -> None:
    """The errors are equal but not the same: they must not share a traceback."""
    work, errors = Work(Unavailable("away", hint="wait")), list[Exception]()
    joint = Joint(work.do)

    async def want() -> None:
        try:
            await joint.do()
        except Unavailable as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(want)
        await anyio.wait_all_tasks_blocked()
        work.go.set()
    assert [str(error) for error in errors] == ["away; wait"] * 3
    assert len(set(map(id, errors))) == 3


async def test_an_attempt_outlives_who_began_it() -> None:
    """Those who share an attempt get what came of it, also if the first of them does not want it any more."""
    work, found = Work(), list[int]()
    joint = Joint(work.do)

    async def want() -> None:
        found.append(await joint.do())

    async with anyio.create_task_group() as tasks:
        first = anyio.CancelScope()

        async def begin() -> None:
            with first:
                await joint.do()

        tasks.start_soon(begin)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(want)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        work.go.set()
    assert found == [1]
