"""A bridge from queue to queue, beside the same bridge written by hand with aio-pika, and with FastStream.

All take persistent messages from a quorum queue with a prefetch of 50, publish them with confirmation and `mandatory`
to another one, with their properties and headers, and acknowledge each when it is confirmed.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import aio_pika
import anyio
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import FieldValue

from routekit import Policy, from_
from routekit.testing import Run, run_routes, setup_for
from routekit_rabbitmq.testing import Server, installed

from .figures import Figure, alternately

MESSAGES = 10_000
IN_FLIGHT = 50
ROUNDS = 3
BODY = b'{"id": 4711, "email": "anna@example.com", "name": "Anna"}' * 5
QUORUM: dict[str, FieldValue] = {"x-queue-type": "quorum"}


async def fill(url: str, count: int) -> None:
    """Both queues empty but for so many messages in the first."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in ("from", "to"):
            queue = await channel.declare_queue(name, durable=True, arguments=QUORUM)
            await queue.purge()

        async def publish(number: int) -> None:
            message = aio_pika.Message(
                BODY,
                message_id=str(number),
                content_type="application/json",
                headers={"tenant": "acme", "attempt": 1},
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await channel.default_exchange.publish(message, "from")

        for start in range(0, count, 500):
            await asyncio.gather(*(publish(number) for number in range(start, start + min(500, count))))


async def left(url: str) -> tuple[int, int]:
    """Messages in both queues."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        found = [await channel.declare_queue(name, passive=True) for name in ("from", "to")]
        return (found[0].declaration_result.message_count or 0, found[1].declaration_result.message_count or 0)


async def by_hand(url: str, count: int, in_flight: int) -> float:
    """Seconds for all messages, from the first to the last confirmation."""
    async with await aio_pika.connect(url) as taking, await aio_pika.connect(url) as giving:
        source = await taking.channel(publisher_confirms=False)
        target = await giving.channel(on_return_raises=True)
        await source.set_qos(prefetch_count=in_flight)
        queue = await source.get_queue("from")
        done = asyncio.Event()
        finished = 0

        async def bridge(found: AbstractIncomingMessage) -> None:
            nonlocal finished
            message = aio_pika.Message(
                found.body,
                headers=found.headers,
                content_type=found.content_type,
                message_id=found.message_id,
                correlation_id=found.correlation_id,
                timestamp=found.timestamp,
                type=found.type,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await target.default_exchange.publish(message, "to", mandatory=True)
            await found.ack()
            finished += 1
            if finished == count:
                done.set()

        start = perf_counter()
        await queue.consume(bridge)
        await done.wait()
        return perf_counter() - start


async def routed(url: str, count: int, in_flight: int) -> float:
    """The same by a route; the half second in which it finds out that nothing is left is not counted."""
    setup = setup_for(Run(), settings=lambda table, name: {"url": url})  # pyright: ignore[reportUnknownLambdaType]
    last = 0.0

    def seen(body: bytes) -> bytes:
        nonlocal last
        last = perf_counter()
        return body

    flow = from_(f"rabbitmq:from?prefetch={max(in_flight, 2)}", bytes, policy=Policy(concurrency=in_flight))
    start = perf_counter()
    run = await run_routes(flow.to("rabbitmq:to").transform(seen), setup=setup)
    assert run.counts["route-1"].done == count
    return last - start


async def faststream(url: str, count: int, in_flight: int) -> float:
    """The same with FastStream: the body as it is, no model and no decoding, a confirmed publishing in the handler."""
    # A peer, which only `make bench` installs.
    from faststream import AckPolicy
    from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

    broker = RabbitBroker(url, default_channel=Channel(prefetch_count=in_flight, on_return_raises=True), logger=None)
    done = asyncio.Event()
    finished = 0

    async def raw(message: RabbitMessage) -> bytes:
        return message.body

    @broker.subscriber(
        RabbitQueue("from", QueueType.QUORUM, durable=True), decoder=raw, ack_policy=AckPolicy.MANUAL, no_reply=True
    )
    async def bridge(message: RabbitMessage) -> None:
        nonlocal finished
        await broker.publish(
            message.body,
            "to",
            headers=message.headers,
            content_type=message.content_type,
            message_id=message.message_id,
            correlation_id=message.correlation_id,
            persist=True,
            mandatory=True,
        )
        await message.ack()
        finished += 1
        if finished == count:
            done.set()

    start = perf_counter()
    async with broker:
        await broker.start()
        await done.wait()
        return perf_counter() - start


HOW = {"hand": by_hand, "routed": routed, "faststream": faststream}


def rate(url: str, how: str, count: int, in_flight: int, spent: dict[str, list[float]]) -> float:
    """Messages per second; the time of this process for each message, in microseconds, goes to `spent`."""
    anyio.run(fill, url, count)
    before = process_time()
    seconds = anyio.run(HOW[how], url, count, in_flight)
    spent.setdefault(how, []).append((process_time() - before) / count * 1e6)
    found = anyio.run(left, url)
    assert found[1] == count, f"the figure of a bridge that lost something says nothing: {found}"
    return count / seconds


def figures() -> list[Figure]:
    """Messages per second and processor time, with many in flight and with one; none without a RabbitMQ."""
    if installed() is None:
        return []
    found: list[Figure] = []
    hows = [how for how in HOW if how != "faststream" or find_spec("faststream")]
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        for in_flight, count in ((IN_FLIGHT, MESSAGES), (1, MESSAGES // 5)):
            spent: dict[str, list[float]] = {}
            measure = partial(rate, server.url, count=count, in_flight=in_flight, spent=spent)
            rates = dict(zip(hows, alternately(ROUNDS, *(partial(measure, how) for how in hows)), strict=True))
            found += compared(in_flight, rates, {how: median(values) for how, values in spent.items()})
    return found


def compared(in_flight: int, rates: Mapping[str, float], cost: Mapping[str, float]) -> list[Figure]:
    """The figures of one kind of bridge; the goals are for many in flight, else the disk of the broker is measured."""
    name = f"RabbitMQ: queue to queue, {in_flight} in flight"
    many = in_flight > 1
    beside = ", ".join(f"{how} {value:,.0f} messages/s" for how, value in rates.items() if how != "routed")
    spent = ", ".join(f"{how} {value:,.0f} us" for how, value in cost.items() if how != "routed")
    found = [
        Figure(name, rates["routed"], "messages/s", beside),
        Figure(f"{name}, processor time", cost["routed"], "us/message", spent),
    ]
    for how, goal in (("hand", 1.0), ("faststream", 1.5)):
        if how in rates:
            aim = goal if many else None
            ratio = rates["routed"] / rates[how]
            work = cost[how] / cost["routed"]
            found += [
                Figure(f"{name}, route / {how}", ratio, "ratio", "", aim, "higher"),
                Figure(f"{name}, processor time, {how} / route", work, "ratio", "", aim, "higher"),
            ]
    return found
