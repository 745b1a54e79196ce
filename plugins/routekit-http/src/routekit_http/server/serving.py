"""One server for each address, which all routes share: uvicorn, as a guest in the engine's event loop."""

import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import anyio
from sniffio import current_async_library
from uvicorn import Config, Server

from routekit import DefinitionError, Runtime, Unavailable

from ..tls import server_context
from .app import App
from .protocol import protocol_with
from .settings import ServerSettings, server_settings

_BACKLOG = 2048

SHARED = "shared"
"""Asks for a port that several processes share."""


class _Guest(Server):
    """Leaves signals to its host, and tells when it takes connections."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ready = anyio.Event()
        self.ended = anyio.Event()

    async def run_to_its_end(self, bound: socket.socket) -> None:
        """Serve until `should_exit`; who cancels it would leave sockets open."""
        try:
            with anyio.CancelScope(shield=True):
                await self.serve([bound])
        finally:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            self.ready.set()
            self.ended.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def open_server(scheme: str, host: str, port: int, settings: ServerSettings, *shares: str) -> AsyncGenerator[App]:
    """A server at an address; port 0 is any free one. Raises Unavailable if the address cannot be had.

    With `SHARED` other processes of the same user may listen there, too: each connection goes to one of them.
    """
    where = f"{scheme}:{host}:{port}"
    context = certified(scheme, host, port, settings)
    bound = bound_to(host, port, where, shared=SHARED in shares)
    app = App(settings, _url(scheme, bound))
    config = Config(
        app.asgi,
        interface="asgi3",
        http=protocol_with(settings.max_head, settings.head_timeout),
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        log_level="warning",  # it would write the queries of those who connect, which may be secrets
        ws_max_size=settings.max_message,
        ws_ping_interval=settings.ping,
        ws_ping_timeout=None,  # a route that takes its time does not read what comes, not even the answers to pings
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        limit_concurrency=settings.connections,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=settings.grace,
        backlog=_BACKLOG,
    )
    config.load()
    config.ssl = context
    server = _Guest(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run_to_its_end, bound)
        await server.ready.wait()
        try:
            yield app
        finally:
            with anyio.CancelScope(shield=True):
                server.should_exit = True
                await server.ended.wait()


async def app_of(runtime: Runtime, scheme: str, host: str, port: int) -> App:
    """The application of an address, which all its routes share; raises as `open_server` does."""
    if current_async_library() != "asyncio":
        raise DefinitionError(f"{scheme}:{host}:{port} can be served on asyncio only", hint="run it there")
    settings = cast("Any", server_settings(runtime, host, port))  # hashable, since frozen
    shares = (SHARED,) if runtime.workers > 1 else ()
    return await runtime.shared(open_server, scheme, host, port, settings, *shares)


def certified(scheme: str, host: str, port: int, settings: ServerSettings) -> ssl.SSLContext | None:
    """The context of a server that speaks TLS, None of one that does not; raises DefinitionError."""
    if scheme != "https":
        return None
    where = f"{scheme}:{host}:{port}"
    if settings.cert is None:
        hint = f'write cert and key into [http_server."{host}:{port}"]'
        raise DefinitionError(f"{where} has no certificate", hint=hint)
    return server_context(settings.cert, settings.key, settings.key_password, settings.client_ca, where)


def bound_to(host: str, port: int, where: str, *, shared: bool = False) -> socket.socket:
    """A socket that listens there; raises Unavailable. `where` names it; `shared` lets others listen there, too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        kind, tcp = socket.SOCK_STREAM, socket.IPPROTO_TCP
        found = socket.getaddrinfo(host, port, family, kind, tcp, socket.AI_PASSIVE)
        bound = socket.socket(found[0][0], kind, tcp)  # told to be TCP, else nobody switches its delays off (Nagle)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind(found[0][4])
            bound.listen(_BACKLOG)
            bound.setblocking(False)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise Unavailable(
            f"cannot serve {where}: {error.strerror}", hint="is something else listening there?"
        ) from error
    return bound


def _url(scheme: str, bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
