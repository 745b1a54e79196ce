"""queue: a bounded queue in this process between two routes."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Annotated, Any, ClassVar

import anyio
from pydantic import Field

from ..about import About
from ..endpoint import PER_MESSAGE, Capabilities, Consumer, Endpoint, PathField, Producer
from ..hookspecs import hookimpl
from ..isolation import apart
from ..message import Delivery, Message
from ..step import Runtime, Send

_log = logging.getLogger("routekit.queue")

_AGAIN = 1.0
"""Seconds before a refused message is at the front of its queue again: it would fail as fast as it comes back."""


class Queue:
    """Messages between routes, the most urgent first; adding waits while it is full."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Message[Any]]] = []
        self._numbers = count(1)
        self._changed = anyio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, message: Message[Any], priority: int) -> None:
        """Add it behind those that are as urgent."""
        heappush(self._heap, (-priority, next(self._numbers), message))
        self.changed()

    def put_back(self, message: Message[Any], priority: int) -> None:
        """Add it before those that are as urgent."""
        heappush(self._heap, (-priority, -next(self._numbers), message))
        self.changed()

    def take(self) -> tuple[Message[Any], int]:
        """The next message, and how urgent it is."""
        urgency, _, message = heappop(self._heap)
        self.changed()
        return message, -urgency

    def changed(self) -> None:
        """Wake everybody who waits for the queue."""
        self._changed.set()
        self._changed = anyio.Event()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()


class Queues(dict[str, Queue]):
    """The queues of a service by name, each made on first use."""

    def __missing__(self, name: str) -> Queue:
        self[name] = Queue()
        return self[name]


@asynccontextmanager
async def queues() -> AsyncGenerator[Queues]:
    """The queues that all routes of a service share; what is left in them at its end is lost, and told in the log."""
    opened = Queues()
    yield opened
    for name, queue in opened.items():
        if queue:
            _log.error("queue:%s: %d messages were left at the end, and are lost", name, len(queue))


_EXAMPLE = """
    from routekit import from_

    fast = from_("timer:tick?every=10ms", int).to("queue:work?size=100", priority=lambda number: number % 2)
    slow = from_("queue:work", int).to("log:work")
"""


class QueueSource(Consumer):
    """Takes the messages of `queue:name`, the most urgent first. A message that is refused goes back to the front.

    When the service stops, the queue is worked off within the drain time; what is left then, or at a crash, is lost:
    a queue is memory. For what must not be lost use a file, a database or a broker.
    """

    scheme = "queue"
    capabilities = Capabilities(ordered=True, volatile=True)
    about = About(figures={"waiting": "messages in the queue"}, example=_EXAMPLE)
    internal: ClassVar[bool] = True
    name: PathField = Field(description="name of the queue, within this process")

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        queue = (await runtime.shared(queues))[self.name]

        async def back(message: Message[Any], priority: int, error: Exception) -> None:
            await anyio.sleep(_AGAIN)
            queue.put_back(message, priority)

        with runtime.metered(self, {"waiting": lambda: len(queue)}):
            while True:
                while not queue:
                    with runtime.resting():
                        await queue.change()
                message, priority = queue.take()
                yield Delivery(message, nack=partial(back, message, priority))


class QueueSink(Producer):
    """Puts the message into `queue:name`; waits while it is full, within the message's deadline.

    Returning means that it is in memory, not that it is done: the guarantee of the route ends here.
    """

    scheme = "queue"
    capabilities = Capabilities(ordered=True, volatile=True)
    about = About(example=_EXAMPLE)
    name: PathField = Field(description="name of the queue, within this process")
    size: int = Field(default=1000, ge=1, description="messages in the queue at most; then the sender waits")
    priority: Annotated[int, PER_MESSAGE] = Field(
        default=0, description="the higher, the sooner it is taken; equal ones in order"
    )

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        queue = (await runtime.shared(queues))[self.name]

        async def send(message: Message[Any], priority: int = self.priority) -> None:
            while len(queue) >= self.size:
                await queue.change()
            queue.put(apart(message), priority)

        yield send


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`queue:` as a source and as a sink."""
    return [QueueSource, QueueSink]
