"""Consuming: what the broker pushes to one consumer, until that leaves or the channel breaks."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import anyio
import anyio.lowlevel
from aio_pika.abc import AbstractChannel
from aiormq import Channel as Wire
from aiormq.abc import DeliveredMessage

from routekit import RouteKitError, Unavailable

from .faults import asked, told
from .line import CLOSING, Line, goodbye, wire


class Subscription:
    """One consumer on a channel of its own. The broker sends no more than `prefetch` messages that are not settled.

    It outlives the reading of it: once left, messages that were read before can still be settled, and with the last of
    them the channel closes. Whatever is not settled when a channel closes is delivered again.
    """

    def __init__(self, channel: AbstractChannel, wire: Wire, what: str, place: str) -> None:
        self._channel = channel
        self._wire = wire
        self._what = what
        self._place = place
        self._tag = ""
        self._waiting: deque[DeliveredMessage] = deque()
        self._read: dict[int, None] = {}
        self._unsettled: dict[int, None] = {}
        self._open: dict[int, None] = {}
        self._done: list[int] = []
        self._telling = False
        self._delivered = 0
        self._quiet = False
        self._news = anyio.Event()
        self._broken: RouteKitError | None = None
        self._left = False
        self.at_end: Callable[[], Awaitable[None]] | None = None
        """Called when the channel is closed after all is settled."""

    @classmethod
    async def begin(
        cls,
        line: Line,
        what: str,
        prepare: Callable[[AbstractChannel], Awaitable[str]],
        *,
        prefetch: int,
        tag: str,
        exclusive: bool,
        arguments: Mapping[str, Any],
    ) -> Self:
        """Open a channel, prepare it, and consume from the queue that `prepare` names; raises what prevents it."""
        channel = await line.channel(what, confirms=False)
        begun = False
        try:
            with told(what, line.place), anyio.fail_after(line.settings.timeout, shield=True):
                queue = await prepare(channel)
                subscription = cls(channel, await wire(channel), what, line.place)
                await subscription._consume(queue, prefetch, tag, exclusive, dict(arguments))
            begun = True
            return subscription
        finally:
            if not begun:
                await goodbye(channel)

    @property
    def empty(self) -> bool:
        """Whether nothing has come that was not read yet."""
        return not self._waiting and self._broken is None

    def figures(self) -> dict[str, Callable[[], float]]:
        """What it counts: messages that wait here, those at work, and those that have come in all."""
        return {
            "prefetched": lambda: len(self._waiting),
            "unacknowledged": lambda: len(self._unsettled),
            "delivered_total": lambda: self._delivered,
        }

    async def arrival(self) -> None:
        """Wait until there is something to read, or the channel broke."""
        while self.empty:
            await self._news.wait()
            self._news = anyio.Event()

    async def arrival_or_quiet(self) -> None:
        """As `arrival`, or until `watch` found that nothing comes: a message pays for no timer."""
        self._quiet = False
        while self.empty and not self._quiet:
            await self._news.wait()
            self._news = anyio.Event()

    async def watch(self, quiet: float) -> None:
        """Until it is left: notice when nothing has come for so many seconds."""
        while not self._left and self._broken is None:
            before = self._delivered
            await anyio.sleep(quiet)
            if before == self._delivered and self.empty and not self._quiet:
                self._quiet = True
                self._news.set()

    async def arrives(self, within: float) -> bool:
        """Whether something comes within so many seconds."""
        with anyio.move_on_after(within):
            await self.arrival()
        return not self.empty

    def read(self) -> DeliveredMessage:
        """The next message, which goes back at a stop until it is handed out.

        Raises Unavailable if the channel broke: then all come again.
        """
        if self._broken is not None:
            self._waiting.clear()
            raise self._broken
        delivered = self._waiting.popleft()
        self._read[_tag(delivered)] = None
        return delivered

    def hand_out(self, messages: Sequence[DeliveredMessage]) -> None:
        """These are at work now, and will be settled."""
        for delivered in messages:
            tag = _tag(delivered)
            del self._read[tag]
            self._unsettled[tag] = None

    async def ack(self, messages: Sequence[DeliveredMessage]) -> None:
        """Take messages off the queue for good; raises Unavailable if the channel broke: then they come again.

        One call tells the broker of all that are done by the next turn of the event loop; the others return at once.
        """
        self._done += map(_tag, messages)
        if self._telling:
            return
        self._telling = True
        try:
            await anyio.lowlevel.cancel_shielded_checkpoint()
            while self._done:
                done, self._done = self._done, []
                await self._tell(done)
                await self._settled(done)
        finally:
            self._telling = False

    async def nack(self, messages: Sequence[DeliveredMessage], *, requeue: bool) -> None:
        """Give messages back to the queue, or have them rejected; raises as `ack`."""
        tags = [_tag(message) for message in messages]
        for tag in tags:
            await asked(self._wire.basic_nack(tag, requeue=requeue, wait=False), self._what, self._place)
        await self._settled(tags)

    async def bring_again(self, messages: Sequence[DeliveredMessage]) -> None:
        """Read them once more, from memory; once left, they stay unsettled at the broker."""
        if self._left or self._broken is not None:
            await self._settled([_tag(message) for message in messages])
            return
        for delivered in messages:
            del self._unsettled[_tag(delivered)]
        self._waiting.extendleft(reversed(messages))
        self._news.set()

    async def leave(self) -> None:
        """Get no more messages; those not handed out go back to the queue, those at work can still be settled."""
        self._left = True
        with anyio.move_on_after(CLOSING, shield=True), suppress(Exception):  # if it broke, all is back already
            if self._broken is None and not self._wire.is_closed:
                await self._wire.basic_cancel(self._tag)
                for tag in (*self._read, *(_tag(delivered) for delivered in self._waiting)):
                    await self._wire.basic_nack(tag, requeue=True, wait=False)
        self._read.clear()
        self._waiting.clear()
        await self._settled([])

    async def _tell(self, done: list[int]) -> None:
        """Acknowledge: in one frame those before which all is settled, the others one by one."""
        late = set(done)
        first = 0
        for tag in self._open:
            if tag not in late:
                break
            late.discard(tag)
            first = tag
        if first:
            await asked(self._wire.basic_ack(first, multiple=True, wait=False), self._what, self._place)
        for tag in late:
            await asked(self._wire.basic_ack(tag, wait=False), self._what, self._place)

    async def _consume(self, queue: str, prefetch: int, tag: str, exclusive: bool, arguments: dict[str, Any]) -> None:
        self._channel.close_callbacks.add(lambda _, error: self._closed(error))
        self._wire.on_consumer_cancel_callbacks.add(self._cancelled)
        await self._wire.basic_qos(prefetch_count=prefetch)
        consumed = await self._wire.basic_consume(
            queue, self._take, consumer_tag=tag, exclusive=exclusive, arguments=arguments
        )
        self._tag = consumed.consumer_tag or tag

    async def _take(self, delivered: DeliveredMessage) -> None:
        if not self._left:  # else it goes back when the channel closes
            self._delivered += 1
            self._open[_tag(delivered)] = None
            self._waiting.append(delivered)
            self._news.set()

    async def _settled(self, tags: list[int]) -> None:
        for tag in tags:
            self._open.pop(tag, None)
            self._unsettled.pop(tag, None)
        if self._left and (not self._unsettled or self._broken is not None):
            await goodbye(self._channel)
            if self.at_end is not None:
                end, self.at_end = self.at_end, None
                await end()

    async def _cancelled(self, frame: object) -> None:
        self._break(Unavailable(f"{self._what}: the broker ended the consumer", hint="was the queue deleted?"))

    def _closed(self, error: BaseException | None) -> None:
        why = f": {error}" if isinstance(error, Exception) and str(error) else ""
        self._break(Unavailable(f"{self._what}: the channel to {self._place} was closed{why}"))

    def _break(self, error: RouteKitError) -> None:
        self._broken = self._broken or error
        self._news.set()


def _tag(delivered: DeliveredMessage) -> int:
    assert delivered.delivery_tag is not None  # every delivery has one
    return delivered.delivery_tag
