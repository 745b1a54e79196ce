"""Endpoints in memory: a source of given messages, one that takes them while it runs, and a sink that collects."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

import anyio
from pydantic import ConfigDict, Field, PrivateAttr

from ..endpoint import Consumer, Producer
from ..message import NO_HEADERS, Delivery, Message
from ..step import Runtime, Send


class Feed(Consumer):
    """A source of given bodies or messages, then exhausted; remembers what became of each.

    `acknowledged` and `refused` hold (message id, reply or error) in the order in which it was told. With `gate`
    the source waits for the event before its first message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "feed"
    items: Any = ()
    gate: anyio.Event | None = None
    acknowledged: list[tuple[str, Any]] = Field(default_factory=list[tuple[str, Any]], repr=False)
    refused: list[tuple[str, Exception]] = Field(default_factory=list[tuple[str, Exception]], repr=False)
    _begun: "WeakKeyDictionary[Runtime, Iterator[tuple[int, Any]]]" = PrivateAttr(
        default_factory=WeakKeyDictionary["Runtime", "Iterator[tuple[int, Any]]"]
    )
    """How far it has come: after a pause it goes on."""

    def __init__(self, items: Iterable[Any] = (), **options: Any) -> None:
        super().__init__(items=items, **options)  # pyright: ignore[reportCallIssue]  # pydantic's own signature

    def uri(self) -> str:
        """`feed:`, without the items: there may be very many."""
        return "feed:"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        if self.gate is not None:
            await self.gate.wait()
        items: Iterator[tuple[int, Any]] = enumerate(cast("Iterable[Any]", self.items), 1)
        for number, item in self._begun.setdefault(runtime, items):
            given = isinstance(item, Message)
            yield self._delivery(cast("Message[Any]", item) if given else Message(item, id=f"feed-{number}"))

    def _delivery(self, message: Message[Any]) -> Delivery[Any]:
        async def ack(reply: Message[Any] | None) -> None:
            self.acknowledged.append((message.id, reply))

        async def nack(error: Exception) -> None:
            self.refused.append((message.id, error))

        return Delivery(message, ack, nack)


class Inlet(Consumer):
    """A source that a test gives messages to while the route runs, and that tells it what became of each.

    reply = await inlet.give("a")
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "inlet"
    _untold: "dict[_Given, None]" = PrivateAttr(default_factory=dict["_Given", None])
    """What was given and not yet settled, in order: after a crash it comes again."""
    _news: list[anyio.Event] = PrivateAttr(default_factory=list[anyio.Event])

    async def give(self, body: Any, *, id: str = "", headers: Mapping[str, Any] = NO_HEADERS) -> Message[Any] | None:
        """Hand a body or a message to the route and wait for its outcome: the reply; raises what refused it."""
        message = cast("Message[Any]", body) if isinstance(body, Message) else Message(body, headers, id)
        given = _Given(message)
        self._untold[given] = None
        for event in self._news:
            event.set()
        await given.told.wait()
        if given.error is not None:
            raise given.error
        return given.reply

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        taken: set[_Given] = set()
        while True:
            for given in [given for given in self._untold if given not in taken]:
                taken.add(given)
                yield Delivery(given.message, partial(self._done, given), partial(self._refused, given))
            if any(given not in taken for given in self._untold):
                continue
            news = anyio.Event()
            self._news.append(news)
            try:
                with runtime.resting():
                    await news.wait()
            finally:
                self._news.remove(news)

    async def _done(self, given: "_Given", reply: Message[Any] | None) -> None:
        self._settle(given, reply=reply)

    async def _refused(self, given: "_Given", error: Exception) -> None:
        self._settle(given, error=error)

    def _settle(self, given: "_Given", reply: Message[Any] | None = None, error: Exception | None = None) -> None:
        given.reply, given.error = reply, error
        self._untold.pop(given, None)
        given.told.set()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@dataclass(eq=False)
class _Given:
    """A message that was given, and its outcome once it is told."""

    message: Message[Any]
    told: anyio.Event = field(default_factory=anyio.Event)
    reply: Message[Any] | None = None
    error: Exception | None = None


class Sink(Producer):
    """A sink that collects; `fail` maps the number of a send (from 1) to the error that it raises."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "sink"
    name: str = ""
    messages: list[Any] = Field(default_factory=list[Any], repr=False)
    fail: dict[int, Any] = Field(default_factory=dict[int, Any])
    sends: list[Any] = Field(default_factory=list[Any], repr=False)

    @property
    def bodies(self) -> list[Any]:
        """The bodies received, in order."""
        return [message.body for message in self.messages]

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            self.sends.append(message)
            error = self.fail.get(len(self.sends))
            if error is not None:
                raise error
            self.messages.append(message)

        yield send

    def uri(self) -> str:
        """`sink:`, without the messages."""
        return "sink:"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
