"""queue: a bounded queue in this process between two routes."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import anyio
from pydantic import Field

from ..endpoint import Consumer, Endpoint, PathField, Producer
from ..hookspecs import hookimpl
from ..isolation import apart
from ..message import Delivery, Message
from ..step import Runtime, Send

_AGAIN = 1.0
"""Seconds before a refused message is at the front of its queue again: it would fail as fast as it comes back."""


class Queue:
    """Messages between routes; adding waits while it is full."""

    def __init__(self) -> None:
        self.messages: deque[Message[Any]] = deque()
        self._changed = anyio.Event()

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
    """The queues that all routes of a service share."""
    yield Queues()


class QueueSource(Consumer):
    """Takes the messages of `queue:name`, in order. A message that is refused goes back to the front.

    When the service stops, the queue is worked off within the drain time; what is left then, or at a crash, is lost:
    a queue is memory. For what must not be lost use a file, a database or a broker.
    """

    scheme = "queue"
    internal: ClassVar[bool] = True
    name: PathField

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        queue = (await runtime.shared(queues))[self.name]

        async def back(message: Message[Any], error: Exception) -> None:
            await anyio.sleep(_AGAIN)
            queue.messages.appendleft(message)
            queue.changed()

        while True:
            while not queue.messages:
                with runtime.resting():
                    await queue.change()
            message = queue.messages.popleft()
            queue.changed()
            yield Delivery(message, nack=partial(back, message))


class QueueSink(Producer):
    """Puts the message into `queue:name`; waits while it is full, within the message's deadline.

    Returning means that it is in memory, not that it is done: the guarantee of the route ends here.
    """

    scheme = "queue"
    name: PathField
    size: int = Field(default=1000, ge=1, description="messages in the queue at most; then the sender waits")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        queue = (await runtime.shared(queues))[self.name]

        async def send(message: Message[Any]) -> None:
            while len(queue.messages) >= self.size:
                await queue.change()
            queue.messages.append(apart(message))
            queue.changed()

        yield send


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`queue:` as a source and as a sink."""
    return [QueueSource, QueueSink]
