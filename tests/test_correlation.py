"""correlation"""

from typing import Any

import anyio
import pytest

from routekit import LateReply, Message, Unavailable
from routekit.correlation import CORRELATION, Desk

pytestmark = pytest.mark.anyio


def reply(name: Any, body: int = 1) -> Message[int]:
    return Message(body, {CORRELATION: name})


async def test_a_reply_goes_to_who_waits_for_it() -> None:
    """And to nobody else."""
    desk = Desk(CORRELATION)
    with desk.waiting("a") as first, desk.waiting("b") as second:
        desk.hand(reply("b", 2))
        desk.hand(reply("a", 1))
        assert [(await waiter.wait(1)).body for waiter in (first, second)] == [1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["a", "other", None])
async def test_a_reply_for_which_nobody_waits_is_late(name: str | None) -> None:
    """Twice, unknown, or without the header."""
    desk = Desk(CORRELATION)
    with desk.waiting("a") as waiter:
        desk.hand(reply("a"))
        with pytest.raises(LateReply, match="no message waits" if name else "has no header 'correlation-id'"):
            desk.hand(reply(name) if name else Message(1))
        assert await waiter.wait(1) is not None
    with pytest.raises(LateReply):
        desk.hand(reply("a"))


async def test_who_has_waited_long_enough_gets_none() -> None:
    """After exactly that time."""
    start = anyio.current_time()
    with Desk(CORRELATION).waiting("a") as waiter:
        assert await waiter.wait(3) is None
    assert anyio.current_time() - start == pytest.approx(3)


async def test_a_reply_that_comes_with_the_end_of_the_time_is_in_time() -> None:
    """It was taken from those who wait: it would be lost otherwise."""
    desk = Desk(CORRELATION)
    with desk.waiting("a") as waiter:
        async with anyio.create_task_group() as tasks:

            async def hand() -> None:
                await anyio.sleep(3)
                desk.hand(reply("a"))

            tasks.start_soon(hand)
            assert await waiter.wait(3) is not None or "a" in desk._waiting


async def test_nobody_waits_once_no_reply_can_come() -> None:
    """Those who wait and those who come later are told why."""
    desk = Desk(CORRELATION)
    with desk.waiting("a") as first:
        desk.close(Unavailable("gone"))
        with pytest.raises(Unavailable, match="gone"):
            await first.wait(100)
    with desk.waiting("b") as second, pytest.raises(Unavailable, match="gone"):
        await second.wait(100)
