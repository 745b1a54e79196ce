"""A broker that dies, hangs, cuts connections, deletes queues, or runs out of memory: nothing is lost."""

import re
from typing import Any

import anyio
import anyio.to_thread
import pytest

from routekit import Policy, Retry, RouteDegraded, Unavailable, from_
from routekit.testing import Feed, Run, Sink, run_routes, running

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]  # a broker may take its time to start

PATIENT = Retry(100, first=0.05, most=0.5)


def degraded(run: Run) -> list[Exception]:
    return [event.error for event in run.of(RouteDegraded)]


async def test_a_killed_broker_loses_nothing(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """In the middle of a bridge, then started again on its data: all arrive. Quorum queues are in `test_proof.py`.

    A classic queue that is killed may have forgotten the acknowledgements of its last moments, so more comes twice than
    was in flight.
    """
    in_flight = 20
    bodies = [str(n).encode() for n in range(2000)]
    for name in (queue, f"{queue}-to"):
        await outside.declare(name, "classic")
    fill = from_(Feed(bodies), bytes, policy=Policy(concurrency=200)).to(f"rabbitmq:{queue}")
    await run_routes(fill, setup=setup())
    uri = f"rabbitmq:{queue}?prefetch={in_flight}&declare=false"
    bridge = from_(uri, bytes, policy=Policy(concurrency=in_flight, retry=PATIENT)).to(f"rabbitmq:{queue}-to")
    run, found = Run(), set[bytes]()

    async def drained() -> bool:
        found.update(await outside.bodies(f"{queue}-to"))
        return len(found) == len(bodies)

    async with running(r=bridge, setup=setup(run=run)) as service:
        await eventually(lambda: service.counts()["r"].done > 200)
        await anyio.to_thread.run_sync(outside.server.kill)
        assert service.counts()["r"].done < 1900, "it was to be killed in the middle"
        await anyio.to_thread.run_sync(outside.server.start)
        await eventually(drained)
    assert found == set(bodies)
    assert all(isinstance(error, Unavailable) for error in degraded(run))


async def test_a_broker_that_is_away_at_the_start(
    setup: Any, server: Any, outside: Any, queue: str, eventually: Any
) -> None:
    """Routes wait for it, degraded, and run once it is there."""
    await outside.declare(queue, "classic")
    await outside.publish(queue, b"a")
    await anyio.to_thread.run_sync(server.kill)
    run, out = Run(), Sink()
    async with running(from_(f"rabbitmq:{queue}?queue_type=classic", str).to(out), setup=setup(run=run)):
        await eventually(lambda: len(degraded(run)) >= 2)
        await anyio.to_thread.run_sync(server.start)
        await eventually(lambda: out.bodies == ["a"])
    assert isinstance(degraded(run)[0], Unavailable)
    assert f"at 127.0.0.1:{server.port}" in str(degraded(run)[0])


async def test_a_queue_that_is_deleted_is_made_again(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """While it is consumed: the route hears of it, starts again, and declares what it needs."""
    run, out = Run(), Sink()
    uri = f"rabbitmq:{queue}?exchange={queue}-x&bind=k&dead_letter={queue}-dead"
    async with running(from_(uri, str).to(out), setup=setup(run=run)):
        await eventually(lambda: outside.reached("k", b"a", f"{queue}-x"))
        await eventually(lambda: out.bodies == ["a"])
        await outside.delete(queue)
        await eventually(lambda: degraded(run))
        await eventually(lambda: outside.reached("k", b"b", f"{queue}-x"))
        await eventually(lambda: out.bodies == ["a", "b"])
    assert "the broker ended the consumer; was the queue deleted?" in str(degraded(run)[0])


async def test_a_consumer_whose_channel_is_closed(
    setup: Any, server: Any, outside: Any, queue: str, eventually: Any
) -> None:
    """By the broker, for a message that is kept too long: the route consumes again, and the message comes again."""
    await outside.declare(queue)
    await outside.publish(queue, b"a")
    gate, run, out = anyio.Event(), Run(), Sink()

    async def wait(body: str) -> str:
        await gate.wait()
        return body

    async def limit(milliseconds: int, tick: int) -> None:
        """How long a message may be kept on a channel that is opened from now on, and how often that is looked at."""
        text = f"application:set_env(rabbit, consumer_timeout, {milliseconds})"
        text += f", application:set_env(rabbit, channel_tick_interval, {tick})."
        await anyio.to_thread.run_sync(server.control, "eval", text)

    await limit(300, 100)
    try:
        flow = from_(f"rabbitmq:{queue}", str, policy=Policy(concurrency=2)).transform(wait).to(out)
        async with running(flow, setup=setup(run=run)):
            await eventually(lambda: "has timed out waiting for delivery acknowledgement" in server.log)
            gate.set()
            await eventually(lambda: out.bodies == ["a", "a"])
    finally:
        await limit(1_800_000, 60_000)
    assert isinstance(degraded(run)[0], Unavailable)
    assert "channel" in str(degraded(run)[0])
    assert await outside.bodies(queue) == []


async def test_an_exchange_that_is_deleted_is_made_again(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """While it is sent to: the broker closes the channel, the next try opens another one and declares the exchange."""
    await outside.declare(queue)
    gate, out = anyio.Event(), Sink()

    async def wait(number: int) -> int:
        if number == 2:
            await gate.wait()
        return number

    sink = f"rabbitmq:?exchange={queue}-x&key=k&declare=true&mandatory=false"
    flow = from_(Feed([1, 2]), int, policy=Policy(retry=PATIENT)).transform(wait).to(sink).to(out)
    run = Run()
    async with running(flow, setup=setup(run=run)):
        await eventually(lambda: out.bodies == [1])
        channel = await outside.channel()
        await channel.exchange_delete(f"{queue}-x")
        gate.set()
        await eventually(lambda: out.bodies == [1, 2])
    assert degraded(run) == [], "the route need not start again for that"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("purpose", ["consuming", "publishing"])
async def test_a_connection_that_is_cut_is_made_again(
    setup: Any, outside: Any, queue: str, purpose: str, eventually: Any
) -> None:
    """By the broker, in the middle of a bridge: nothing is lost, whichever of the two connections it is."""
    await outside.declare(f"{queue}-b")
    await outside.declare(queue)
    bodies = [str(n).encode() for n in range(2000)]
    await run_routes(from_(Feed(bodies), bytes, policy=Policy(concurrency=200)).to(f"rabbitmq:{queue}"), setup=setup())
    bridge = from_(f"rabbitmq:{queue}", bytes, policy=Policy(concurrency=20, retry=PATIENT)).to(f"rabbitmq:{queue}-b")
    run, found = Run(), set[bytes]()

    async def drained() -> bool:
        found.update(await outside.bodies(f"{queue}-b"))
        return len(found) == len(bodies)

    async with running(r=bridge, setup=setup(run=run)) as service:
        await eventually(lambda: service.counts()["r"].done > 100)
        await outside.cut(f"routekit {purpose}")
        await eventually(drained)
    assert found == set(bodies)
    assert await outside.bodies(queue) == []


async def test_a_broker_short_of_memory_is_waited_for(setup: Any, server: Any, outside: Any, queue: str) -> None:
    """It takes no messages for a while: the senders wait, nothing is tried twice, and it goes on by itself."""
    await outside.declare(queue)
    run, out = Run(), Sink()
    end = anyio.Event()

    async def wait(number: int) -> int:
        if number == 99:
            await end.wait()
        return number

    flow = from_(Feed(range(100)), int, policy=Policy(concurrency=10)).to(f"rabbitmq:{queue}?confirm_within=1s")
    flow = flow.to(out).transform(wait)
    await anyio.to_thread.run_sync(server.control, "set_vm_memory_high_watermark", "0")
    try:
        async with running(r=flow, setup=setup(run=run)) as service:
            await anyio.sleep(4)
            assert out.bodies == []
            assert service.counts()["r"].in_flight == 10
            await anyio.to_thread.run_sync(server.control, "set_vm_memory_high_watermark", "absolute", "1GB")
            with anyio.fail_after(20):
                while len(out.bodies) < 100:
                    await anyio.sleep(0.05)
            await anyio.sleep(1.2)
            end.set()
            assert service.counts()["r"].retried == 0
    finally:
        await anyio.to_thread.run_sync(server.control, "set_vm_memory_high_watermark", "absolute", "1GB")
    assert len(await outside.taken(queue)) == 100
    told = [event.text.partition(": ")[2].partition(" ")[2] for event in run.events if hasattr(event, "text")]
    assert told == ["takes nothing for now, since it is short of memory or disk", "takes messages again"]


async def test_a_broker_that_hangs_is_given_up(
    setup: Any, server: Any, outside: Any, queue: str, eventually: Any
) -> None:
    """No heartbeat comes any more: both ends of a bridge hear of it, and go on when it does."""
    await outside.declare(queue, "classic")
    await outside.declare(f"{queue}-b", "classic")
    uri = f"rabbitmq:{queue}?queue_type=classic"
    bridge = from_(uri, bytes, policy=Policy(retry=PATIENT)).to(f"rabbitmq:{queue}-b")
    run = Run()
    connection = {"heartbeat": 1, "timeout": "1s"}
    async with running(bridge, setup=setup(run=run, connection=connection)):
        await outside.publish(queue, b"a")
        assert await outside.bodies(f"{queue}-b", 1) == [b"a"]
        server.freeze()
        try:
            await eventually(lambda: degraded(run))
        finally:
            server.thaw()
        await outside.publish(queue, b"b")
        assert await outside.bodies(f"{queue}-b", 1, 30) == [b"b"]


async def test_a_confirmation_that_does_not_come_in_time(
    setup: Any, server: Any, outside: Any, queue: str, eventually: Any
) -> None:
    """The channel is given up, the message is unavailable, and tried again on another channel."""
    await outside.declare(queue, "classic")
    run, out, gate = Run(), Sink(), anyio.Event()

    async def wait(body: bytes) -> bytes:
        await gate.wait()
        return body

    flow = from_(Feed([b"a"]), bytes, policy=Policy(retry=PATIENT)).transform(wait)
    flow = flow.to(f"rabbitmq:{queue}?confirm_within=500ms").to(out)
    async with running(r=flow, setup=setup(run=run, connection={"heartbeat": 60, "timeout": "2s"})) as service:
        await anyio.sleep(0.3)
        server.freeze()
        try:
            gate.set()
            await eventually(lambda: service.counts()["r"].retried)
        finally:
            server.thaw()
        await eventually(lambda: out.bodies == [b"a"])
    assert set(await outside.bodies(queue)) == {b"a"}


@pytest.mark.parametrize(
    ("connection", "why"),
    [
        ({"password": "hunter2"}, "refuses it: .*check user, password and vhost"),
        ({"vhost": "none"}, "/none cannot be opened; does the vhost exist, and may the user enter it"),
    ],
)
async def test_a_login_that_is_refused(setup: Any, queue: str, connection: Any, why: str, eventually: Any) -> None:
    """The broker does not let us in: the route says what to look at, and tries again later."""
    run = Run()
    async with running(from_(f"rabbitmq:{queue}").to(Sink()), setup=setup(run=run, connection=connection)):
        await eventually(lambda: degraded(run))
    (error, *_) = degraded(run)
    assert re.search(why, str(error))
    assert "hunter2" not in str(error)
