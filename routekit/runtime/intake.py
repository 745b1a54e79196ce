"""Intake: takes messages from a source, one slot for each in flight, and tells the source what became of them.

Nothing but the intake acknowledges. A stop ends the taking at once and never touches a message in flight: who cancels
the task that awaits a handler and its acknowledgement loses acknowledgements.

Over 300 lines, since all that takes and tells counts the same slots.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from ..endpoint import Consumer, Deliver, Listener
from ..errors import Unavailable
from ..events import Counts
from ..message import Delivery, Message
from ..route import Policy
from ..step import Hold
from ..tasks import together
from .binding import RouteRuntime
from .flights import is_within
from .holding import Ledger, current, ledger
from .lanes import Lanes
from .processing import Processing
from .services import Activity

_BREATH = 256
"""After so many messages without a pause the other routes get a turn, even if nothing ever waits."""


class Intake:
    """The taking of one route's messages, from start to stop.

    `busy` says that it takes messages from elsewhere than its source.
    `following` gives the way in of the next start of the route: calls from inside that come too late wait for it.
    """

    def __init__(
        self,
        processing: Processing,
        policy: Policy,
        runtime: RouteRuntime,
        activity: Activity,
        *,
        following: Callable[[], Awaitable[Deliver]],
        holds: bool = False,
    ) -> None:
        self._processing = processing
        self._policy = policy
        self._runtime = runtime
        self._activity = activity
        self._counts = processing.counts
        self._slots = policy.concurrency
        self._following = following
        self.stopping = False
        self._paused = False
        self._leaving = False  # the taking ends soon: for a stop or for a pause
        self._turning = False  # one message at a time is taken no longer: for that, or as there are more slots now
        self._listens = False
        self._gated = False  # calls come from inside, and wait while it is paused
        self._internal = False
        self._waiting = False
        self._scope = anyio.CancelScope()
        self._broken: Exception | None = None
        self._freed = anyio.Event()
        self._released = 0  # of those in flight, the ones that the steps have brought: they take no slots
        self._holds = holds
        self._held: TaskGroup | None = None
        self._untold: deque[tuple[Delivery[Any], Message[Any] | None, Exception | None]] = deque()
        self.exhausted = False
        self.busy = False

    def stop(self) -> None:
        """Take no more messages; what is in flight goes on."""
        self.stopping = True
        self._leave()

    def pause(self) -> None:
        """Take no more messages until `resume`; what is in flight goes on, and so are the timers of the steps."""
        self._paused = True
        if not self._gated:
            self._leave()

    def resume(self) -> None:
        """Take messages again; the source is opened anew, once what came from it before is done."""
        self._paused = False
        self._leaving = self.stopping or self._scope.cancel_called
        self._turning = self._leaving or (self._slots or 1) > 1
        self._freed.set()

    def admit(self, slots: int) -> None:
        """Have at most so many messages in flight from now on; if there are more, none is taken until they are done.

        Where it was one, that one is finished first.
        """
        self._slots = slots
        self._turning = self._turning or slots > 1
        self._freed.set()

    def abandon(self) -> None:
        """It has ended, or was broken off: calls that are still at work count for nobody any more."""
        self._counts = Counts()
        self.stop()

    def _leave(self) -> None:
        self._leaving = self._turning = True
        self._freed.set()
        self._let_go()

    def _let_go(self) -> None:
        """Wait for no more messages; a pause waits for the calls whose message is held, which live inside that."""
        if self._waiting and (self.stopping or not (self._listens and self._counts.held)):
            self._scope.cancel()

    async def pull(self, consumer: Consumer) -> None:
        """Take messages from a consumer until it is exhausted or `stop` is called, and finish those in flight."""
        self._internal = consumer.internal
        async with self._winding_up():
            while await self._on():
                async with aclosing(self._deliveries(consumer)) as deliveries:
                    if (self._slots or 1) > 1 or await self._one_by_one(deliveries):
                        await self._concurrently(deliveries)
                if not self._left:
                    break
        if self._broken is not None:
            raise self._broken

    def _deliveries(self, consumer: Consumer) -> AsyncGenerator[Delivery[Any]]:
        return self._runtime.deliveries(consumer)

    async def listen(self, listener: Listener) -> None:
        """Let a listener deliver until it ends or `stop` is called; calls in flight are finished."""
        self._listens, self._gated = True, listener.internal
        async with self._winding_up():
            while await self._on():
                with self._scope:
                    self._waiting = True  # and never while a call is in flight, which may live inside this scope
                    if not self._leaving:
                        await listener.listen(self._runtime, self.delivering())
                if not self._left:
                    break

    async def _on(self) -> bool:
        """Wait while it is paused; whether messages may be taken then."""
        while self._paused and not (self._gated or self.stopping):
            await self._change()
        self._scope = anyio.CancelScope()
        self._waiting, self._leaving, self._turning = False, self.stopping, self.stopping
        return not self.stopping

    @property
    def _left(self) -> bool:
        """Whether the taking ended since it was told to, not since there is nothing more."""
        return self._leaving or self._scope.cancel_called

    async def release(self, message: Message[Any], processing: Processing, held: Sequence[Hold]) -> Message[Any] | None:
        """Run a message that the route itself brings; the holds end with it, and with what holds it further on."""
        self._counts.in_flight += 1
        self._released += 1
        try:
            with ledger() as holds:
                reply = await processing.process(message)
        except Exception as error:  # it goes back to those for whom it was held
            if not held:
                raise
            _end(held, error)
            return None
        else:
            holds.when_settled(partial(_end, held))
            return reply
        finally:
            self._released -= 1
            self._free()

    async def again(self, message: Message[Any], processing: Processing) -> None:
        """Handle a dead letter once more; raises what failed. It takes no slot; returns when nothing of it is held."""
        self._counts.in_flight += 1
        self._released += 1
        try:
            with ledger() as holds:
                reply = await processing.process(message)
        finally:
            self._released -= 1
            self._free()
        await self._when_settled(holds, reply)

    def changed(self) -> None:
        """Something that is waited for has happened."""
        self._freed.set()
        self._activity.idle()

    @asynccontextmanager
    async def _winding_up(self) -> AsyncGenerator[None]:
        """Around the taking: afterwards waits for what is in flight and for timers, and lets the steps close.

        What is held then is left: its source brings it again.
        """
        async with together() as tasks:
            self._held = tasks
            try:
                yield
                self.exhausted = True
                self.changed()
                while self._counts.in_flight or (self._runtime.alarmed and not self.stopping and self._broken is None):
                    await self._change()
                await self._runtime.close()
                while self._counts.in_flight:
                    await self._change()
            finally:
                self._held = None
            tasks.cancel_scope.cancel()

    async def _one_by_one(self, deliveries: AsyncGenerator[Delivery[Any]]) -> bool:
        """Whether the others are to be taken concurrently, since there are more slots now."""
        late = await self._until_stopped(deliveries)
        if late is not None:
            self._counts.in_flight += 1
            await self._settling(late)
        if self._left or not self._turning:
            return False
        self._scope = anyio.CancelScope()
        return True

    async def _until_stopped(self, deliveries: AsyncGenerator[Delivery[Any]]) -> Delivery[Any] | None:
        """Gives back a delivery that came with the stop: inside the cancelled scope it could not be finished."""
        taken = 0
        counted = not self._internal and self._activity.left is not None
        settle = self._settling
        with self._scope:
            self._waiting = self._more()
            if not self._waiting:
                return None
            async for delivery in deliveries:
                self._waiting = False
                if counted:
                    self._activity.arrived()
                if self._leaving:
                    return delivery
                self._counts.in_flight += 1
                await settle(delivery)
                taken += 1
                if taken % _BREATH == 0:
                    await anyio.lowlevel.checkpoint()
                if self._turning or (counted and not self._activity.more):
                    break
                self._waiting = True
        return None

    async def _concurrently(self, deliveries: AsyncGenerator[Delivery[Any]]) -> None:
        taken = 0
        lanes = Lanes(self._policy.order_by, self._processing.fitted)
        async with anyio.create_task_group() as flight:
            with self._scope:
                while await self._slot() and (delivery := await self._next(deliveries)) is not None:
                    if not self._internal:
                        self._activity.arrived()
                    self._counts.in_flight += 1
                    lanes.start(delivery, flight, self._settling)
                    taken += 1
                    if taken % _BREATH == 0:
                        await anyio.lowlevel.checkpoint()

    def _more(self) -> bool:
        return not self._leaving and (self._internal or self._activity.more)

    async def _next(self, deliveries: AsyncGenerator[Delivery[Any]]) -> Delivery[Any] | None:
        if not self._more():
            return None
        self._waiting = True
        try:
            return await anext(deliveries, None)
        except Exception as error:  # the source broke: what is in flight goes on, then the route starts again
            self._broken = self._broken or error
            return None
        finally:
            self._waiting = False

    async def _slot(self) -> bool:
        self._waiting = True
        while self._counts.in_flight - self._released >= (self._slots or 1):
            await self._change()
        self._waiting = False
        return True

    async def _settle(self, delivery: Delivery[Any]) -> None:
        """Process one delivery and tell its source; if it cannot be told, the intake ends and those in flight go on.

        One that is cancelled stays counted as in flight: it is unfinished.
        """
        try:
            try:
                reply = await self._processing.process(delivery.message, delivery.error)
            except Exception as error:
                if delivery.nack is not None:
                    await delivery.nack(error)
            else:
                if delivery.ack is not None:
                    await delivery.ack(reply)
        except Exception as error:  # the source cannot be told: it will redeliver once the route is up again
            self._broken = self._broken or error
            self.stop()
        self._free()

    @property
    def _settling(self) -> Callable[[Delivery[Any]], Awaitable[None]]:
        return self._settle_holding if self._holds else self._settle

    async def _settle_holding(self, delivery: Delivery[Any]) -> None:
        """As `_settle`, where steps may hold the message: then it gives up its slot, and its source is told later."""
        try:
            with ledger() as holds:
                reply = await self._processing.process(delivery.message, delivery.error)
        except Exception as error:
            await self._tell(delivery.nack, error)
        else:
            if holds.used:
                self._counts.held += 1
                holds.when_settled(partial(self._settled, delivery, reply))
            else:
                await self._tell(delivery.ack, reply)
        self._free()

    def _settled(self, delivery: Delivery[Any], reply: Message[Any] | None, error: Exception | None) -> None:
        """All for which a message was held is done: it is in flight again until its source is told.

        The messages of a group settle at one moment, so one task tells of all of them.
        """
        if self._held is None:
            return
        self._counts.held -= 1
        self._counts.in_flight += 1
        self._untold.append((delivery, reply, error))
        if len(self._untold) == 1:
            self._held.start_soon(self._settle_held)

    async def _settle_held(self) -> None:
        while self._untold:
            delivery, reply, error = self._untold[0]
            await (self._tell(delivery.ack, reply) if error is None else self._tell(delivery.nack, error))
            self._untold.popleft()
            self._free()

    async def _tell(self, told: Callable[[Any], Awaitable[None]] | None, outcome: Any) -> None:
        try:
            if told is not None:
                await told(outcome)
        except Exception as error:  # as in `_settle`
            self._broken = self._broken or error
            self.stop()

    async def _change(self) -> None:
        """Wait until a slot is free; many may wait, so that they share one event."""
        if self._freed.is_set():
            self._freed = anyio.Event()
        await self._freed.wait()

    def _free(self) -> None:
        self._counts.in_flight -= 1
        self._activity.count += 1
        self._freed.set()
        if self._runtime.is_resting:
            self._activity.idle()

    def _called(self) -> None:
        """A call has ended; only when none is in flight may the listener be cancelled, with all its tasks."""
        if self._counts.in_flight == self._released:
            self._waiting = True
            if self._leaving:
                self._let_go()

    def delivering(self) -> Deliver:
        """The way in for calls."""
        process = self._processing.process
        counts = self._counts

        async def deliver(message: Message[Any]) -> Message[Any] | None:
            while not self._leaving and (
                self._paused or (self._slots is not None and counts.in_flight - self._released >= self._slots)
            ):
                await self._change()
            if self._leaving and not self._belongs():
                return await self._too_late(message)
            counts.in_flight += 1
            self._waiting = False
            try:
                if not self._holds or current() is not None:  # a caller inside holds it, if anybody does
                    return await process(message)
                with ledger() as holds:
                    reply = await process(message)
            finally:
                self._free()
                self._called()
            return await self._when_settled(holds, reply)

        return deliver

    def _belongs(self) -> bool:
        """Whether a call that comes while it ends is made for a message at work here, which would wait for itself."""
        return self._gated and is_within(self._counts)

    async def _too_late(self, message: Message[Any]) -> Message[Any] | None:
        """A call from inside waits until the route runs again, within its deadline; one from outside is refused."""
        if self._gated:
            return await (await self._following())(message)
        state = "stopping" if self.stopping else "paused"
        raise Unavailable(f"route {self._runtime.route} is {state}", hint="the message was not taken")

    async def _when_settled(self, holds: Ledger, reply: Message[Any] | None) -> Message[Any] | None:
        """The reply to a caller from outside, once nothing of its message is held any more."""
        settled, errors = anyio.Event(), list[Exception | None]()
        holds.when_settled(lambda error: errors.append(error) or settled.set())
        self._counts.held += 1
        try:
            await settled.wait()
        finally:
            self._counts.held -= 1
            self.changed()
            if self._leaving:
                self._let_go()
        if errors[0] is not None:
            raise errors[0]
        return reply


def _end(held: Sequence[Hold], error: Exception | None) -> None:
    for hold in held:
        if error is None:
            hold.done()
        else:
            hold.failed(error)
