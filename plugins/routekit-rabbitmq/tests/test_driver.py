"""What the driver does when a connection goes, as errors of ours."""

import asyncio

import anyio
import pytest

from routekit import BodyError, Unavailable
from routekit_rabbitmq.faults import told

pytestmark = pytest.mark.anyio


async def test_a_stop_is_no_fault_of_the_broker() -> None:
    """Who is cancelled is cancelled: nothing is made of it."""
    with anyio.move_on_after(0.01) as scope, told("rabbitmq:q", "host:1"):
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
