"""The endpoints in memory; Feed and Sink are tried with the runs."""

import anyio
import pytest

from routekit import Message, Policy, from_
from routekit.testing import Inlet, Sink, running

pytestmark = pytest.mark.anyio

REFUSING = Policy(dead_letter="refuse")


async def test_what_is_given_gets_its_reply() -> None:
    """As a body or as a message."""
    inlet = Inlet()
    async with running(from_(inlet, int).transform(lambda n: n + 1)):
        reply = await inlet.give(1)
        assert reply is not None
        assert reply.body == 2
        reply = await inlet.give(Message(2, {"h": "x"}, "own"))
        assert reply == Message(3, {"h": "x"}, "own")


async def test_what_is_refused_is_raised_where_it_was_given() -> None:
    """With the route's own error."""
    inlet = Inlet()
    async with running(from_(inlet, int, policy=REFUSING).transform(lambda n: 1 // n)):
        with pytest.raises(ZeroDivisionError):
            await inlet.give(0)
        assert await inlet.give(1) is not None


async def test_many_may_be_given_at_once() -> None:
    """Each hears of its own."""
    inlet, sink, replies = Inlet(), Sink(), list[int]()

    async def give(n: int) -> None:
        reply = await inlet.give(n)
        assert reply is not None
        replies.append(reply.body)

    async with running(from_(inlet, int, policy=Policy(concurrency=4)).to(sink)), anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(give, n)
    assert sorted(replies) == sorted(sink.bodies) == list(range(20))


async def test_what_is_unfinished_at_a_crash_comes_again() -> None:
    """To the next run of the route; it may also be given while none runs."""
    inlet, sink = Inlet(), Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(60)
        return n

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inlet.give, 1)
        async with running(from_(inlet, int).transform(slow).to(sink)) as service:
            await anyio.sleep(1)
            service.force()
            await anyio.sleep(1)
        assert sink.bodies == []
        async with running(from_(inlet, int).transform(slow).to(sink)):
            await anyio.sleep(61)
    assert sink.bodies == [1]
