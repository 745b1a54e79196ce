"""The link to a broker: the driver's connection, with a writer of ours that saves most calls of the system."""

from collections.abc import Callable
from typing import Any, cast

import aiormq
import anyio
from aio_pika import Connection
from aio_pika.abc import UnderlayConnection
from aiormq.connection import TCPTransportFactory, TLSTransportFactory


class Gathering:
    """A stream's writer that writes together what is written in one turn of the event loop."""

    def __init__(self, writer: Any, soon: Callable[[Callable[[], None]], object]) -> None:
        self._writer = writer
        self._soon = soon
        self._gathered: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, data: bytes) -> None:
        """Write it in this turn, with what else is written in it."""
        if not self._gathered:
            self._soon(self._flush)
        self._gathered.append(data)

    async def drain(self) -> None:
        """Write it now, and wait until the other side has taken most of it."""
        self._flush()
        await self._writer.drain()

    def write_eof(self) -> None:
        """Write it now, and nothing more."""
        self._flush()
        self._writer.write_eof()

    def close(self) -> None:
        """Write it now, and hang up."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._writer.write(b"".join(gathered))


class _Transport(aiormq.TransportFactory):
    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon

    async def create(self, url: Any, **kwargs: Any) -> tuple[Any, Any]:
        made = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await made.create(url, **kwargs)
        return reader, Gathering(writer, self._soon)


class _Wired(aiormq.Connection):
    """Takes every frame at once: who waits for room in a queue when its reader ends would never be told.

    What is on its way is bounded by the messages that routes have in flight.
    """

    FRAME_BUFFER_SIZE = 0


class _Underlay(UnderlayConnection):
    @classmethod
    async def make_connection(cls, url: Any, timeout: Any = None, **kwargs: Any) -> aiormq.abc.AbstractConnection:
        made: Any = _Wired(url, **kwargs)
        with anyio.fail_after(timeout):
            await made.connect()
            await made.ready()
        return made


class Link(Connection):
    """The driver's connection, never restored by itself."""

    async def connect(self, timeout: Any = None) -> None:
        """Connect; raises what the driver raises, TimeoutError after `timeout` seconds."""
        driver = cast("Any", self)  # its types are not all known
        transport = _Transport(self.loop.call_soon)
        self.transport = await _Underlay.connect(
            self.url, driver._on_connection_close, timeout=timeout, transport_factory=transport, **self.kwargs
        )
        await self._on_connected()
