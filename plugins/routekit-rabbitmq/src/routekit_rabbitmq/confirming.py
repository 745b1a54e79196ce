"""One message, published and confirmed."""

from dataclasses import dataclass

import anyio
from aiormq import Channel as Wire
from aiormq import spec
from aiormq.exceptions import ChannelPreconditionFailed

from routekit import Rejected, Unavailable

from .faults import asked
from .line import Line, goodbye, wire


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published, and where to."""

    exchange: str
    key: str
    body: bytes
    properties: spec.Basic.Properties
    mandatory: bool

    async def confirmed(self, wire: Wire, what: str, place: str) -> None:
        """Publish, and return when the broker has confirmed; raises Suspected if it closed the channel instead."""
        try:
            publishing = wire.basic_publish(
                self.body,
                exchange=self.exchange,
                routing_key=self.key,
                properties=self.properties,
                mandatory=self.mandatory,
                wait=False,  # what is on its way is bounded, and confirmed: no need to wait for the socket too
            )
            await asked(publishing, what, place)
        except Exception as error:
            if isinstance(error.__cause__, ChannelPreconditionFailed):
                raise Suspected(str(error.__cause__)) from error
            raise


class Suspected(Exception):
    """The broker has closed the channel for one of the messages on it, such as one that is too large."""


class Apart:
    """Publishes suspected messages one by one, each on a channel of its own, so that none fails for another."""

    def __init__(self, line: Line, what: str) -> None:
        self._line = line
        self._what = what
        self._turn = anyio.Lock()

    async def publish(self, publication: Publication) -> None:
        """Publish a message; raises Rejected if the broker does not take it twice, and what publishing raises.

        Twice, as a channel gets the number of the one before, whose end the broker may still be telling of.
        """
        async with self._turn:
            try:
                await self._alone(publication)
            except Suspected:
                try:
                    await self._alone(publication)
                except Suspected as error:
                    raise Rejected(f"{self._what}: the broker does not take such a message: {error}") from error

    async def _alone(self, publication: Publication) -> None:
        channel = await self._line.channel(self._what, confirms=True)
        try:
            await publication.confirmed(await wire(channel), self._what, self._line.place)
        finally:
            await goodbye(channel)


def unavailable(what: str, error: Suspected) -> Unavailable:
    """The error for a message that cannot be published apart from others."""
    return Unavailable(f"{what}: the channel was closed for one of several messages: {error}")
