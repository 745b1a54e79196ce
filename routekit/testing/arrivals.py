"""What a twin of a source gives to its route: what the test puts there, and what routes send there."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import anyio

from ..endpoint import Consumer, Deliver, Listener, Source
from ..errors import BodyError
from ..message import Delivery, Message
from ..step import Runtime
from ..tasks import together
from ..twin import Twin
from .matching import means
from .traffic import Arrival, Traffic

TURN = 0.001
"""Seconds that a call gets before the next one is made beside it: in virtual time, until it waits for something."""


class Arrivals:
    """The messages that come to a route from one endpoint.

    `instead` is a source that gives them in place of the `endpoint`: another, or itself where it stays real; None: only
    what the test puts there, and what routes send to its address.
    """

    def __init__(self, endpoint: Source, twin: Twin, traffic: Traffic, instead: Source | None) -> None:
        self.endpoint = endpoint
        self.instead = instead
        self._twin = twin
        self._traffic = traffic
        self._address = twin.reads(endpoint)

    def wants(self, came: Arrival) -> bool:
        """Whether a message that was put or sent somewhere is for this source."""
        if came.sent:
            return self.instead is None and came.to == self._address
        return means(came.to, self.endpoint)

    async def deliveries(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """What was put there first, then what the source in its place gives."""
        async with aclosing(self._posted(runtime, on=self.instead is None)) as posted:
            async for delivery in posted:
                yield delivery
        if isinstance(self.instead, Consumer):
            async with aclosing(self.instead.consume(runtime)) as given:
                async for delivery in given:
                    yield self._watched(delivery, runtime)

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """Make a call for each message, one after the other unless they have to wait."""
        async with together() as tasks:
            if isinstance(self.instead, Listener):
                tasks.start_soon(self.instead.listen, runtime, partial(self._called, runtime, deliver))
            beside = isinstance(self.instead, Listener)
            source = self._posted(runtime, on=True) if beside else self.deliveries(runtime)
            async with aclosing(source) as deliveries:
                async for delivery in deliveries:
                    done = anyio.Event()
                    tasks.start_soon(_call, deliver, delivery, done)
                    with anyio.move_on_after(TURN):
                        await done.wait()

    async def _posted(self, runtime: Runtime, *, on: bool) -> AsyncGenerator[Delivery[Any]]:
        """What waits at the post; `on`: and all that will."""
        taken: list[Arrival] = []
        try:
            while True:
                while (came := self._traffic.waiting(self.wants)) is not None:
                    came.state, came.route = "taken", runtime.route
                    came.deliveries += 1
                    taken.append(came)
                    yield self._delivery(came, self._read(came))
                if not on:
                    return
                with runtime.resting():
                    await self._traffic.change()
        finally:
            for came in taken:  # its source has gone: what was not told comes again
                if came.state == "taken":
                    came.state = "waiting"

    def _read(self, came: Arrival) -> Message[Any] | BodyError:
        try:
            return self._twin.read(self.endpoint, came.message)
        except BodyError as error:
            return error

    def _delivery(self, came: Arrival, read: Message[Any] | BodyError) -> Delivery[Any]:
        ack, nack = partial(self._ack, came), partial(self._nack, came)
        if isinstance(read, BodyError):
            return Delivery(came.message, ack, nack, read)
        return Delivery(read, ack, nack)

    async def _ack(self, came: Arrival, reply: Message[Any] | None) -> None:
        self._traffic.settled(came, reply, None)

    async def _nack(self, came: Arrival, error: Exception) -> None:
        self._traffic.settled(came, None, error)

    def _watched(self, delivery: Delivery[Any], runtime: Runtime) -> Delivery[Any]:
        """What another source gives, with a note of what becomes of it."""
        came = self._traffic.took(delivery.message, self.endpoint, runtime.route)

        async def ack(reply: Message[Any] | None) -> None:
            if delivery.ack is not None:
                await delivery.ack(reply)
            self._traffic.settled(came, reply, None)

        async def nack(error: Exception) -> None:
            if delivery.nack is not None:
                await delivery.nack(error)
            self._traffic.settled(came, None, error)

        return Delivery(delivery.message, ack, nack, delivery.error)

    async def _called(self, runtime: Runtime, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        came = self._traffic.took(message, self.endpoint, runtime.route)
        try:
            reply = await deliver(message)
        except Exception as error:
            self._traffic.settled(came, None, error)
            raise
        self._traffic.settled(came, reply, None)
        return reply


async def _call(deliver: Deliver, delivery: Delivery[Any], done: anyio.Event) -> None:
    """One call: what the route returns or raises is what its caller is told."""
    try:
        if delivery.error is not None:
            raise delivery.error  # noqa: TRY301 - it goes the way of every other failure
        reply = await deliver(delivery.message)
    except Exception as error:  # whatever the route raises is the caller's to know
        if delivery.nack is not None:
            await delivery.nack(error)
    else:
        if delivery.ack is not None:
            await delivery.ack(reply)
    finally:
        done.set()
