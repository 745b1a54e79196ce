"""A RabbitMQ server for all tests, a queue's name for each, and the other side: a plain client."""

import os
import subprocess
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import aio_pika
import anyio
import anyio.to_thread
import pytest

from routekit.testing import Run, setup_for
from routekit_rabbitmq.testing import Server, installed


@pytest.fixture
def anyio_backend() -> str:
    """The driver runs on asyncio only; a server takes real time."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """One server for all tests; without its programs they are skipped, or fail where servers are required."""
    missing = " and ".join(name for name in ("rabbitmq-server", "openssl") if installed(name) is None)
    if missing:
        reason = f"{missing} is not installed: `make test`, as root on Debian, installs it"
        if os.environ.get("ROUTEKIT_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("rabbitmq")
    with Server(folder, extra=f"max_message_size = 1000000\n{with_tls(folder)}") as started:
        yield started


def with_tls(folder: Path) -> str:
    """An authority, `ca.pem`, and its certificate for 127.0.0.1, `tls.pem`; the lines that make the server use them."""

    def certify(name: str, *more: str) -> None:
        files = ("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-subj", f"/CN=routekit {name}")
        command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *more)
        subprocess.run(command, check=True, capture_output=True)

    certify("ca")
    authority = ("-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key")
    certify(
        "tls", *authority, "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"
    )
    return f"""listeners.ssl.1 = 127.0.0.1:{{tls_port}}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/tls.pem
ssl_options.keyfile = {folder}/tls.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""


@pytest.fixture
def queue() -> str:
    """A name that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


class Outside:
    """Somebody else who uses the broker."""

    def __init__(self, server: Server, connection: aio_pika.abc.AbstractConnection) -> None:
        self.server = server
        self.connection = connection

    async def channel(self) -> Any:
        """A new channel, on a new connection if the old one broke."""
        if self.connection.is_closed or not self.connection.connected.is_set():
            self.connection = await aio_pika.connect(self.server.url)
        return await self.connection.channel(on_return_raises=True)

    async def cut(self, purpose: str) -> None:
        """Have the broker close the connections of that purpose."""
        listed = await anyio.to_thread.run_sync(
            self.server.control, "-q", "list_connections", "pid", "client_properties"
        )
        for row in listed.splitlines():
            if purpose in row:
                pid = row.split("\t")[0]
                await anyio.to_thread.run_sync(self.server.control, "close_connection", pid, "cut by a test")

    async def publish(
        self, queue: str, *bodies: bytes, exchange: str = "", mandatory: bool = False, **properties: Any
    ) -> None:
        """Publish bodies, confirmed; the message id is the body unless it is given."""
        channel = await self.channel()
        to = channel.default_exchange if not exchange else await channel.get_exchange(exchange)
        for body in bodies:
            given = {"message_id": body.decode(errors="replace"), **properties}
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **given)
            await _taken(lambda message=message: to.publish(message, routing_key=queue, mandatory=mandatory))
        await channel.close()

    async def reached(self, key: str, body: bytes, exchange: str) -> bool:
        """Publish to an exchange; whether there was a queue that took it."""
        try:
            await self.publish(key, body, exchange=exchange, mandatory=True)
        except (aio_pika.exceptions.ChannelClosed, aio_pika.exceptions.PublishError):
            return False
        return True

    async def declare(self, queue: str, kind: str = "quorum", **arguments: Any) -> None:
        """Declare a durable queue."""
        channel = await self.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": kind, **arguments})
        await channel.close()

    async def exists(self, queue: str) -> bool:
        """Whether there is a queue."""
        channel = await self.channel()
        try:
            await channel.declare_queue(queue, passive=True)
        except aio_pika.exceptions.ChannelClosed:
            return False
        await channel.close()
        return True

    async def delete(self, queue: str) -> None:
        """Delete a queue."""
        channel = await self.channel()
        await channel.queue_delete(queue)
        await channel.close()

    async def taken(self, queue: str, count: int | None = None, within: float = 60.0) -> list[Any]:
        """Messages of a queue, acknowledged: so many, or all that come until it is quiet for a moment."""
        channel = await self.channel()
        await channel.set_qos(prefetch_count=count or 500)
        found: list[Any] = []

        async def take(message: Any) -> None:
            if not over and (count is None or len(found) < count):
                found.append(message)
                await message.ack()

        over = False
        source = await channel.get_queue(queue)
        tag = await source.consume(take)
        end = anyio.current_time() + (within if count else 1.0)
        seen = 0
        while (count is None or len(found) < count) and anyio.current_time() < end:
            await anyio.sleep(0.02)
            if count is None and len(found) > seen:
                seen, end = len(found), anyio.current_time() + 1.0
        over = True  # what still comes goes back when the channel closes
        await source.cancel(tag)
        await channel.close()
        return found

    async def bodies(self, queue: str, count: int | None = None, within: float = 60.0) -> list[bytes]:
        """As `taken`, only the bodies."""
        return [message.body for message in await self.taken(queue, count, within)]


@pytest.fixture
async def outside(server: Server) -> AsyncGenerator[Outside]:
    """A client of its own."""
    made = Outside(server, await aio_pika.connect(server.url))
    try:
        yield made
    finally:
        await made.connection.close()


@pytest.fixture
def setup(server: Server) -> Callable[..., Any]:
    """A setup whose settings know the server as `default`."""

    def made(**changes: Any) -> Any:
        tables = {("rabbitmq", "default"): {"url": server.url, "heartbeat": 2, **changes.pop("connection", {})}}
        return setup_for(changes.pop("run", None) or Run(), settings=lambda *at: tables.get(at), **changes)

    return made


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until something holds; fails after some seconds."""

    async def wait(holds: Callable[[], Any], within: float = 180.0) -> None:
        with anyio.fail_after(within):
            while True:
                found = holds()
                if hasattr(found, "__await__"):
                    found = await found
                if found:
                    return
                await anyio.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def kit_user(server: Server) -> None:
    """A user whose password nobody may read anywhere."""
    server.control("add_user", "kit", "kit-password-81f3")
    server.control("set_permissions", "kit", ".*", ".*", ".*")


async def _taken(publish: Callable[[], Awaitable[Any]]) -> None:
    """Publish until the broker takes it: a quorum queue that was just declared may refuse what comes too soon."""
    with anyio.fail_after(20):
        while True:
            try:
                await publish()
            except aio_pika.exceptions.PublishError:
                raise
            except aio_pika.exceptions.DeliveryError:
                await anyio.sleep(0.05)
            else:
                return
