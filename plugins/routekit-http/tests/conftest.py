"""A server that says what a test wants, and a runtime that opens what routes share. Sockets are real."""

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import time
from typing import Any

import anyio
import h11
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

from routekit import Flow, Logged, Message, Meta, Target
from routekit.testing import Catalog, Run, running, setup_for


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops, by the real clock."""
    return request.param


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Says:
    """One answer; `chunks` are sent in turn, and an exception among them breaks the connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    chunks: Any = None


@dataclass
class Peer:
    """An HTTP server; `answer` is what it says, or a function of the request, plain or async."""

    answer: Any = field(default_factory=Says)
    asked: list[Asked] = field(default_factory=list[Asked])
    port: int = 0
    connections: int = 0
    busy: int = 0
    most: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def serve(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            connection = h11.Connection(h11.SERVER)
            try:
                while await self._turn(connection, stream):
                    connection.start_next_cycle()
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, h11.ProtocolError):
                return

    async def _turn(self, connection: h11.Connection, stream: SocketStream) -> bool:
        request, body = None, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        if request is None:
            return False
        headers = {name.decode(): value.decode() for name, value in request.headers}
        asked = Asked(request.method.decode(), request.target.decode(), headers, bytes(body))
        self.asked.append(asked)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            says = self.answer(asked) if callable(self.answer) else self.answer
            says = await says if isinstance(says, Awaitable) else says
        finally:
            self.busy -= 1
        if says is None:  # it breaks the connection
            return False
        return await self._say(connection, stream, asked, says)

    async def _say(self, connection: h11.Connection, stream: SocketStream, asked: Asked, says: Says) -> bool:
        head = dict(says.headers)
        if says.chunks is None:
            head.setdefault("content-length", str(len(says.body)))
        await stream.send(connection.send(h11.Response(status_code=says.status, headers=list(head.items()))) or b"")
        for chunk in says.chunks if says.chunks is not None else [says.body]:
            if chunk is None:
                return False
            if callable(chunk):  # what is waited for in between
                await chunk()
                continue
            if asked.method != "HEAD" and says.status not in (204, 304):
                await stream.send(connection.send(h11.Data(data=chunk)) or b"")
        await stream.send(connection.send(h11.EndOfMessage()) or b"")
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


@asynccontextmanager
async def serving(answer: Any = None, tls: Any = None, port: int = 0) -> AsyncGenerator[Peer]:
    peer = Peer(Says() if answer is None else answer)
    listener: Any = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    peer.port = listener.extra(SocketAttribute.local_port)
    if tls is not None:
        listener = TLSListener(listener, tls, standard_compatible=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, peer.serve)
        yield peer
        tasks.cancel_scope.cancel()


@pytest.fixture
def says() -> type[Says]:
    return Says


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Peer]]:
    """For tests with several servers, or with TLS."""
    return serving


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    """A server that answers 200 with nothing, until a test says what else."""
    async with serving() as made:
        yield made


class Host:
    """A runtime that opens what routes share, and nothing else. `tables` are its settings."""

    def __init__(self, **tables: Any) -> None:
        self.tables = {tuple(name.split("__")): table for name, table in tables.items()}
        self.route = "test"
        self.random = Random(1)
        self.data = Path()
        self.stack = AsyncExitStack()
        self.open: dict[Any, Any] = {}
        self.catalog = Catalog()
        self.store: Any = None
        self.now: Callable[[], float] = time

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return self.tables.get((table, name))

    def codec(self, choice: Any) -> Any:
        return self.catalog.codec(choice)

    def metered(self, endpoint: Any, figures: Any) -> Any:
        return nullcontext()

    async def shared(self, factory: Callable[..., AbstractAsyncContextManager[Any]], *args: Any) -> Any:
        key = (factory, args)
        if key not in self.open:
            self.open[key] = await self.stack.enter_async_context(factory(*args))
        return self.open[key]

    async def sink(self, uri: str, **options: Any) -> Callable[..., Awaitable[Any]]:
        """A function that sends a body, by a sink that is open."""
        codec = options.pop("codec", None)
        producer = self.catalog.sink(Target(uri, options, codec)).producer
        send = await self.stack.enter_async_context(producer.open(self))  # type: ignore[arg-type]

        async def sending(
            body: Any = None, /, *, id: str = "m-1", headers: Any = None, trace: Any = None, **options: Any
        ) -> Any:
            if "computed" in options:  # headers of the request, where `headers` are those of the message
                options["headers"] = options.pop("computed")
            return await send(Message(body, headers or {}, id, Meta(trace=trace)), **options)

        return sending


@pytest.fixture
def host_of() -> type[Host]:
    return Host


@pytest.fixture
async def host(tmp_path: Path) -> AsyncGenerator[Host]:
    """A runtime with a durable store, and no settings yet."""
    made = Host()
    async with made.stack, made.catalog.open_store(f"sqlite:{tmp_path}/state.db", lambda: made.now()) as made.store:
        yield made


@pytest.fixture
def setup_with(tmp_path: Path) -> Callable[..., Any]:
    """A setup for whole routes, with settings: `setup_with(http__crm={...})`."""

    def made(**tables: Any) -> Any:
        found = {tuple(name.split("__")): table for name, table in tables.items()}
        return setup_for(
            Run(),
            settings=lambda table, name: found.get((table, name)),
            store=f"sqlite:{tmp_path}/state.db",
            data=tmp_path,
        )

    return made


async def chunks_of(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture
def streamed() -> Callable[..., AsyncIterator[bytes]]:
    return chunks_of


@pytest.fixture
def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """Routes that run, and a client for them."""

    def __init__(self, service: Any, run: Run, client: httpx.AsyncClient, port: int) -> None:
        self.service, self.run, self.client, self.port = service, run, client, port

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.client.request(method, path, **options)


@asynccontextmanager
async def served(*flows: Flow[Any], port: int, tables: Any = None, **changes: Any) -> AsyncGenerator[Site]:
    run = Run()
    found = tables or {}
    setup = setup_for(run, settings=lambda table, name: found.get((table, name)), **changes)
    async with running(*flows, setup=setup) as service:
        while len([event for event in run.of(Logged) if event.text.startswith("serving")]) < len(flows):
            await anyio.sleep(0.001)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False) as client:
            yield Site(service, run, client, port)


@pytest.fixture
def serve_routes(free_port: int) -> Callable[..., Any]:
    def serving(*flows: Any, **options: Any) -> Any:
        return served(*flows, port=free_port, **options)

    return serving


@pytest.fixture
def at(free_port: int) -> Callable[..., str]:
    def uri(path: str, options: str = "") -> str:
        return f"http:127.0.0.1:{free_port}{path}{'?' if options else ''}{options}"

    return uri
