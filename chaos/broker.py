"""The broker from outside: what goes in, and what has come out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import aio_pika
import anyio
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import FieldValue

from .orders import Sent

QUORUM: dict[str, FieldValue] = {"x-queue-type": "quorum"}
YOUNG = 7.0
"""Seconds for which a quorum queue of RabbitMQ 3.10 may not survive to be killed."""
QUIET = 3.0
"""Seconds without a message after which a queue is believed to be empty; its count lags behind."""
_AT_ONCE = 200


@dataclass(frozen=True)
class Found:
    """A message that has come out."""

    id: str
    body: bytes


IN, OUT, BOOKINGS, RECEIPTS = "orders", "invoices", "bookings", "receipts"


async def fill(url: str, messages: Sequence[Sent]) -> None:
    """Declare all queues, and publish all messages to the first, each confirmed, in about their order.

    What is published to the exchange `invoices` comes into a queue that is read by a route, and into one for us.
    """
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        invoices = await channel.declare_exchange(OUT, aio_pika.ExchangeType.FANOUT, durable=True)
        for name in (IN, OUT, BOOKINGS, RECEIPTS):
            queue = await channel.declare_queue(name, durable=True, arguments=QUORUM)
            if name in (OUT, BOOKINGS):
                await queue.bind(invoices)
        old = anyio.current_time() + YOUNG

        async def publish(own: Sequence[Sent]) -> None:
            for one in own:
                message = aio_pika.Message(one.body, message_id=one.id, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await channel.default_exchange.publish(message, IN)

        async with anyio.create_task_group() as tasks:
            for first in range(_AT_ONCE):
                tasks.start_soon(publish, messages[first::_AT_ONCE])
        await anyio.sleep_until(old)


async def waiting(url: str, queue: str) -> int:
    """How many messages wait, as far as the broker knows; -1 while it does not tell."""
    try:
        async with await aio_pika.connect(url) as connection:
            declared = await (await connection.channel()).declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0
    except (aio_pika.exceptions.AMQPException, OSError, RuntimeError):
        return -1


async def emptied(url: str, queue: str) -> list[Found]:
    """All that is in a queue, in its order; it is empty then."""
    found: list[Found] = []
    sender, receiver = anyio.create_memory_object_stream[Found](math.inf)

    async def take(message: AbstractIncomingMessage) -> None:
        sender.send_nowait(Found(message.message_id or "", message.body))
        await message.ack()

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1000)
        source = await channel.get_queue(queue)
        with sender, receiver:
            tag = await source.consume(take)
            quiet = False
            while not quiet:
                with anyio.move_on_after(QUIET) as patience:
                    found.append(await receiver.receive())
                quiet = patience.cancelled_caught
            await source.cancel(tag)
    return found
