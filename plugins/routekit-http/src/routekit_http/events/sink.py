"""The sinks `sse:` and `sses:`: each message is an event for all who listen."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import quote

from pydantic import Field, InstanceOf, field_validator

from routekit import (
    PER_MESSAGE,
    About,
    BodyError,
    Capabilities,
    Codec,
    Message,
    PathField,
    Producer,
    Rejected,
    Runtime,
    Seconds,
    Send,
)

from ..server.about import STREAM
from ..server.gate import gate_of
from ..server.probing import serveable
from ..server.serving import app_of
from ..targets import address_of
from .channel import open_channel
from .parsing import written


class SseSink(Producer):
    """Serves a stream of events: whoever listens gets each message as one.

    Returned means: given to those who listen now, and kept for those who come back with the id of the last event that
    they have seen. Nobody acknowledges an event, and what is kept is gone when the process ends, so this is for those
    who want to see what is new, not for what must not be lost. Who is slower than `buffer` events is dropped, and comes
    back by itself. All routes that send to one path share its listeners; they stay while a route is started again.
    """

    scheme: ClassVar[str] = "sse"
    web: ClassVar[str] = "http"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True, volatile=True)
    about: ClassVar[About] = STREAM

    address: PathField = Field(description="HOST:PORT/path to serve")
    event: Annotated[str | None, PER_MESSAGE] = Field(default=None, description="the type of the event")
    id: Annotated[str | None, PER_MESSAGE] = Field(default=None, description="the id of the event, else the message's")
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None, description="how bodies are written, if not bytes and text as they are and others as JSON"
    )
    replay: int = Field(default=100, ge=0, description="events that are kept for those who come back")
    buffer: int = Field(default=100, ge=1, description="events that may wait for one listener; a slower one is dropped")
    heartbeat: Seconds = Field(default=15.0, gt=0, description="seconds of silence after which a comment is sent")
    most: int = Field(default=1000, ge=1, description="listeners at once; more are answered 503")
    jwt: str = Field(default="", description="who listens must bring a token that [http_jwt.NAME] takes")

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        found = address_of(address)
        if found is None or not 0 <= found[1] <= 65535 or "{" in found[2]:
            raise ValueError("write HOST:PORT/path, such as 0.0.0.0:8080/events")
        return address

    async def probe(self, runtime: Runtime) -> str:
        """Whether the address can be served."""
        host, port, _ = cast("tuple[str, int, str]", address_of(self.address))
        return serveable(runtime, self.web, host, port)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """A send function, once the path is served; raises Unavailable if the address cannot be had."""
        host, port, path = cast("tuple[str, int, str]", address_of(self.address))
        app = await app_of(runtime, self.web, host, port)
        channel = await runtime.shared(
            open_channel, app, path, self.jwt, self.replay, self.buffer, self.heartbeat, self.most
        )
        channel.serve(runtime.route, await gate_of(runtime, "", self.jwt))
        codec = runtime.codec("json" if self.codec is None else self.codec)

        async def send(message: Message[Any], **options: Any) -> None:
            id_ = _line(options.get("id", self.id) or message.id)
            type_: str = options.get("event", self.event) or ""
            if type_ != _line(type_):
                raise Rejected(f"'{type_}' is no type of an event", hint="it is one line")
            channel.send(id_, written(_text(message.body, codec, self.codec is not None), type=type_, id=id_))

        figures = {
            "listeners": lambda: len(channel),
            "dropped_total": lambda: channel.dropped,
            "missed_total": lambda: channel.missed,
        }
        with runtime.metered(self, figures):
            yield send


class SsesSink(SseSink):
    """As `sse:`, by https, with the certificate of `[http_server."HOST:PORT"]`."""

    scheme: ClassVar[str] = "sses"
    web: ClassVar[str] = "https"


def _line(text: str) -> str:
    """A text as one line: ids come from outside, too."""
    return "".join(character if character.isprintable() else quote(character) for character in text)


def _text(body: Any, codec: Codec, always: bool) -> str:
    if isinstance(body, str) and not always:
        return body
    plain = body if isinstance(body, bytes | bytearray) else codec.encode(body)
    try:
        return bytes(plain).decode()
    except UnicodeDecodeError:
        raise BodyError("an event is text in UTF-8, and these bytes are not") from None
