"""What the driver does when a connection goes, as errors of ours."""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from routekit import BodyError, Unavailable
from routekit_rabbitmq.faults import told
from routekit_rabbitmq.guard import Guard

pytestmark = pytest.mark.anyio


async def test_a_call_that_would_wait_for_ever_is_ended() -> None:
    """When the channel is known to be closed; others of that channel end too, and later ones are not affected."""
    guard, errors = Guard("rabbitmq:q", "host:1"), list[str]()

    async def call() -> None:
        try:
            with guard.call():
                await anyio.sleep_forever()
        except Unavailable as error:
            errors.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        guard.release()
    assert errors == ["rabbitmq:q: the connection was lost, at host:1"] * 2
    with guard.call():
        await anyio.lowlevel.checkpoint()


async def test_a_stop_is_no_fault_of_the_broker() -> None:
    """Who is cancelled is cancelled: nothing is made of it."""
    guard = Guard("rabbitmq:q", "host:1")
    with anyio.move_on_after(0.01) as scope, guard.call():
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_cancellation_by_the_driver_is_none_of_ours() -> None:
    """The driver cancels those who wait for a connection that it gives up; a route would end silently of that."""
    with (
        pytest.raises(Unavailable, match="rabbitmq:q: the connection to host:1 was lost"),
        told("rabbitmq:q", "host:1"),
    ):
        raise asyncio.CancelledError


async def test_errors_of_ours_stay_what_they_are() -> None:
    """What is known already is not wrapped again."""
    with pytest.raises(BodyError, match=r"^bad$"), told("rabbitmq:q", "host:1"):
        raise BodyError("bad")
