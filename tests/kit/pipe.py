"""A sound plugin for a server of its own: `pipe:` as a source and as a sink over TCP, and the server.

What is sent is a frame: length, checksum, and JSON with bodies in base64. The server keeps what it has in memory, which
outlives its stops: in its tests, that is its disk.
"""

import base64
import json
import struct
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import Field

from routekit import Capabilities, Consumer, Delivery, Message, Producer, Runtime, Send, Unavailable

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead, anyio.EndOfStream, OSError)


class Garbled(Exception):
    """What came is no frame."""


class Wire:
    """A connection that speaks in frames."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self._bytes = BufferedByteReceiveStream(stream)

    async def send(self, **said: Any) -> None:
        data = json.dumps(said).encode()
        await self.stream.send(struct.pack("!II", len(data), zlib.crc32(data)) + data)

    async def receive(self) -> dict[str, Any]:
        size, checksum = struct.unpack("!II", await self._bytes.receive_exactly(8))
        if size > 1 << 24:
            raise Garbled("a frame is too large")
        data = await self._bytes.receive_exactly(size)
        if zlib.crc32(data) != checksum:
            raise Garbled("a checksum is wrong")
        return json.loads(data)


class Server:
    """Gives each message to one client, and again when that goes without having acknowledged it."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.waiting: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.port = 0
        self._tasks = tasks
        self._taken: set[str] = set()
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()

    async def start(self) -> None:
        self._scope = anyio.CancelScope()
        await self._tasks.start(self._run)

    def stop(self) -> None:
        self._scope.cancel()

    def put(self, id: str, body: bytes) -> None:
        self.waiting[id] = base64.b64encode(body).decode()
        self._change()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        with self._scope:
            async with await anyio.create_tcp_listener(
                local_host="127.0.0.1", local_port=self.port, reuse_port=True
            ) as listener:
                self.port = listener.extra(SocketAttribute.local_port)
                task_status.started()
                await listener.serve(self._serve)

    async def _serve(self, stream: SocketStream) -> None:
        wire, mine = Wire(stream), set[str]()
        try:
            async with stream:
                with suppress(*GONE, Garbled, ValueError):
                    while True:
                        await wire.send(**await self._answer(await wire.receive(), mine))
        finally:
            self._taken -= mine
            self._change()

    async def _answer(self, asked: dict[str, Any], mine: set[str]) -> dict[str, Any]:
        match asked["do"]:
            case "keep":
                self.kept[asked["id"]] = asked["body"]
            case "put":
                self.waiting[asked["id"]] = asked["body"]
                self._change()
            case "take":
                free = next((one for one in self.waiting if one not in self._taken), None)
                if free is None:
                    with anyio.move_on_after(0.02):
                        await self._changed.wait()
                    return {"id": None}
                mine.add(free)
                self._taken.add(free)
                return {"id": free, "body": self.waiting[free]}
            case "done":
                self.waiting.pop(asked["id"], None)
                mine.discard(asked["id"])
                self._taken.discard(asked["id"])
            case "again":
                mine.discard(asked["id"])
                self._taken.discard(asked["id"])
                self._change()
        return {"ok": True}

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Link:
    """A connection to the server, made anew after it broke; one question at a time."""

    PATIENCE: ClassVar[float] = 2.0

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: Wire | None = None
        self._lock = anyio.Lock()
        self._ended = False

    async def ask(self, **said: Any) -> dict[str, Any]:
        async with self._lock:
            try:
                with anyio.fail_after(self.PATIENCE):
                    if self._wire is None:
                        self._wire = Wire(await anyio.connect_tcp("127.0.0.1", self._port))
                    await self._wire.send(**said)
                    answer = await self._wire.receive()
            except (*GONE, Garbled, TimeoutError, ValueError) as error:
                await self.broken(error)
                raise Unavailable(f"the server does not answer: {error!r}") from error
            except BaseException:  # cancelled: what will be answered is nobody's
                await self.close()
                raise
            if self._ended:
                await self.close()
            return answer

    async def say(self, **said: Any) -> None:
        async with self._lock:
            assert self._wire is not None
            await self._wire.send(**said)

    async def broken(self, error: Exception) -> None:
        await self.close()

    async def end(self) -> None:
        """Close it; what is asked after that, such as an acknowledgement, has a connection of its own."""
        self._ended = True
        await self.close()

    async def close(self) -> None:
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await anyio.aclose_forcefully(wire.stream)


class PipeSource(Consumer):
    """Takes messages from a server; each is the server's until it is acknowledged."""

    scheme = "pipe"
    capabilities: ClassVar[Capabilities] = Capabilities(replayable=True, ordered=True)
    linked: ClassVar[type[Link]] = Link
    port: int = Field(description="port of the server")

    def link(self) -> Link:
        return self.linked(self.port)

    async def probe(self, runtime: Runtime) -> str:
        link = self.link()
        try:
            await link.ask(do="hello")
        finally:
            await link.end()
        return "a server of pipes"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        link = self.link()
        try:
            while True:
                found = await link.ask(do="take")
                if found["id"] is None:
                    await runtime.rest(0.01)
                    continue
                message = Message(base64.b64decode(found["body"]), id=found["id"])
                yield Delivery(message, partial(self.ack, link, found["id"]), partial(self.nack, link, found["id"]))
        finally:
            await link.end()

    async def ack(self, link: Link, id: str, reply: Message[Any] | None) -> None:
        await link.ask(do="done", id=id)

    async def nack(self, link: Link, id: str, error: Exception) -> None:
        await link.ask(do="again", id=id)


class PipeSink(Producer):
    """Gives messages to a server, which keeps each once by its id."""

    scheme = "pipe"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True, transactional=True, idempotent=True)
    linked: ClassVar[type[Link]] = Link
    port: int = Field(description="port of the server")

    def link(self) -> Link:
        return self.linked(self.port)

    async def probe(self, runtime: Runtime) -> str:
        link = self.link()
        try:
            await link.ask(do="hello")
        finally:
            await link.end()
        return "a server of pipes"

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        link = self.link()
        await link.ask(do="hello")
        try:
            yield partial(self.send, link)
        finally:
            await link.end()

    async def send(self, link: Link, message: Message[Any]) -> None:
        await link.ask(do="keep", id=message.id, body=base64.b64encode(message.body).decode())
