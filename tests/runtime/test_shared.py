"""Resources that all routes share."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from routekit import Unavailable, from_
from routekit.runtime.shared import CLOSING, Shared
from routekit.tasks import together
from routekit.testing import Feed, running

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio

LOG: list[Any] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    LOG.clear()


@asynccontextmanager
async def resource(name: str) -> AsyncGenerator[str]:
    task = anyio.get_current_task().id
    LOG.append(f"open {name}")
    yield name
    await anyio.sleep(0.1)
    LOG.append(f"close {name}")
    assert anyio.get_current_task().id == task, "left in the task that entered it"


@asynccontextmanager
async def grouped(name: str) -> AsyncGenerator[str]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep_forever)
        yield name
        tasks.cancel_scope.cancel()
    LOG.append(f"close {name}")


async def test_it_is_opened_once_for_equal_arguments() -> None:
    """All who ask for the same get the same; another argument is another resource."""
    async with together() as tasks:
        shared = Shared(tasks)
        assert [await shared.get(resource, name) for name in ("a", "a", "b", "a")] == ["a", "a", "b", "a"]
        assert LOG == ["open a", "open b"]
        await shared.close()


async def test_it_is_closed_last_opened_first() -> None:
    """Closing goes in the reverse order of opening, each in the task that opened it."""
    async with together() as tasks:
        shared = Shared(tasks)
        for name in "abc":
            await shared.get(resource, name)
        await shared.close()
    assert LOG[3:] == ["close c", "close b", "close a"]


async def test_a_context_manager_is_left_in_its_own_task() -> None:
    """A resource with a task group of its own, asked for by one task, may be used and closed by others."""
    async with together() as tasks:
        shared = Shared(tasks)
        async with anyio.create_task_group() as first:
            first.start_soon(shared.get, grouped, "g")
        assert await shared.get(grouped, "g") == "g"
        await shared.close()
    assert LOG == ["close g"]


async def test_a_failed_opening_is_tried_again_by_the_next() -> None:
    """All who wait get the error; who comes later tries anew."""
    errors: list[Exception] = []

    @asynccontextmanager
    async def sometimes() -> AsyncGenerator[str]:
        LOG.append("try")
        await anyio.sleep(1)
        if LOG.count("try") == 1:
            raise Unavailable("not yet")
        yield "there"

    async with together() as tasks:
        shared = Shared(tasks)

        async def ask() -> None:
            try:
                await shared.get(sometimes)
            except Unavailable as error:
                errors.append(error)

        async with anyio.create_task_group() as asking:
            asking.start_soon(ask)
            asking.start_soon(ask)
        assert len(errors) == 2
        assert await shared.get(sometimes) == "there"
        await shared.close()


async def test_one_that_hangs_while_opening_is_given_up_at_the_end() -> None:
    """A resource that never opens does not keep the service from ending."""

    @asynccontextmanager
    async def never() -> AsyncGenerator[None]:
        await anyio.sleep_forever()
        yield

    async with together() as tasks:
        shared = Shared(tasks)
        with anyio.move_on_after(5):
            await shared.get(never)
        before = anyio.current_time()
        await shared.close()
        assert anyio.current_time() - before < 1


async def test_one_that_hangs_while_closing_is_given_up() -> None:
    """Closing has its time, then the next one is closed."""

    @asynccontextmanager
    async def sticky() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await anyio.sleep_forever()

    async with together() as tasks:
        shared = Shared(tasks)
        await shared.get(resource, "a")
        await shared.get(sticky)
        before = anyio.current_time()
        await shared.close()
        assert anyio.current_time() - before == pytest.approx(CLOSING + 0.1)
    assert LOG[-1] == "close a"


class Using(Hooked):
    """A sink that uses a shared resource."""

    name: str = "a"

    def open(self, runtime: Any) -> Any:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[Any]:
            await runtime.shared(resource, self.name)
            async with super(Using, self).open(runtime) as send:
                yield send
            LOG.append("sink closed")

        return opened()


async def test_routes_close_before_what_they_share() -> None:
    """Two routes use one resource, which is closed after both."""
    async with running(from_(Watched([1]), int).to(Using()), from_(Watched([2]), int).to(Using())):
        await anyio.sleep(1)
    assert LOG == ["open a", "sink closed", "sink closed", "close a"]


async def test_it_is_closed_when_the_service_breaks() -> None:
    """An error in the block that runs the service still closes everything, in order, and is raised itself."""
    flows = [from_(Watched([1]), int).to(Using(name=name)) for name in ("a", "b")]

    async def broken() -> None:
        async with running(*flows):
            await anyio.sleep(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    opened = [entry.removeprefix("open ") for entry in LOG[:2]]
    assert LOG[-2:] == [f"close {name}" for name in reversed(opened)]


async def test_it_is_closed_when_the_service_is_cancelled() -> None:
    """Cancelling the service from outside still closes what it opened, with the time that closing takes."""
    with anyio.move_on_after(5):
        async with running(from_(Feed([1]), int).to(Using())):
            await anyio.sleep_forever()
    assert LOG[-1] == "close a"


async def test_it_is_closed_by_force_too() -> None:
    """A forced stop leaves messages unfinished, not resources open."""
    async with running(from_(Watched([1]), int).to(Using())) as service:
        await anyio.sleep(1)
        service.force()
    assert LOG[-1] == "close a"
