"""Publishing: many messages on their way at once, each of which the broker confirms or refuses."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

import anyio
from aio_pika.abc import AbstractChannel
from aiormq import Channel as Wire

from .confirming import Apart, Publication, Suspected, unavailable
from .faults import Refused, told
from .joint import Joint
from .line import Line, goodbye, wire

Prepare = Callable[[AbstractChannel], Awaitable[None]]
"""Declares what has to be there, on a channel that was just opened."""

YOUNG = 3.0
"""Seconds after a channel was prepared in which a refused message is sent again: a quorum queue that was just
declared refuses messages until it has chosen its leader."""


@dataclass(eq=False)
class _Sending:
    """A message on its way; `free` is there if another one of the same id waits for its turn."""

    since: float
    free: anyio.Event | None = None


class Publisher:
    """A channel that confirms, opened again when a message needs it after it broke.

    Returning means that the broker has the message, on disk if it is persistent and the queue durable, in every queue
    that it was routed to. If the channel breaks while a message is on its way, nobody knows whether it arrived: that
    is Unavailable, and a retry may make a second one of it.
    """

    def __init__(self, line: Line, what: str, prepare: Prepare, patience: float, *, tied: bool = False) -> None:
        """`what` is said in errors; `patience` is how many seconds a confirmation may take, 0 for any time.

        `tied`: messages have to go over the channel that was prepared, and over no other one.
        """
        self._line = line
        self._what = what
        self._prepare = prepare
        self._patience = patience
        self._channel: AbstractChannel | None = None
        self._wire: Wire | None = None
        self._tied = tied
        self._apart = Apart(line, what)
        self._opening = Joint(self._open)
        self._sending: dict[str, _Sending] = {}
        self._numbers = count(1)
        self._opened = 0
        self._young = 0.0
        self._blocked = False

    async def ready(self) -> Wire:
        """The channel, opened if need be; raises what prevents it."""
        wire = self._wire
        return wire if wire is not None and not wire.is_closed else await self._opening.do()

    async def publish(self, publication: Publication) -> None:
        """Publish, and return once it is confirmed; raises Unavailable, or Rejected for what can never be sent."""
        known_as = publication.properties.message_id or f"nameless {next(self._numbers)}"
        while known_as in self._sending:  # the broker names a message that it returns by nothing but its id
            before = self._sending[known_as]
            before.free = before.free or anyio.Event()
            await before.free.wait()
        sending = self._sending[known_as] = _Sending(anyio.current_time())
        try:
            await self._confirmed(publication)
        except Suspected as error:
            if self._tied:
                raise unavailable(self._what, error) from error
            await self._apart.publish(publication)
        finally:
            del self._sending[known_as]
            if sending.free is not None:
                sending.free.set()

    def figures(self) -> dict[str, Callable[[], float]]:
        """What it counts: messages on their way, whether the broker takes none, channels opened, connections again."""
        return {
            "unconfirmed": lambda: len(self._sending),
            "blocked": lambda: float(self._blocked),
            "channels_total": lambda: self._opened,
            "reconnects_total": lambda: self._line.reconnects,
        }

    async def watch(self, tell: Callable[[str], None]) -> None:
        """For as long as it is used: give up a channel whose confirmations do not come.

        While the broker blocks publishers, waiting is right; `tell` is told when that begins and when it ends.
        """
        while True:
            await anyio.sleep(min(1.0, self._patience / 4 or 1.0))
            blocked, before = await self._line.blocked(), self._blocked
            self._blocked = blocked
            if blocked is not before:
                state = (
                    "takes nothing for now, since it is short of memory or disk" if blocked else "takes messages again"
                )
                tell(f"{self._what}: {self._line.place} {state}")
            if blocked:
                for sending in self._sending.values():
                    sending.since = anyio.current_time()
            elif self._patience and self._waited() > self._patience and self._channel is not None:
                await goodbye(self._channel)  # whoever waits on it hears that it is unavailable

    async def close(self) -> None:
        """Close the channel."""
        channel, self._channel, self._wire = self._channel, None, None
        if channel is not None:
            await goodbye(channel)

    async def _confirmed(self, publication: Publication) -> None:
        """Publish over the channel, and again while what refuses the message may be too young to take it."""
        while True:
            wire = await self.ready()
            try:
                return await publication.confirmed(wire, self._what, self._line.place)
            except Refused:
                if anyio.current_time() > self._young:
                    raise
            await anyio.sleep(0.05)

    def _waited(self) -> float:
        """Seconds that the oldest message has been on its way."""
        first = next(iter(self._sending.values()), None)
        return 0.0 if first is None else anyio.current_time() - first.since

    async def _open(self) -> Wire:
        if self._wire is not None and not self._wire.is_closed:
            return self._wire
        await self.close()
        channel = await self._line.channel(self._what, confirms=True)
        try:
            with told(self._what, self._line.place), anyio.fail_after(self._line.settings.timeout):
                await self._prepare(channel)
            self._channel, self._wire = channel, await wire(channel)
            self._opened += 1
            self._young = anyio.current_time() + YOUNG
            return self._wire
        finally:
            if self._channel is not channel:
                await goodbye(channel)
