"""The RabbitMQ endpoints keep the contracts that every endpoint has to keep."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import aio_pika
import anyio.to_thread
import pytest

from routekit import Capabilities, Message
from routekit.testing.conformance import HEADERS, SinkContract, SourceContract
from routekit_rabbitmq import RabbitMQSink, RabbitMQSource
from routekit_rabbitmq.testing import Server

SECRET = "kit-password-81f3"


class Queue:
    """An empty queue, seen from outside."""

    loops = ("asyncio",)
    headers = HEADERS
    large = 900_000
    patience = 40.0
    secrets: ClassVar[Sequence[str]] = (SECRET,)
    address: tuple[str, int]
    kind_of_queue = "quorum"

    @pytest.fixture(autouse=True)
    def _given(self, server: Server, kit_user: None, queue: str) -> None:
        self.broker = server
        self.queue = queue

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.found: list[Any] = []
        async with await aio_pika.connect(self.broker.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue(self.queue, durable=True, arguments={"x-queue-type": self.kind_of_queue})
        yield

    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.broker.port

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        host, port = self.address
        url = f"amqp://kit:{SECRET}@{host}:{port}"
        return {"url": url, "heartbeat": 1, "timeout": "2s"} if (table, name) == ("rabbitmq", "default") else None

    async def stop_server(self) -> None:
        await anyio.to_thread.run_sync(self.broker.stop)

    async def start_server(self) -> None:
        await anyio.to_thread.run_sync(self.broker.start)

    def wrong(self, secret: str) -> str:
        host, port = self.address
        return f"amqp://kit:{secret}@{host}:{port}"


class TestSource(Queue, SourceContract):
    kind = RabbitMQSource

    def source(self) -> RabbitMQSource:
        return RabbitMQSource(queue=self.queue, declare=False, again=0.05)

    def with_secret(self, secret: str) -> RabbitMQSource:
        return RabbitMQSource.of(self.queue, {"declare": False, "url": self.wrong(secret)})

    async def put(self, message: Message[Any]) -> None:
        async with await aio_pika.connect(self.broker.url) as connection:
            channel = await connection.channel()
            sent = aio_pika.Message(message.body, headers=dict(message.headers), message_id=message.id, delivery_mode=2)
            await channel.default_exchange.publish(sent, self.queue)


class TestStream(TestSource):
    kind_of_queue = "stream"
    stop_server = SourceContract.stop_server  # tried above, and it takes its time
    start_server = SourceContract.start_server
    promised = Capabilities(replayable=True, ordered=True)

    def source(self) -> RabbitMQSource:
        return RabbitMQSource(queue=self.queue, declare=False, queue_type="stream", name="kit")

    def with_secret(self, secret: str) -> RabbitMQSource:
        options = {"declare": False, "queue_type": "stream", "name": "kit", "url": self.wrong(secret)}
        return RabbitMQSource.of(self.queue, options)


class TestSink(Queue, SinkContract):
    kind = RabbitMQSink

    def sink(self) -> str:
        return f"rabbitmq:{self.queue}"

    def with_secret(self, secret: str) -> RabbitMQSink:
        return RabbitMQSink.of(self.queue, {"url": self.wrong(secret)})

    def poison(self) -> Any:
        return {"not": object()}

    async def delivered(self) -> Sequence[Any]:
        async with await aio_pika.connect(self.broker.url) as connection:
            queue = await (await connection.channel()).get_queue(self.queue)
            while (message := await queue.get(fail=False)) is not None:
                await message.ack()
                self.found.append(Message(message.body, dict(message.headers), message.message_id or ""))
        return self.found
