"""Streams: messages stay after they were read, and a name keeps how far a route has come."""

from typing import Any

import anyio
import pytest

from routekit import Policy, RouteDegraded, from_
from routekit.testing import Run, Sink, run_routes, running

pytestmark = pytest.mark.anyio


def source(queue: str, name: str = "mine", more: str = "") -> str:
    return f"rabbitmq:{queue}?queue_type=stream&name={name}{more}"


async def test_a_stream_is_read_on_where_a_route_has_been(setup: Any, outside: Any, queue: str) -> None:
    """Each run takes up where the last one ended; another name reads all of it."""
    await outside.declare(queue, "stream")
    await outside.publish(queue, b"1", b"2", b"3")
    async with setup().opened_store() as store:
        first, second, other = Sink(), Sink(), Sink()
        await run_routes(from_(source(queue), int).to(first), setup=setup(store=store))
        await outside.publish(queue, b"4")
        await run_routes(from_(source(queue), int).to(second), setup=setup(store=store))
        await run_routes(from_(source(queue, "other"), int).to(other), setup=setup(store=store))
    assert (first.bodies, second.bodies, other.bodies) == ([1, 2, 3], [4], [1, 2, 3, 4])
    assert [message.id for message in first.messages] == [f"{queue}@{offset}" for offset in range(3)]
    assert first.messages[2].headers["rabbitmq.offset"] == 2


@pytest.mark.parametrize(
    ("offset", "bodies"), [("first", [0, 1, 2, 3]), ("2", [2, 3]), ("next", []), ("1h", [0, 1, 2, 3])]
)
async def test_where_a_new_name_begins(setup: Any, outside: Any, queue: str, offset: str, bodies: Any) -> None:
    """At the first message, at an offset, an age ago, or only with what comes from now on."""
    await outside.declare(queue, "stream")
    await outside.publish(queue, b"0", b"1", b"2", b"3")
    out = Sink()
    await run_routes(from_(source(queue, more=f"&offset={offset}"), int).to(out), setup=setup())
    assert out.bodies == bodies


async def test_what_was_in_flight_at_a_crash_comes_again(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """The position stands before the first message that was not finished, whatever was finished after it."""
    await outside.declare(queue, "stream")
    await outside.publish(queue, *(str(n).encode() for n in range(6)))

    async def hold(number: int) -> int:
        if number == 2:
            await anyio.sleep_forever()
        return number

    done, again = Sink(), Sink()
    async with setup().opened_store() as store:
        flow = from_(source(queue), int, policy=Policy(concurrency=6)).transform(hold).to(done)
        async with running(flow, setup=setup(store=store)) as service:
            await eventually(lambda: len(done.bodies) == 5)
            service.force()
        await run_routes(from_(source(queue), int).to(again), setup=setup(store=store))
    assert again.bodies[-4:] == [2, 3, 4, 5]


async def test_a_refused_message_is_read_again(setup: Any, outside: Any, queue: str) -> None:
    """A stream takes nothing back: it is brought again from memory, and the route is not started anew."""
    await outside.declare(queue, "stream")
    await outside.publish(queue, b"1", b"2", b"3")
    tries: list[int] = []

    def second(number: int) -> int:
        tries.append(number)
        if tries.count(2) == 1 and number == 2:
            raise ValueError("not now")
        return number

    flow = from_(source(queue, more="&again=50ms"), int, policy=Policy(dead_letter="refuse")).transform(second)
    run = Run()
    await run_routes(flow, setup=setup(run=run))
    assert tries == [1, 2, 2, 3]
    assert run.of(RouteDegraded) == []
