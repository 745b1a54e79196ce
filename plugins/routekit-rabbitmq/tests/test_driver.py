"""The driver: what it does when a connection goes, as errors of ours, and how it writes."""

import asyncio
from typing import Any

import anyio
import pytest

from routekit import BodyError, Unavailable
from routekit_rabbitmq.faults import told
from routekit_rabbitmq.linking import Gathering

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


class Paper:
    """What a stream was told to do."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    async def drain(self) -> None:
        self.told.append("drain")

    def close(self) -> None:
        self.told.append("close")


async def test_what_is_written_in_one_turn_goes_out_together() -> None:
    """In order, and all of it before the stream is drained or closed."""
    paper, later = Paper(), list[Any]()
    writer = Gathering(paper, later.append)
    writer.write(b"a")
    writer.write(b"b")
    assert paper.told == []
    later.pop()()
    assert (paper.told, later) == ([b"ab"], [])
    writer.write(b"c")
    await writer.drain()
    writer.write(b"d")
    writer.close()
    assert paper.told == [b"ab", b"c", "drain", b"d", "close"]
    while later:
        later.pop()()
    assert paper.told[-1] == "close"
