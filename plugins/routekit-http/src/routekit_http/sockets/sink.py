"""The sinks `ws:HOST:PORT/path` and `wss:HOST:PORT/path`: messages for those who are connected."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import Field, InstanceOf, field_validator
from starlette.requests import HTTPConnection

from routekit import PER_MESSAGE, About, Capabilities, Codec, Message, PathField, Producer, Runtime, Send

from ..server.about import TELLING
from ..server.gate import gate_of
from ..server.probing import serveable
from ..server.serving import app_of
from ..targets import address_of
from .bodies import frame_of
from .hub import open_hub
from .sending import WsSend, WssSend
from .server import place_of

_WEB = {"ws": "http", "wss": "https"}


class WsSink(Producer):
    """Sends each message to all who are connected to a path, or with `to` to one of them.

    Returned means: given to those who are connected now, if anybody is. The protocol has no acknowledgement, and who
    is not connected misses it: this is for those who want to see what is new, not for what must not be lost. Who is
    slower than `buffer` messages is disconnected. Without a source of the same path, who says anything is disconnected.
    """

    scheme: ClassVar[str] = "ws"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True, volatile=True)
    client: ClassVar[type[Producer]] = WsSend
    about: ClassVar[About] = TELLING

    address: PathField = Field(description="HOST:PORT/path to serve")
    to: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="the connection that gets it, by the header ws.connection of its messages; else all"
    )
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None, description="how bodies are written, if not bytes and text as they are and others as JSON"
    )
    buffer: int = Field(
        default=100, ge=1, description="messages that may wait for one connection; a slower one is closed"
    )
    jwt: str = Field(default="", description="who connects must bring a token that [http_jwt.NAME] takes")
    most: int = Field(default=1000, ge=1, description="connections at once; more are answered 503")

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        place_of(address)
        return address

    @classmethod
    def of(cls, path: str, options: Mapping[str, Any]) -> Self:
        """The sink of a URI: a path that is no address to serve is that of a server to connect to."""
        if address_of(path) is None:
            return cast("Self", cls.client.of(path, options))
        return super().of(path, options)

    async def probe(self, runtime: Runtime) -> str:
        """Whether the address can be served."""
        host, port, _ = place_of(self.address)
        return serveable(runtime, _WEB[self.scheme], host, port)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """A send function, once the path is served; raises Unavailable if the address cannot be had."""
        host, port, path = place_of(self.address)
        app = await app_of(runtime, _WEB[self.scheme], host, port)
        hub = await runtime.shared(open_hub, app, path)
        gate = await gate_of(runtime, "", self.jwt)
        codec = runtime.codec("json" if self.codec is None else self.codec)

        async def admit(socket: HTTPConnection) -> dict[str, Any]:
            await gate.claims(socket)
            return {}

        async def send(message: Message[Any], **options: Any) -> None:
            to: str | None = options.get("to", self.to)
            hub.send(frame_of(message.body, codec, always=self.codec is not None), to, self.buffer)

        figures = {"connections": lambda: len(hub.peers), "dropped_total": lambda: hub.dropped}
        with hub.used(runtime.route, admit, self.most), runtime.metered(self, figures):
            yield send


class WssSink(WsSink):
    """As `ws:`, by TLS, with the certificate of `[http_server."HOST:PORT"]`."""

    scheme: ClassVar[str] = "wss"
    client: ClassVar[type[Producer]] = WssSend
