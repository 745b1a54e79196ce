"""The sources `ws:HOST:PORT/path` and `wss:HOST:PORT/path`: each message of whoever is connected is a call."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

import anyio
from pydantic import Field, field_validator
from starlette.requests import HTTPConnection

from routekit import (
    About,
    Capabilities,
    Codec,
    Consumer,
    Deliver,
    Endpoint,
    Listener,
    Logged,
    Message,
    PathField,
    Runtime,
)

from ..requests import Names
from ..server.about import SOCKETS
from ..server.gate import gate_of
from ..server.probing import serveable
from ..server.problems import problem_of
from ..server.serving import app_of
from ..server.templates import template_of
from ..targets import address_of
from .bodies import frame_of
from .client import WsPoll, WssPoll
from .hub import Peer, open_hub

_WEB = {"ws": "http", "wss": "https"}


def place_of(address: str) -> tuple[str, int, str]:
    """Host, port and path of an address; raises ValueError."""
    found = address_of(address)
    if found is None or not 0 <= found[1] <= 65535:
        raise ValueError("write HOST:PORT/path, such as 0.0.0.0:8080/live")
    template_of(found[2])
    return found


class WsServer(Listener):
    """Takes what those say who connect, as text or bytes, and sends the reply of the route back to who said it.

    Messages of one connection are handled one after the other: the next is read when the last is answered. A failure
    is answered with a problem, as JSON: its `status` is that of HTTP. The protocol has no acknowledgement, so the reply
    is the only sign that a message is done: with `reply=none`, who sends it never knows. When the route stops, all are
    disconnected. A sink of the same address and path sends to those who are connected here.
    """

    scheme: ClassVar[str] = "ws"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True)
    client: ClassVar[type[Consumer]] = WsPoll
    about: ClassVar[About] = SOCKETS

    address: PathField = Field(description="HOST:PORT/path; {names} take a part of the path each, {name*} all the rest")
    reply: Literal["body", "none"] = Field(default="body", description="none: nothing is sent back, but what failed")
    keep: Names = Field(
        default=(), description="comma list: headers with which they connected that messages get, ws.header.NAME"
    )
    jwt: str = Field(default="", description="who connects must bring a token that [http_jwt.NAME] takes")
    most: int = Field(default=100, ge=1, description="connections at once; more are answered 503")

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        place_of(address)
        return address

    @classmethod
    def of(cls, path: str, options: Mapping[str, Any]) -> Self:
        """The source of a URI: a path that is no address to serve is that of a server to connect to."""
        if address_of(path) is None:
            return cast("Self", cls.client.of(path, options))
        return super().of(path, options)

    def clashes(self, other: Endpoint) -> str | None:
        """Two routes cannot take what is said on one path."""
        if not isinstance(other, WsServer):
            return None
        (host, port, path), (its_host, its_port, its_path) = place_of(self.address), place_of(other.address)
        same = (host, port, template_of(path).shape) == (its_host, its_port, template_of(its_path).shape)
        return f"both take what is said on {host}:{port}{path}" if port and same else None

    async def probe(self, runtime: Runtime) -> str:
        """Whether the address can be served."""
        host, port, _ = place_of(self.address)
        return serveable(runtime, _WEB[self.scheme], host, port)

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """Take messages until cancelled; see `Listener.listen`."""
        host, port, path = place_of(self.address)
        app = await app_of(runtime, _WEB[self.scheme], host, port)
        hub = await runtime.shared(open_hub, app, path)
        gate = await gate_of(runtime, "", self.jwt)
        talking = _Talking(self.reply == "body", runtime.codec("json"), deliver)

        async def admit(socket: HTTPConnection) -> dict[str, Any]:
            claims = await gate.claims(socket)
            found: dict[str, Any] = {} if claims is None else {"ws.claims": dict(claims)}
            return found | {f"ws.header.{name}": socket.headers[name] for name in self.keep if name in socket.headers}

        with (
            hub.used(runtime.route, admit, self.most, talking.talk),
            runtime.metered(self, {"connections": lambda: len(hub.peers)}),
            runtime.resting(),
        ):
            runtime.emit(Logged(runtime.route, "info", f"serving WEBSOCKET {app.url}{path}"))
            await talking.go_on()


class WssServer(WsServer):
    """As `ws:`, by TLS, with the certificate of `[http_server."HOST:PORT"]`."""

    scheme: ClassVar[str] = "wss"
    client: ClassVar[type[Consumer]] = WssPoll


class _Talking:
    """Hands over what is said, and sends back what comes of it; messages live no longer than `go_on`."""

    def __init__(self, replies: bool, json: Codec, deliver: Deliver) -> None:
        self._replies, self._json, self._deliver = replies, json, deliver
        self._inside: set[anyio.CancelScope] = set()
        self._left = anyio.Event()

    async def go_on(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            for scope in self._inside:
                scope.cancel()
            with anyio.CancelScope(shield=True):
                while self._inside:
                    self._left = anyio.Event()
                    await self._left.wait()

    async def talk(self, peer: Peer, body: str | bytes) -> None:
        with anyio.CancelScope() as scope:
            self._inside.add(scope)
            try:
                answer = await self._answer(peer, body)
            finally:
                self._inside.discard(scope)
                self._left.set()
            if answer is not None:
                await peer.send(answer)

    async def _answer(self, peer: Peer, body: str | bytes) -> str | bytes | None:
        try:
            reply = await self._deliver(Message(body, peer.headers))
            if reply is None or reply.body is None or not self._replies:
                return None
            return frame_of(reply.body, self._json, always=False)
        except Exception as error:  # whatever a route raises is for who said it to know
            return bytes(problem_of(error).body).decode()
