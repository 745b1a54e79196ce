"""A bridge from queue to queue, beside the same bridge written by hand with aio-pika.

Both take persistent messages from a quorum queue with a prefetch of 50, publish them with confirmation and `mandatory`
to another one, with their properties and headers, and acknowledge each when it is confirmed.
"""

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import aio_pika
import anyio
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import FieldValue
from routekit_rabbitmq.testing import Server, installed

from routekit import Policy, from_
from routekit.testing import Run, run_routes, setup_for

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


def rate(url: str, how: str, count: int, in_flight: int) -> float:
    """Messages per second."""
    anyio.run(fill, url, count)
    seconds = anyio.run(by_hand if how == "hand" else routed, url, count, in_flight)
    found = anyio.run(left, url)
    assert found[1] == count, f"the figure of a bridge that lost something says nothing: {found}"
    return count / seconds


def figures() -> list[Figure]:
    """Messages per second with many in flight and with one, and their ratios."""
    if installed() is None:
        return []
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        for in_flight, count, goal in ((IN_FLIGHT, MESSAGES, 0.9), (1, MESSAGES // 10, 0.9)):
            measure = partial(rate, server.url, count=count, in_flight=in_flight)
            hand, route = alternately(ROUNDS, partial(measure, "hand"), partial(measure, "routed"))
            name = f"RabbitMQ: queue to queue, {in_flight} in flight"
            found.append(Figure(name, route, "messages/s", f"aio-pika by hand {hand:,.0f} messages/s"))
            found.append(Figure(f"{name}, route / by hand", route / hand, "ratio", "", goal, "higher"))
    return found
