"""Taking: what was delivered becomes messages for a route, and the outcome is told to the broker."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from aiormq.abc import DeliveredMessage

from routekit import BodyError, Codec, Delivery, Message, Rejected

from .consuming import Subscription
from .counting import Deliveries
from .position import Position
from .properties import headers_of
from .replying import Replying


@dataclass(frozen=True, slots=True)
class _Found:
    """One message that was read; `error` is what is known to be wrong with it."""

    delivered: DeliveredMessage
    message: Message[Any]
    error: Rejected | None


@dataclass(eq=False, kw_only=True)
class Taking:
    """Reads a subscription.

    `rejects`: what is given back leaves the queue; else it is requeued after `again` seconds. `most` messages are one
    batch, which waits `wait` seconds for more after its first; None: each comes by itself.
    """

    subscription: Subscription
    queue: str
    deliveries: Deliveries
    rejects: bool
    again: float
    codec: Codec | None
    most: int | None
    wait: float
    position: Position | None
    replying: Replying | None
    _ready: deque[tuple[Delivery[Any], Sequence[DeliveredMessage]]] = field(
        default_factory=deque["tuple[Delivery[Any], Sequence[DeliveredMessage]]"]
    )

    @property
    def empty(self) -> bool:
        """Whether nothing has come for which there would be a delivery."""
        return not self._ready and self.subscription.empty

    async def next(self) -> Delivery[Any]:
        """The next delivery; something has to be there. Raises Unavailable if the channel broke."""
        if not self._ready:
            first = await self._read()
            if self.most is None:
                self._ready.append((self._single(first), (first.delivered,)))
            else:
                self._ready.extend(self._together([first, *await self._more(self.most - 1)]))
        delivery, messages = self._ready.popleft()
        self.subscription.hand_out(messages)  # the last before it is yielded: what was only read goes back at a stop
        return delivery

    async def _read(self) -> _Found:
        delivered = self.subscription.read()
        headers = headers_of(delivered)
        known_as = delivered.header.properties.message_id or ""
        if self.position is not None:
            offset = headers["rabbitmq.offset"] = int(headers.pop("x-stream-offset"))
            self.position.issue(offset)
            return self._found(delivered, Message(delivered.body, headers, f"{self.queue}@{offset}"), None)
        number = headers["rabbitmq.deliveries"] = await self.deliveries.count(delivered)
        headers.pop("x-delivery-count", None)
        return self._found(delivered, Message(delivered.body, headers, known_as), self.deliveries.excess(number))

    def _found(self, delivered: DeliveredMessage, message: Message[bytes], error: Rejected | None) -> _Found:
        if error is None and self.codec is not None:
            try:
                return _Found(delivered, message.with_body(self.codec.decode(message.body)), None)
            except BodyError as wrong:
                error = wrong
        return _Found(delivered, message, error)

    async def _more(self, most: int) -> list[_Found]:
        found: list[_Found] = []
        until = anyio.current_time() + self.wait
        while len(found) < most:
            if self.subscription.empty and not await self.subscription.arrives(until - anyio.current_time()):
                break
            found.append(await self._read())
        return found

    def _single(self, found: _Found) -> Delivery[Any]:
        ack, nack = partial(self._ack, (found.delivered,)), partial(self._nack, (found.delivered,))
        return Delivery(found.message, ack, nack, found.error)

    def _together(self, found: Sequence[_Found]) -> list[tuple[Delivery[Any], Sequence[DeliveredMessage]]]:
        """What is wrong already comes by itself, so that it does not fail the others; they are one list of bodies."""
        ready: list[tuple[Delivery[Any], Sequence[DeliveredMessage]]] = []
        ready += ((self._single(one), (one.delivered,)) for one in found if one.error is not None)
        sound = [one for one in found if one.error is None]
        if sound:
            messages = [one.delivered for one in sound]
            first, last = sound[0].message, sound[-1].message
            known_as = f"{first.id}..{last.id}" if first.id and last.id else ""
            shared = {n: v for n, v in first.headers.items() if all(one.message.headers.get(n) == v for one in sound)}
            message = Message([one.message.body for one in sound], {**shared, "rabbitmq.batch": len(sound)}, known_as)
            ready.append((Delivery(message, partial(self._ack, messages), partial(self._nack, messages)), messages))
        return ready

    async def _ack(self, messages: Sequence[DeliveredMessage], reply: Message[Any] | None) -> None:
        if self.replying is not None:
            await self.replying.reply(messages[0], reply)
        await self.subscription.ack(messages)
        for delivered in messages:
            await self._settled(delivered)

    async def _nack(self, messages: Sequence[DeliveredMessage], error: Exception) -> None:
        if not self.rejects:
            await anyio.sleep(self.again)
        if self.position is not None:  # a stream takes nothing back
            await self.subscription.bring_again(messages)
            return
        await self.subscription.nack(messages, requeue=not self.rejects)
        if self.rejects:
            for delivered in messages:
                await self._settled(delivered)

    async def _settled(self, delivered: DeliveredMessage) -> None:
        if self.position is None:
            await self.deliveries.forget(delivered)
        else:
            headers: Any = delivered.header.properties.headers
            await self.position.finish(int(headers["x-stream-offset"]))
