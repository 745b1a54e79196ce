"""Reception: the intake of a durable route. A source is told as soon as its message is in the journal.

What an earlier run has left comes first; beside a listener it is worked off meanwhile. The slots bound both.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ..endpoint import Consumer, Deliver, Listener
from ..errors import BodyError, StoreError
from ..events import Logged
from ..message import Delivery, Message
from .intake import Intake
from .journaling import SWEEP, Arrived, Journaling, Left

CALLS = 64
"""Messages of a durable listener that are handled at once, if its policy does not say: its callers wait no longer."""


class Reception(Intake):
    """The taking of one durable route's messages, from start to stop."""

    def __init__(self, journaling: Journaling, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._journaling = journaling
        self._slots = self._policy.concurrency or 1
        self._turn = anyio.Lock() if self._slots == 1 else None
        self._recovered = False

    async def listen(self, listener: Listener) -> None:
        """Let a listener deliver, and work off what was left beside it."""
        self._slots = self._policy.concurrency or CALLS
        self._turn = anyio.Lock() if self._slots == 1 else None
        await super().listen(listener)

    def admit(self, slots: int) -> None:
        super().admit(slots)
        self._turn = None  # those that wait for their turn have one; the others are held by the slots

    @asynccontextmanager
    async def _winding_up(self) -> AsyncGenerator[None]:
        async with super()._winding_up():
            assert self._held is not None
            self.busy = self._listens
            self._held.start_soon(self._look_after)
            yield

    async def _deliveries(self, consumer: Consumer) -> AsyncGenerator[Delivery[Any]]:
        if not self._recovered:
            async with aclosing(self._journaling.left()) as left:
                async for one in left:
                    yield one
            while self._policy.order_by is not None and self._counts.in_flight > self._released:
                await self._change()  # what was left comes before what is new of the same key
            self._recovered = True
        async with aclosing(self._runtime.deliveries(consumer)) as deliveries:
            async for delivery in deliveries:
                yield delivery

    async def _look_after(self) -> None:
        """Take up what is left, at once beside a listener, and then every now and then."""
        if not self._listens:
            await _rest(self._journaling.news())
        while True:
            news = self._journaling.news()
            try:
                if self._listens or self._recovered:
                    await self._sweep()
                    await self._journaling.prune()
            except StoreError as error:
                text = f"the journal cannot be read for now: {error}"
                self._runtime.emit(Logged(self._runtime.route, "error", text))
            self.busy = False
            self.changed()
            await _rest(news)

    async def _sweep(self) -> None:
        async with aclosing(self._journaling.left()) as left:
            async for one in left:
                while not self._leaving and (self._paused or self._full):
                    await self._change()
                flight = self._flight
                if self._leaving or flight is None:
                    return
                self._counts.in_flight += 1
                self._waiting = False
                flight.start_soon(self._apart, self._journaling.go_on, one)

    @property
    def _flight(self) -> TaskGroup | None:
        """Where messages are handled for which nobody waits; none before the start and after the end."""
        return self._held

    @property
    def _full(self) -> bool:
        return self._counts.in_flight - self._released >= self._slots

    @property
    def _settling(self) -> Callable[[Delivery[Any]], Awaitable[None]]:
        return self._settle_kept

    async def _settle_kept(self, delivery: Delivery[Any]) -> None:
        if self._turn is None:
            await self._take(delivery)
        else:
            async with self._turn:
                await self._take(delivery)
        self._free()

    async def _take(self, delivery: Delivery[Any]) -> None:
        """Keep one delivery, tell its source, and handle it. What cannot be kept is handled as what has failed."""
        if isinstance(delivery, Left):
            return await self._journaling.go_on(delivery)
        error = delivery.error
        if error is None:
            try:
                arrived = await self._journaling.arrived(delivery.message)
            except BodyError as misfit:
                error = misfit
            except StoreError as away:
                self._broken = self._broken or away
                self.stop()
                return await self._tell(delivery.nack, away)
            else:
                await self._tell(delivery.ack, None)
                return None if arrived is None else await self._journaling.handle(arrived)
        try:
            reply = await self._processing.process(delivery.message, error)
        except Exception as refused:
            return await self._tell(delivery.nack, refused)
        return await self._tell(delivery.ack, reply)

    def delivering(self) -> Deliver:
        """The way in for calls, which return as soon as their message is in the journal, without a reply.

        One whose body does not fit is refused, unless the policy says what becomes of it.
        """
        checks = self._policy.dead_letter is None

        async def deliver(message: Message[Any]) -> Message[Any] | None:
            while not self._leaving and (self._paused or self._full):
                await self._change()
            flight = self._flight
            if flight is None or (self._leaving and not self._belongs()):
                return await self._too_late(message)
            self._counts.in_flight += 1
            self._waiting = False
            kept = False
            try:
                if checks:
                    self._processing.fitted(message.body)
                arrived = await self._journaling.arrived(message)
                if arrived is not None:
                    flight.start_soon(self._apart, self._journaling.handle, arrived)
                    kept = True
            finally:
                if not kept:
                    self._free()
                    self._called()
            return None

        return deliver

    async def _apart(self, handle: Callable[[Any], Awaitable[None]], what: Arrived | Left) -> None:
        """Handle one message for which nobody waits."""
        if self._turn is None:
            await handle(what)
        else:
            async with self._turn:
                await handle(what)
        self._free()
        self._called()


async def _rest(news: anyio.Event | None) -> None:
    """Until the next look at what is left is due, or another process has given something up."""
    if news is None:
        await anyio.sleep(SWEEP)
        return
    with anyio.move_on_after(SWEEP):
        await news.wait()
