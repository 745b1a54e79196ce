"""What twins of sources do: they bring what waits at their source, and tell it what became of each message."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

import anyio

from ..endpoint import Consumer, Deliver, Listener, Source
from ..errors import BodyError, Unavailable
from ..message import Delivery, Message
from ..step import Runtime
from ..tasks import together
from .outside import DYING, Again, Arrival, Copy, Life

_TAKING = (*DYING, "late", "again", "cut before")
_TELLING = (*DYING, "cut before", "cut after", "again")
_CALLERS = 4
"""Calls that are made at the same time."""


@dataclass(frozen=True)
class Reader:
    """A source that other routes may feed."""

    endpoint: Source
    name: str
    reads: str

    @property
    def again(self) -> Again:
        """How a message comes again: callers call again, and know nothing of ids."""
        return again(self.endpoint)


def again(source: Source) -> Again:
    """How a source brings a message once more."""
    if source.promises().replayable or source.scheme in ("feed", "inlet"):
        return "same id"
    return "other id" if isinstance(source, Listener) else "never"


class Inbox:
    """A source outside the process, as one process sees it."""

    def __init__(
        self, endpoint: Source, name: str, life: Life, *, read: Callable[[Message[Any]], Message[Any]]
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._life = life
        self._read = read

    async def deliveries(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """What waits, in order; what is not told of when the source is closed waits again."""
        outside, session = self._life.outside, object()
        try:
            while True:
                copy = self._next()
                if copy is None:
                    with runtime.resting():
                        await outside.change(self._wait())
                elif await self._take(copy, session):
                    copy.arrival.route = runtime.route
                    yield self._delivery(copy)
        finally:
            self._left(session)

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """Make a call for each message; what is raised is told to the caller, who calls again."""
        outside, slots = self._life.outside, anyio.Semaphore(_CALLERS)
        try:
            async with together() as tasks:
                while True:
                    copy = self._next()
                    if copy is None:
                        with runtime.resting():
                            await outside.change(self._wait())
                        continue
                    await slots.acquire()
                    if copy.state == "waiting" and await self._take(copy, self):
                        copy.arrival.route = runtime.route
                        tasks.start_soon(self._call, deliver, copy, slots)
                    else:
                        slots.release()
        finally:
            self._left(self)

    async def _call(self, deliver: Deliver, copy: Copy, slots: anyio.Semaphore) -> None:
        delivery = self._delivery(copy)
        ack, nack = partial(self._ack, copy), partial(self._nack, copy)
        try:
            if delivery.error is not None:
                raise delivery.error  # noqa: TRY301 - it goes the way of every other failure
            reply = await deliver(delivery.message)
        except Exception as error:  # whatever the route raises is the caller's to know
            await self._answer(copy, partial(nack, error))
        else:
            await self._answer(copy, partial(ack, reply))
        finally:
            slots.release()

    async def _answer(self, copy: Copy, answer: Callable[[], Awaitable[None]]) -> None:
        """What the caller hears; one that hears nothing calls again."""
        try:
            await answer()
        except Unavailable:
            if not copy.over:
                copy.state = "gone"
                self._life.outside.once_more(copy.arrival, self._life.outside.time + 1.0)

    def _copies(self) -> list[Copy]:
        arrivals = self._life.outside.arrivals.values()
        return [
            copy for each in arrivals if each.source == self._name for copy in each.copies if copy.state == "waiting"
        ]

    def _next(self) -> Copy | None:
        """What is due and came first."""
        now = self._life.outside.time
        return next((copy for copy in sorted(self._copies(), key=_place) if copy.due <= now), None)

    def _wait(self) -> float | None:
        due = [copy.due for copy in self._copies()]
        return max(0.0, min(due) - self._life.outside.time) if due else None

    async def _take(self, copy: Copy, session: object) -> bool:
        """Whether the message is the process's now; it may come late."""
        outside, at = self._life.outside, f"take {self._name} {copy.id}"

        def act() -> bool:
            if copy.state != "waiting":
                return False
            fault = outside.struck[-1] if outside.struck else None
            if (
                fault is not None
                and fault.kind == "late"
                and fault.at == at
                and not copy.arrival.turn
                and copy.arrival not in outside.late
            ):
                outside.late.append(copy.arrival)
                copy.due = outside.time + fault.amount
                return False
            outside.taken(copy, session)
            outside.tell(f"{copy.id} comes from {self._name}", copy.id)
            return True

        may = _TAKING if copy.arrival.again != "never" else (*DYING, "late")
        return await self._life.operation(at, act, may=may, of=copy.id)

    def _delivery(self, copy: Copy) -> Delivery[Any]:
        message = copy.arrival.message
        if copy.id != message.id:
            message = Message(message.body, message.headers, copy.id)
        ack, nack = partial(self._ack, copy), partial(self._nack, copy)
        try:
            return Delivery(self._read(message), ack, nack)
        except BodyError as error:
            return Delivery(message, ack, nack, error)

    async def _ack(self, copy: Copy, reply: Message[Any] | None) -> None:
        def act() -> None:
            self._life.outside.tell(f"{copy.id} is acknowledged to {self._name}", copy.id)
            if copy.arrival.again == "other id":
                self._life.outside.replied(copy, reply)
            self._life.outside.acknowledged(copy)

        may = _TELLING if copy.arrival.again != "never" else DYING
        await self._life.operation(f"ack {self._name} {copy.id}", act, may=may, of=copy.id)

    async def _nack(self, copy: Copy, error: Exception) -> None:
        def act() -> None:
            self._life.outside.tell(f"{copy.id} is refused: {error}", copy.id)
            self._life.outside.refused(copy, keeps=isinstance(self._endpoint, Consumer) and self._endpoint.takes_back())

        may = _TELLING[:-1] if copy.arrival.again != "never" else DYING
        await self._life.operation(f"nack {self._name} {copy.id}", act, may=may, of=copy.id)

    def _left(self, session: object) -> None:
        """The source was closed in a process that lives on."""
        outside = self._life.outside
        if self._life.dead:
            return
        for copy in [copy for each in outside.arrivals.values() for copy in each.copies if copy.session is session]:
            if copy.state == "taken" and copy.arrival.again == "same id":
                copy.state = "waiting"
            elif copy.state == "taken":
                copy.state = "gone"
                if copy.arrival.again == "other id":  # the caller sees that the connection has ended
                    outside.once_more(copy.arrival, outside.time + 1.0)


def _place(copy: Copy) -> tuple[float, float]:
    """What was taken before comes first, in the order in which it was."""
    return copy.arrival.turn or inf, copy.arrival.due


class Clockwork:
    """A source that makes its messages itself, watched: `ticks` of them in a run at most, then it is silent."""

    def __init__(self, endpoint: Consumer, name: str, life: Life, ticks: int) -> None:
        self._endpoint = endpoint
        self._name = name
        self._life = life
        self._ticks = ticks

    async def deliveries(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Its messages, each with a note of what becomes of it."""
        outside, life = self._life.outside, self._life
        async with aclosing(self._endpoint.consume(runtime)) as given:
            async for delivery in given:
                if outside.ticks(self._name) >= self._ticks:
                    with runtime.resting():
                        await anyio.sleep_forever()
                yield self._watched(delivery, runtime.route)
        life.outside.changed()

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """Never called: a clock is polled."""

    def _watched(self, delivery: Delivery[Any], route: str) -> Delivery[Any]:
        outside, message = self._life.outside, delivery.message
        outside.come(Arrival(message.id, self._name, route, message, outside.time, "never"))
        copy = outside.arrivals[message.id].copies[-1]
        outside.taken(copy, self)
        outside.tell(f"{message.id} comes from {self._name}", message.id)

        async def ack(reply: Message[Any] | None) -> None:
            async def act() -> None:
                if delivery.ack is not None:
                    await delivery.ack(reply)
                outside.tell(f"{copy.id} is done for {self._name}", copy.id)
                outside.acknowledged(copy)

            await self._life.operation(f"ack {self._name} {copy.id}", act, of=copy.id)

        async def nack(error: Exception) -> None:
            async def act() -> None:
                if delivery.nack is not None:
                    await delivery.nack(error)
                outside.tell(f"{copy.id} is refused: {error}", copy.id)
                outside.refused(copy, keeps=False)

            await self._life.operation(f"nack {self._name} {copy.id}", act, of=copy.id)

        return Delivery(message, ack, nack, delivery.error)
