"""The sinks `ws:NAME/path` and `ws://host/path`: messages sent to a server over a WebSocket."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import anyio
from pydantic import Field, InstanceOf, model_validator

from routekit import About, Bytes, Capabilities, Codec, Message, PathField, Producer, Runtime, Seconds, Send

from ..about import SENDING
from ..errors import HttpRejected, HttpUnavailable
from ..targets import target_of
from .bodies import frame_of
from .dialing import Dialing
from .wire import Wire

Job = Callable[[], Coroutine[Any, Any, None]]
_WEB = {"ws": "http", "wss": "https"}


class WsSend(Producer):
    """Sends each message over a WebSocket, which is kept open.

    Returned means: given to the operating system. The protocol has no acknowledgement, so what is on its way when a
    connection breaks is lost without a word; for what must arrive, use `http:`. What the server sends is passed by, and
    counted. A connection that is over is opened again for the next message.
    """

    scheme: ClassVar[str] = "ws"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True, volatile=True)
    about: ClassVar[About] = SENDING
    raises: ClassVar[tuple[type[Exception], ...]] = (HttpRejected, HttpUnavailable)

    target: PathField = Field(description="NAME/path by a connection of the settings, or //host/path")
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None, description="how bodies are written, if not bytes and text as they are and others as JSON"
    )
    hello: str = Field(default="", description="what is sent as soon as it is connected")
    query: Mapping[str, Any] | None = Field(default=None, description="query parameters, query.topic=orders")
    headers: Mapping[str, Any] | None = Field(default=None, description="headers of the request")
    ping: Seconds = Field(
        default=20.0, gt=0, description="seconds of silence after which it is pinged, and again until it is given up"
    )
    max_message: Bytes = Field(default=1 << 20, gt=0, description="a longer message of the server closes it")

    @model_validator(mode="after")
    def _fits(self) -> "WsSend":
        target_of(_WEB[self.scheme], self.target)
        return self

    async def probe(self, runtime: Runtime) -> str:
        """Whether it can be connected to: it is, and closed again."""
        dialing = Dialing(self.scheme, self.target, runtime, self.max_message, self.ping)
        async with dialing.opened(self.query, self.headers):
            return f"{self.scheme}:{self.target} is a WebSocket"

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """A send function, once it is connected."""
        line = _Line(self, Dialing(self.scheme, self.target, runtime, self.max_message, self.ping), runtime.spawn)
        codec = runtime.codec("json" if self.codec is None else self.codec)

        async def send(message: Message[Any]) -> None:
            await (await line.wire()).send(frame_of(message.body, codec, always=self.codec is not None))

        figures = {
            "connected": lambda: int(line.connected),
            "opened_total": lambda: line.opened,
            "ignored_total": lambda: line.ignored,
        }
        try:
            await line.wire()
            with runtime.metered(self, figures):
                yield send
        finally:
            await line.close()


class WssSend(WsSend):
    """As `ws:`, to a whole URL by TLS."""

    scheme: ClassVar[str] = "wss"


class _Line:
    """The connection of a sink, which is opened by whoever needs it and finds none."""

    def __init__(self, sink: WsSend, dialing: Dialing, spawn: Callable[[Job], None]) -> None:
        self.opened = 0
        self.ignored = 0
        self._sink, self._dialing, self._spawn = sink, dialing, spawn
        self._wire: Wire | None = None
        self._opening = anyio.Lock()
        self._open = AsyncExitStack()

    @property
    def connected(self) -> bool:
        """Whether a connection is open, as far as anybody knows."""
        return self._wire is not None and not self._wire.over.is_set()

    async def wire(self) -> Wire:
        """A connection that is open, as far as anybody knows; raises HttpUnavailable or HttpRejected."""
        if self._wire is not None and not self._wire.over.is_set():
            return self._wire
        async with self._opening:
            if self._wire is None or self._wire.over.is_set():
                await self.close()
                self._wire = await self._open.enter_async_context(
                    self._dialing.opened(self._sink.query, self._sink.headers)
                )
                self.opened += 1
                self._spawn(partial(self._wire.run, self._passed))
                if self._sink.hello:
                    await self._wire.send(self._sink.hello)
        return self._wire

    async def close(self) -> None:
        """Close what is open."""
        self._wire = None
        await self._open.pop_all().aclose()

    async def _passed(self, _: str | bytes) -> None:
        self.ignored += 1
