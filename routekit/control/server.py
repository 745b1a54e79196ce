"""The control server: uvicorn as a guest in the daemon's event loop. Whatever happens to it, the routes go on."""

import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..tasks import together
from .flood import App

_log = logging.getLogger("routekit.control")

HEAD = 64 << 10
"""Bytes of the head of a request at most."""

HEAD_TIME = 10.0
"""Seconds in which the head of a request, or the first one of a connection, has to come."""

GRACE = 2
"""Seconds that requests get to end in, when the daemon stops."""


@asynccontextmanager
async def served(app: App, bound: socket.socket, connections: int) -> AsyncGenerator[None]:
    """The application is served while the block lasts; connections that are open then are closed."""
    config = Config(
        app,
        interface="asgi3",
        http=_Bounded,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",  # it would write the queries of those who connect
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=HEAD,
    )
    server = _Guest(config)
    async with together() as tasks:
        tasks.start_soon(server.run_to_its_end, bound)
        await server.ready.wait()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                server.over.set()
                await server.ended.wait()


class _Guest(Server):
    """Leaves signals to its host, tells when it takes connections, and waits without looking ten times a second."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ready = anyio.Event()
        self.over = anyio.Event()
        self.ended = anyio.Event()

    async def run_to_its_end(self, bound: socket.socket) -> None:
        """Serve until `over`; who cancels it would leave sockets open. Raises nothing."""
        try:
            with anyio.CancelScope(shield=True):
                await self.serve([bound])
        except (Exception, SystemExit):  # of whatever kind: the routes must not end with it
            _log.exception("the control server has failed; the routes go on without it")
        finally:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            bound.close()
            self.ready.set()
            self.ended.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.over.wait()


class _Bounded(H11Protocol):
    """Closes connections that do not come to the point."""

    _timer: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_TIME, self._late)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._begun and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    @property
    def _begun(self) -> bool:
        """Whether a whole head has come."""
        return bool(self.cycle)

    def _late(self) -> None:
        if not (self._begun or self.transport.is_closing()):
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
