"""Sources and sinks that can be watched and broken from outside, as a stranger's plugin would be."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from pydantic import ConfigDict, Field

from routekit import Consumer, Deliver, Delivery, Listener, Message, Producer, Runtime, Send


class Watched(Consumer):
    """Yields what `items` holds, and then waits for more until it is closed; counts what it was asked for.

    An exception among the items is raised where it stands. `told` holds ("ack" or "nack", message id) in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "watched"
    items: list[Any]
    told: list[tuple[str, str]] = Field(default_factory=list)
    state: dict[str, int] = Field(default_factory=dict)
    endless: bool = True

    def __init__(self, items: Any = (), **options: Any) -> None:
        super().__init__(items=list(items), **{"told": [], "state": {"asked": 0, "opened": 0}, **options})

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        self.state["opened"] += 1
        while self.items:
            item = self.items.pop(0)
            self.state["asked"] += 1
            if isinstance(item, Exception):
                raise item
            yield self.delivery(item if isinstance(item, Message) else Message(item, id=f"m{item}"))
        while self.endless:
            with runtime.resting():
                await anyio.sleep(3600)

    def delivery(self, message: Message[Any]) -> Delivery[Any]:
        async def ack(reply: Message[Any] | None) -> None:
            await anyio.lowlevel.checkpoint()
            self.told.append(("ack", message.id))

        async def nack(error: Exception) -> None:
            await anyio.lowlevel.checkpoint()
            self.told.append(("nack", message.id))

        return Delivery(message, ack, nack)


class Trickle(Consumer):
    """Yields each of `items`, (seconds since the start, body), at its time, then is exhausted."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "trickle"
    items: list[tuple[float, Any]]

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        start = anyio.current_time()
        for number, (at, body) in enumerate(self.items):
            await anyio.sleep_until(start + at)
            yield Delivery(Message(body, id=f"trickle-{number}"))


class Calls(Listener):
    """Hands over by tasks of its own, as a server does; `answers` holds replies and errors by request."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "calls"
    requests: list[Any]
    answers: dict[Any, Any] = Field(default_factory=dict)

    def __init__(self, requests: Any = (), **options: Any) -> None:
        super().__init__(requests=list(requests), **{"answers": {}, **options})

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        async def call(request: Any) -> None:
            try:
                reply = await deliver(Message(request, id=f"m{request}"))
                self.answers[request] = None if reply is None else reply.body
            except Exception as error:
                self.answers[request] = error

        async with anyio.create_task_group() as server:
            for request in self.requests:
                server.start_soon(call, request)
            await anyio.sleep_forever()


class Hooked(Producer):
    """A sink made of functions: `opening` may raise, `sending` is awaited for each message."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "hooked"
    opening: Callable[[], Awaitable[None]] | None = None
    sending: Callable[[Message[Any]], Awaitable[Any]] | None = None
    closing: Callable[[], Awaitable[None]] | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        if self.opening is not None:
            await self.opening()

        async def send(message: Message[Any]) -> Message[Any] | None:
            return None if self.sending is None else await self.sending(message)

        try:
            yield send
        finally:
            if self.closing is not None:
                with anyio.CancelScope(shield=True):
                    await self.closing()
