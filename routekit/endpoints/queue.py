"""queue: a bounded queue in this process between two routes, in memory or, with `durable`, in the store too."""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Annotated, Any, ClassVar
from uuid import UUID

import anyio
from pydantic import Field
from pydantic_core import from_json, to_json

from ..about import About
from ..endpoint import PER_MESSAGE, Capabilities, Consumer, Endpoint, PathField, Producer
from ..errors import DefinitionError
from ..hookspecs import hookimpl
from ..isolation import apart
from ..message import Delivery, Message
from ..step import Runtime, Send
from ..store import Store
from ..written import read, written

_log = logging.getLogger("routekit.queue")

_AGAIN = 1.0
"""Seconds before a refused message is at the front of its queue again: it would fail as fast as it comes back."""


_PAGE = 200
"""Messages that are read from the store at once."""


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


class Kept(Message[Any]):
    """A message of a durable queue; `key` is its own in the store, as a message may be put in twice."""

    __slots__ = ("key",)

    def __init__(self, message: Message[Any], key: str) -> None:
        super().__init__(message.body, message.headers, message.id, message.meta)
        self.key = key


class Keeper:
    """What a durable queue has in the store: a message is there from its sending until it is acknowledged."""

    def __init__(self, name: str, store: Store) -> None:
        self._journal = store.journal(f"queue:{name}")
        self._owner = store.owner
        self._here: set[str] = set()  # the keys of those that are in memory or at work

    async def add(self, message: Message[Any], priority: int, key: str, now: float) -> Kept:
        """Keep a message; raises BodyError for a body that would not come back."""
        text = to_json([priority, written(message, now)]).decode()
        self._here.add(key)
        try:
            await self._journal.add(key, text, owner=self._owner)
        except BaseException:
            self._here.discard(key)
            raise
        return Kept(apart(message), key)

    async def left(self) -> AsyncGenerator[tuple[Kept, int]]:
        """What an earlier run has left, in the order of its coming, and how urgent each is."""
        after = 0
        while page := await self._journal.take(owner=self._owner, limit=_PAGE, after=after):
            for entry in page:
                if entry.id not in self._here:
                    self._here.add(entry.id)
                    priority, text = from_json(entry.message)
                    yield Kept(read(text).message, entry.id), priority
            after = page[-1].number

    async def done(self, key: str, reply: Message[Any] | None) -> None:
        """Forget a message; if that fails, it is found again when the route starts again."""
        self._here.discard(key)
        await self._journal.finish(key, owner=self._owner)


class Queues(dict[str, Queue]):
    """The queues of a service by name, each made on first use; `kept` are the durable ones of them."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Keeper | None] = {}

    def __missing__(self, name: str) -> Queue:
        self[name] = Queue()
        return self[name]

    def keeper(self, name: str, store: Store, *, durable: bool) -> Keeper | None:
        """What keeps the queue; raises DefinitionError if another one says otherwise whether it is durable."""
        if name not in self.kept:
            self.kept[name] = Keeper(name, store) if durable else None
        found = self.kept[name]
        if (found is not None) != durable:
            hint = f"write 'queue:{name}?durable=true' where it is sent to and where it is read"
            raise DefinitionError(f"'queue:{name}' is durable for one route, and not for another", hint=hint)
        return found


@asynccontextmanager
async def queues() -> AsyncGenerator[Queues]:
    """The queues that all routes of a service share; what is left in them at its end is lost, and told in the log."""
    opened = Queues()
    yield opened
    for name, queue in opened.items():
        if queue and opened.kept.get(name) is None:
            _log.error("queue:%s: %d messages were left at the end, and are lost", name, len(queue))


_EXAMPLE = """
    from routekit import from_

    fast = from_("timer:tick?every=10ms", int).to("queue:work?size=100", priority=lambda number: number % 2)
    slow = from_("queue:work", int).to("log:work")
"""


_DURABLE = "keep its messages in the store until they are done; to be said where it is sent to and where it is read"


class QueueSource(Consumer):
    """Takes the messages of `queue:name`, the most urgent first. A message that is refused goes back to the front.

    When the service stops, the queue is worked off within the drain time; what is left then, or at a crash, is lost:
    a queue is memory. With `durable` it is in the store as well, from where it is read again at the start.
    """

    scheme = "queue"
    capabilities = Capabilities(ordered=True, volatile=True)
    advice: ClassVar[Mapping[str, str]] = {"volatile": "queue:...?durable=true"}
    about = About(figures={"waiting": "messages in the queue"}, example=_EXAMPLE)
    internal: ClassVar[bool] = True
    name: PathField = Field(description="name of the queue, within this process")
    durable: bool = Field(default=False, description=_DURABLE)

    def promises(self) -> Capabilities:
        """A durable one brings again what was not acknowledged."""
        return Capabilities(ordered=True, replayable=True) if self.durable else self.capabilities

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        shared = await runtime.shared(queues)
        queue, keeper = shared[self.name], shared.keeper(self.name, runtime.store, durable=self.durable)
        if keeper is not None:
            async for kept, priority in keeper.left():
                queue.put(kept, priority)

        async def back(message: Message[Any], priority: int, error: Exception) -> None:
            await anyio.sleep(_AGAIN)
            queue.put_back(message, priority)

        with runtime.metered(self, {"waiting": lambda: len(queue)}):
            while True:
                while not queue:
                    with runtime.resting():
                        await queue.change()
                message, priority = queue.take()
                ack = partial(keeper.done, message.key) if keeper is not None and isinstance(message, Kept) else None
                yield Delivery(message, ack, partial(back, message, priority))


class QueueSink(Producer):
    """Puts the message into `queue:name`; waits while it is full, within the message's deadline.

    Returning means that it is in memory, not that it is done: the guarantee of the route ends here. With `durable` it
    is in the store then, and is not lost; a body has to be one that comes back, see durability.
    """

    scheme = "queue"
    capabilities = Capabilities(ordered=True, volatile=True)
    advice: ClassVar[Mapping[str, str]] = {"volatile": "queue:...?durable=true"}
    about = About(example=_EXAMPLE)
    name: PathField = Field(description="name of the queue, within this process")
    size: int = Field(default=1000, ge=1, description="messages in the queue at most; then the sender waits")
    priority: Annotated[int, PER_MESSAGE] = Field(
        default=0, description="the higher, the sooner it is taken; equal ones in order"
    )
    durable: bool = Field(default=False, description=_DURABLE)

    def promises(self) -> Capabilities:
        """A durable one is no memory."""
        return Capabilities(ordered=True) if self.durable else self.capabilities

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        shared = await runtime.shared(queues)
        queue, keeper = shared[self.name], shared.keeper(self.name, runtime.store, durable=self.durable)

        async def send(message: Message[Any], priority: int = self.priority) -> None:
            while len(queue) >= self.size:
                await queue.change()
            queue.put(apart(message), priority)

        async def keep(message: Message[Any], priority: int = self.priority) -> None:
            assert keeper is not None
            while len(queue) >= self.size:
                await queue.change()
            key = UUID(int=runtime.random.getrandbits(128)).hex
            queue.put(await keeper.add(message, priority, key, runtime.now()), priority)

        yield send if keeper is None else keep


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`queue:` as a source and as a sink."""
    return [QueueSource, QueueSink]
