"""The WebSockets of one path: who is connected, who takes what they say, and who may come in."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from routekit import DefinitionError, Rejected, Unavailable

from ..server.app import App
from ..server.problems import Refusal, problem_of
from ..server.table import SOCKET, Entry
from ..server.templates import template_of

GOING = 1001
POLICY = 1008
BUSY = 1013
_GOODBYE = 2.0
"""Seconds in which a goodbye must be written."""

Admit = Callable[[WebSocket], Awaitable[Mapping[str, Any]]]
"""Lets somebody in, and gives what is known of them, as headers; raises Refusal."""
Talk = Callable[["Peer", str | bytes], Awaitable[None]]
"""Takes what a peer says, and answers."""


class Peer:
    """Somebody who is connected; `headers` is what is known of them. What is sent to all waits here for its turn."""

    def __init__(self, socket: WebSocket, headers: Mapping[str, Any]) -> None:
        self.id = token_hex(8)  # not by the route's chance: an id must not come again after a restart
        self.headers = {**headers, "ws.connection": self.id}
        self.waiting: deque[str | bytes] = deque()
        self.code = 0
        self._socket = socket
        self._news = anyio.Event()
        self._sending = anyio.Lock()
        self._writing = anyio.CancelScope()
        self._hearing = anyio.CancelScope()

    async def send(self, body: str | bytes) -> None:
        """Write a message; who has gone meanwhile gets none."""
        async with self._sending:
            with suppress(WebSocketDisconnect, RuntimeError, OSError):
                await (self._socket.send_text(body) if isinstance(body, str) else self._socket.send_bytes(body))

    def give(self, body: str | bytes) -> None:
        """Have a message written soon."""
        self.waiting.append(body)
        self._news.set()

    def end(self, code: int) -> None:
        """Have the connection closed, whatever is still to be written."""
        self.code = self.code or code
        self._writing.cancel()

    async def write(self) -> None:
        """Write what is given until the end, then close; who does not read gets little time for that."""
        with self._writing:
            while True:
                while self.waiting:
                    await self.send(self.waiting.popleft())
                self._news = anyio.Event()
                await self._news.wait()
        with anyio.move_on_after(_GOODBYE), suppress(RuntimeError, OSError):
            await self._socket.close(self.code)
        self._hearing.cancel()

    async def hear(self) -> str | bytes | None:
        """What is said next; None at the end."""
        if self.code:
            return None
        event: Any = None
        with anyio.CancelScope() as self._hearing:
            event = await self._socket.receive()
        if event is None or event["type"] == "websocket.disconnect":
            return None
        text = event.get("text")
        return text if text is not None else event["bytes"]


class Hub:
    """A path of an address; sources and sinks of it share those who are connected."""

    def __init__(self, app: App, path: str) -> None:
        self.dropped = 0
        self.peers: dict[str, Peer] = {}
        self._app = app
        self._path = path
        self._users: list[_User] = []
        self._entered = ExitStack()

    @contextmanager
    def used(self, route: str, admit: Admit, most: int, talk: Talk | None = None) -> Generator[None]:
        """Be connected to, inside the block; with `talk`, as the one who takes what is said."""
        if talk is not None and any(user.talk is not None for user in self._users):
            raise DefinitionError(f"two routes take what is said on {self._path}", hint="give one of them another path")
        if not self._users:
            entry = Entry(route, (SOCKET,), template_of(self._path), self._connected)
            self._entered.enter_context(self._app.sockets.entered(entry))
        user = _User(admit, most, talk)
        self._users.append(user)
        try:
            yield
        finally:
            self._users.remove(user)
            if not self._users:
                self._entered.close()
            if talk is not None or not self._users:
                for peer in self.peers.values():
                    peer.end(GOING)

    def send(self, body: str | bytes, to: str | None, buffer: int) -> None:
        """Give a message to all, or to the one of that id; who is too slow for it is dropped.

        Raises Rejected if the one is not connected, Unavailable if it was dropped.
        """
        if to is not None and to not in self.peers:
            raise Rejected(f"'{to}' is not connected", hint="an id is that of one connection: it will not come back")
        for peer in list(self.peers.values()) if to is None else [self.peers[to]]:
            if len(peer.waiting) < buffer:
                peer.give(body)
            elif not peer.code:
                self.dropped += 1
                peer.end(BUSY)
                if to is not None:
                    raise Unavailable(f"'{to}' is too slow: {buffer} messages are waiting for it")

    async def _connected(self, socket: WebSocket, params: Mapping[str, str]) -> None:
        try:
            headers = await self._admitted(socket, params)
        except (Refusal, Unavailable) as error:
            await socket.send_denial_response(problem_of(error))
            return
        await socket.accept()
        peer = Peer(socket, headers)
        self.peers[peer.id] = peer
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(peer.write)
                await self._heard(peer)
                if not peer.code:
                    tasks.cancel_scope.cancel()
        finally:
            self.peers.pop(peer.id, None)

    async def _heard(self, peer: Peer) -> None:
        while (body := await peer.hear()) is not None:
            talk = next((user.talk for user in self._users if user.talk is not None), None)
            if talk is not None:
                await talk(peer, body)
            else:
                peer.end(POLICY)  # nobody listens here

    async def _admitted(self, socket: WebSocket, params: Mapping[str, str]) -> Mapping[str, Any]:
        users: Sequence[_User] = list(self._users)
        if not users or len(self.peers) >= min(user.most for user in users):
            raise Unavailable("too many are connected")
        self._check_origin(socket)
        headers: dict[str, Any] = {"ws.path": socket.scope["path"]}
        if socket.client is not None:
            headers["ws.client"] = socket.client.host
        if params:
            headers["ws.params"] = dict(params)
        for user in users:
            headers |= await user.admit(socket)
        return headers

    def _check_origin(self, socket: WebSocket) -> None:
        """A browser says of which page it comes: without this, any page could speak in the name of who looks at it."""
        origin = socket.headers.get("origin")
        if origin is None or "*" in self._app.origins or origin in self._app.origins:
            return
        if urlsplit(origin).netloc.lower() != socket.headers.get("host", "").lower():
            raise Refusal(403, "pages of this origin may not connect")


class _User:
    def __init__(self, admit: Admit, most: int, talk: Talk | None) -> None:
        self.admit, self.most, self.talk = admit, most, talk


@asynccontextmanager
async def open_hub(app: App, path: str) -> AsyncGenerator[Hub]:
    """The hub of a path, which all routes share."""
    yield Hub(app, path)
