"""A connection to a broker that is there whenever it is asked for, and the channels on it."""

from typing import Any, cast

import aio_pika
import anyio
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import Channel as Wire
from aiormq.exceptions import ChannelInvalidStateError

from routekit import Unavailable

from .faults import told
from .joint import Joint
from .linking import Link
from .settings import ConnectionSettings

CLOSING = 2.0
"""Seconds that a channel or connection gets to say goodbye."""


class Line:
    """Connects when the first channel is wanted, and again when one is wanted after the connection broke.

    It never reconnects by itself, and nothing on it is restored behind anybody's back: who had a channel sees it
    closed, and asks for a new one.
    """

    def __init__(self, settings: ConnectionSettings, purpose: str) -> None:
        self.settings = settings
        self.place = settings.place
        self._purpose = purpose
        self._connection: AbstractConnection | None = None
        self._connected = 0
        self._connecting = Joint(self._connect)

    async def channel(self, what: str, *, confirms: bool) -> AbstractChannel:
        """A new channel; raises Unavailable while the broker is away, DefinitionError if it does not let us in.

        `what` is said in errors. With `confirms` the broker confirms what is published, and returned messages raise.
        """
        with told(what, self.place):
            connection = await self._connecting.do()
            channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
            with anyio.fail_after(self.settings.timeout, shield=True):  # a channel that is half open would be nobody's
                await channel.initialize()
            return channel

    @property
    def version(self) -> str:
        """The version of the broker that it was last connected to."""
        transport = None if self._connection is None else self._connection.transport
        properties: Any = {} if transport is None else getattr(transport.connection, "server_properties", {})
        found = properties.get("version", "")
        return found.decode() if isinstance(found, bytes) else str(found)

    @property
    def reconnects(self) -> int:
        """How often it has connected again."""
        return max(0, self._connected - 1)

    async def blocked(self) -> bool:
        """Whether the broker takes nothing from us for now, since it is short of memory or disk."""
        transport = None if self._connection is None else self._connection.transport
        if transport is None or not transport.connection.is_opened:
            return False
        with anyio.move_on_after(0) as soon:
            await transport.ready()
        return soon.cancelled_caught

    async def close(self) -> None:
        """Say goodbye; what is not acknowledged goes back to its queue."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.move_on_after(CLOSING, shield=True):
                await connection.close()

    async def _connect(self) -> AbstractConnection:
        if self._connection is not None and _alive(self._connection):
            return self._connection
        await self.close()
        settings = self.settings
        with told("rabbitmq", self.place):
            self._connection = await aio_pika.connect(
                settings.address(self._purpose),
                ssl_context=settings.trust(),
                timeout=settings.timeout,
                connection_class=Link,
            )
            self._connected += 1
            return self._connection


def _alive(connection: AbstractConnection) -> bool:
    return connection.transport is not None and connection.transport.connection.is_opened


async def wire(channel: AbstractChannel) -> Wire:
    """The driver's own channel, for what happens to every message: the layer above takes twice as long."""
    try:
        return cast("Wire", await channel.get_underlay_channel())
    except ChannelInvalidStateError as error:
        raise Unavailable("the channel was closed") from error


async def goodbye(channel: AbstractChannel) -> None:
    """Close a channel, if it is still open, whatever happens around it."""
    with anyio.move_on_after(CLOSING, shield=True):
        try:
            await channel.close()
        except Exception:  # it is gone already, and nobody waits for it any more
            return
