"""The sources `ws:NAME/path` and `ws://host/path`: what a server sends over a WebSocket."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from pydantic import Field, model_validator

from routekit import About, Bytes, Capabilities, Consumer, Delivery, Logged, Message, PathField, Runtime, Seconds

from ..about import HEARING
from ..targets import target_of
from .dialing import Dialing

_WEB = {"ws": "http", "wss": "https"}


class WsPoll(Consumer):
    """Connects to a WebSocket, and takes what comes: each message is one, its body text or bytes as it was sent.

    At most once, by the nature of the protocol: nothing is acknowledged, and what is sent while nobody is connected, or
    is in memory when this process ends, is lost. A connection that is over is opened again. Up to `ahead` messages are
    read before the route has room for them; then the other side has to wait.
    """

    scheme: ClassVar[str] = "ws"
    singleton: ClassVar[bool] = True
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True, volatile=True)
    about: ClassVar[About] = HEARING

    target: PathField = Field(description="NAME/path by a connection of the settings, or //host/path")
    hello: str = Field(default="", description="what is sent as soon as it is connected, such as what to subscribe to")
    query: Mapping[str, Any] | None = Field(default=None, description="query parameters, query.topic=orders")
    headers: Mapping[str, Any] | None = Field(default=None, description="headers of the request")
    retry: Seconds = Field(default=3.0, gt=0, description="seconds before it is connected to again")
    ping: Seconds = Field(
        default=20.0, gt=0, description="seconds of silence after which it is pinged, and again until it is given up"
    )
    ahead: int = Field(default=16, ge=0, description="messages that are read before the route has room for them")
    max_message: Bytes = Field(default=1 << 20, gt=0, description="a longer message closes the connection")

    @model_validator(mode="after")
    def _fits(self) -> "WsPoll":
        target_of(_WEB[self.scheme], self.target)
        return self

    async def probe(self, runtime: Runtime) -> str:
        """Whether it can be connected to: it is, and closed again."""
        dialing = Dialing(self.scheme, self.target, runtime, self.max_message, self.ping)
        async with dialing.opened(self.query, self.headers):
            return f"{self.scheme}:{self.target} is a WebSocket"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[str | bytes]]:
        """What comes; see `Consumer.consume`."""
        give, take = anyio.create_memory_object_stream[str | bytes | Exception](self.ahead)
        reading = _Reading(self, runtime, give)
        figures = {"opened_total": lambda: reading.opened, "waiting": lambda: take.statistics().current_buffer_used}
        runtime.spawn(reading.run)
        with give, take, runtime.metered(self, figures):
            try:
                while True:
                    with runtime.resting():
                        found = await take.receive()
                    if isinstance(found, Exception):
                        raise found
                    yield Delivery(Message(found))
            finally:
                reading.scope.cancel()


class WssPoll(WsPoll):
    """As `ws:`, of a whole URL by TLS."""

    scheme: ClassVar[str] = "wss"


class _Reading:
    """Keeps the connection, in a task of the route's own: pings want answers while the route is busy."""

    def __init__(self, source: WsPoll, runtime: Runtime, give: MemoryObjectSendStream[Any]) -> None:
        self.scope = anyio.CancelScope()
        self.opened = 0
        self._source, self._runtime, self._give = source, runtime, give

    async def run(self) -> None:
        """Until the scope is cancelled; what goes wrong is for the source to raise."""
        with self.scope:
            try:
                await self._again_and_again()
            except Exception as error:  # the route is told where it waits for messages
                await self._give.send(error)

    async def _again_and_again(self) -> None:
        source = self._source
        dialing = Dialing(source.scheme, source.target, self._runtime, source.max_message, source.ping)
        while True:
            async with dialing.opened(source.query, source.headers) as wire:
                self.opened += 1
                if source.hello:
                    await wire.send(source.hello)
                await wire.run(self._give.send)
            self._runtime.emit(Logged(self._runtime.route, "warning", f"{source}: {wire.why}; it is opened again"))
            await anyio.sleep(source.retry)
