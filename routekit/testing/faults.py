"""A TCP proxy that stands between an endpoint and its server, and does wrong when it is told to.

    async with fault_proxy("127.0.0.1", 5672) as proxy:
        host, port = proxy.address
        proxy.stall()
        ...
        proxy.heal()

`proxy.address` is what the endpoint is told to connect to.
"""

import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteReceiveStream, SocketAttribute, SocketStream

from ..tasks import together

HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)
"""Closing with it sends a reset instead of an orderly end."""
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@dataclass(eq=False)
class _Connection:
    client: SocketStream
    half_closed: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class FaultProxy:
    """Passes bytes on between its clients and one server, until it is told to do something else.

    `cut` and `half_close` happen once, to the connections of that moment. `stall`, `delay`, `corrupt` and `refuse` last
    until `heal`.
    """

    def __init__(self, host: str, port: int) -> None:
        self.server = (host, port)
        self.address: tuple[str, int] = (HOST, 0)
        """Where it listens."""
        self.connected = 0
        """How many connections were made so far."""
        self._connections: set[_Connection] = set()
        self._flowing = anyio.Event()
        self._flowing.set()
        self._seconds = 0.0
        self._corrupting = False
        self._refusing = False

    def cut(self) -> None:
        """End every connection at once, with a reset to both sides."""
        for connection in self._connections:
            connection.scope.cancel()

    async def half_close(self) -> None:
        """Tell every client that nothing more will come; what it sends still gets through."""
        for connection in list(self._connections):
            connection.half_closed = True
            try:
                await connection.client.send_eof()
            except _BROKEN:
                connection.scope.cancel()

    def stall(self) -> None:
        """Let no byte through; connections stay open, as behind a firewall that has forgotten them."""
        if self._flowing.is_set():
            self._flowing = anyio.Event()

    def delay(self, seconds: float) -> None:
        """Let every piece of data take that long, in both directions."""
        self._seconds = seconds

    def corrupt(self) -> None:
        """Turn a bit over in every piece of data, in both directions."""
        self._corrupting = True

    def refuse(self) -> None:
        """End every connection, and each new one as soon as it is made, as if there were no server."""
        self._refusing = True
        self.cut()

    def heal(self) -> None:
        """Do no more wrong: what was held back goes on."""
        self._flowing.set()
        self._seconds, self._corrupting, self._refusing = 0.0, False, False

    async def serve(self, client: SocketStream) -> None:
        """One connection from its beginning to its end."""
        self.connected += 1
        connection = _Connection(client)
        self._connections.add(connection)
        try:
            with connection.scope:
                if self._refusing:
                    connection.scope.cancel()
                await self._connected(connection)
        finally:
            self._connections.discard(connection)
            _let_reset(client)
            await anyio.aclose_forcefully(client)

    async def _connected(self, connection: _Connection) -> None:
        client = connection.client
        try:
            server = await anyio.connect_tcp(*self.server)
        except OSError:
            return
        try:
            async with anyio.create_task_group() as pumps:
                pumps.start_soon(self._pump, client, server)
                pumps.start_soon(self._pump, server, client, connection)
            await server.aclose()
            await client.aclose()
        finally:
            _let_reset(server)
            await anyio.aclose_forcefully(server)

    async def _pump(self, source: ByteReceiveStream, target: SocketStream, back: _Connection | None = None) -> None:
        """Pass on what comes; `back` is the connection whose client it goes to, which may hear nothing any more."""
        try:
            async for data in source:
                await self._flowing.wait()
                if self._seconds:
                    await anyio.sleep(self._seconds)
                if back is None or not back.half_closed:
                    await target.send(_flipped(data) if self._corrupting else data)
            await self._flowing.wait()
            if back is None or not back.half_closed:
                await target.send_eof()
        except _BROKEN:
            await anyio.aclose_forcefully(target)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


def _let_reset(stream: SocketStream) -> None:
    with suppress(*_BROKEN):
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio's extra, not that of Django
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@asynccontextmanager
async def fault_proxy(host: str, port: int) -> AsyncGenerator[FaultProxy]:
    """A proxy for the server at that address, for as long as the block lasts."""
    proxy = FaultProxy(host, port)
    async with await anyio.create_tcp_listener(local_host=HOST) as listener, together() as tasks:
        proxy.address = (HOST, listener.extra(SocketAttribute.local_port))  # noqa: S610 - anyio's extra
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()
