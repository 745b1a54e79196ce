"""A place of transactions in memory, which outlives the routes of a test: for the word `transaction`."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from pydantic import ConfigDict, Field

from ..endpoint import Producer, Transactor
from ..message import Message
from ..step import Runtime, Send
from ..transactions import Outgoing, Transactions

_PAGE = 100


@dataclass(eq=False)
class Book:
    """What a place of transactions keeps, by the names of words: ids that are done, and messages that wait."""

    marks: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    outbox: dict[str, list[Outgoing]] = field(default_factory=dict[str, list[Outgoing]])
    owners: dict[str, str] = field(default_factory=dict[str, str])
    put: int = 0
    """How many messages were ever put into an outbox."""


class Ledger(Transactor):
    """A database in memory, for tests: what is sent to one of its `sinks` is part of a transaction.

    `book` is what it keeps; one that is made with the `book` of another goes on where that has ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "ledger"
    sinks: list[Any] = Field(default_factory=list[Any], repr=False)
    book: Any = Field(default_factory=Book, repr=False)

    def joins(self, sink: Producer) -> bool:
        return any(sink is own or sink == own for own in self.sinks)

    @asynccontextmanager
    async def open(self, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AsyncGenerator[Transactions]:
        async with opened(self.book, runtime, name, sinks) as transactions:
            yield transactions

    def uri(self) -> str:
        """`ledger:`, without what it keeps."""
        return "ledger:"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class TwinTransactor(Transactor):
    """Stands for a place of transactions whose sinks are twins: what joins arrives when it is committed."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "twin"
    real: Any
    book: Any

    def joins(self, sink: Producer) -> bool:
        return self.real.joins(sink)

    @asynccontextmanager
    async def open(self, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AsyncGenerator[Transactions]:
        async with opened(self.book, runtime, name, sinks) as transactions:
            yield transactions

    def uri(self) -> str:
        """That of the real one."""
        return self.real.uri()


@asynccontextmanager
async def opened(book: Book, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AsyncGenerator[Transactions]:
    """The transactions of one word, by sinks in memory."""
    async with AsyncExitStack() as stack:
        sends = [(sink, await stack.enter_async_context(sink.open(runtime))) for sink in sinks]
        yield _InMemory(book, name, sends)


class _InMemory:
    """Implements `Transactions`. It is all or nothing for as long as the sends into memory wait for nothing."""

    def __init__(self, book: Book, name: str, sends: Sequence[tuple[Producer, Send]]) -> None:
        self._book = book
        self._name = name
        self._sends = sends
        self._marks = book.marks.setdefault(name, [])
        self._outbox = book.outbox.setdefault(name, [])

    def effect(self, sink: Any, message: Message[Any], options: Mapping[str, Any]) -> Any:
        return next(send for known, send in self._sends if known == sink), message, options

    async def commit(self, id: str, effects: Sequence[Any], outgoing: Sequence[Outgoing]) -> bool:
        await anyio.lowlevel.checkpoint()
        if id and id in self._marks:
            return False
        for send, message, options in effects:
            await send(message, **options)
        if id:
            self._marks.append(id)
        for one in outgoing:
            self._book.put += 1
            self._outbox.append(replace(one, number=self._book.put))
        return True

    async def take(self, *, owner: str, after: int = 0) -> Sequence[Outgoing] | None:
        await anyio.lowlevel.checkpoint()
        if self._book.owners.setdefault(self._name, owner) != owner:
            return None
        return [one for one in self._outbox if one.number > after][:_PAGE]

    async def sent(self, numbers: Sequence[int]) -> None:
        await anyio.lowlevel.checkpoint()
        self._outbox[:] = [one for one in self._outbox if one.number not in numbers]

    async def leave(self, *, owner: str) -> None:
        if self._book.owners.get(self._name) == owner:
            del self._book.owners[self._name]

    async def waiting(self) -> tuple[int, float | None]:
        return len(self._outbox), self._outbox[0].at if self._outbox else None

    async def news(self) -> None:
        await anyio.sleep_forever()
