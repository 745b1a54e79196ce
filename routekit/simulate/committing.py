"""A place of transactions that outlives the processes: what a message does there is done by one operation, or not."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from ..endpoint import Producer, Transactor
from ..isolation import apart
from ..message import Message
from ..step import Runtime
from ..transactions import Outgoing, Transactions
from .departing import MAY, Departing
from .outside import DYING, Life

_PAGE = 100


@dataclass(eq=False)
class Book:
    """What one place keeps, by the names of words."""

    marks: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    outbox: dict[str, list[Outgoing]] = field(default_factory=dict[str, list[Outgoing]])
    put: int = 0


class Committing(Transactor):
    """Stands for the place of transactions that is `real`."""

    scheme = "simulated"
    real: Any
    name: str
    life: Any
    book: Any

    def joins(self, sink: Producer) -> bool:
        return self.real.joins(sink)

    @asynccontextmanager
    async def open(self, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AsyncGenerator[Transactions]:
        yield _Committed(self.book, self.name, name, self.life, runtime.route)

    def uri(self) -> str:
        """That of the real one."""
        return self.real.uri()


class _Committed:
    """Implements `Transactions`."""

    def __init__(self, book: Book, place: str, name: str, life: Life, route: str) -> None:
        self._book = book
        self._place = place
        self._name = name
        self._life = life
        self._route = route
        self._marks = book.marks.setdefault(name, set())
        self._outbox = book.outbox.setdefault(name, [])

    def effect(self, sink: Any, message: Message[Any], options: Mapping[str, Any]) -> Any:
        departing: Departing = getattr(sink, "_part")  # noqa: B009 - of a twin, of whatever class it is
        return departing, apart(message), dict(options)

    async def commit(self, id: str, effects: Sequence[Any], outgoing: Sequence[Outgoing]) -> bool:
        def act() -> bool:
            if id and id in self._marks:
                return False
            if id:
                self._marks.add(id)
            for departing, message, options in effects:
                departing.arrived(self._route, message, options)
            for one in outgoing:
                self._book.put += 1
                self._outbox.append(replace(one, number=self._book.put))
                self._life.outside.hold(one.id)
            return True

        return await self._operation(f"commit {id}", act, of=id, may=MAY)

    async def take(self, *, owner: str, after: int = 0) -> Sequence[Outgoing] | None:
        return await self._operation("take", lambda: [one for one in self._outbox if one.number > after][:_PAGE])

    async def sent(self, numbers: Sequence[int]) -> None:
        def act() -> None:
            for one in [one for one in self._outbox if one.number in numbers]:
                self._outbox.remove(one)
                self._life.outside.drop(one.id)

        await self._operation(f"sent {' '.join(map(str, numbers))}", act, may=DYING)

    async def leave(self, *, owner: str) -> None:
        """Nothing: one process is alive at a time."""

    async def waiting(self) -> tuple[int, float | None]:
        return len(self._outbox), self._outbox[0].at if self._outbox else None

    async def news(self) -> None:
        await anyio.sleep_forever()

    async def _operation(self, what: str, act: Any, *, of: str = "", may: Any = ()) -> Any:
        address = self._place if may is MAY else ""
        return await self._life.operation(f"{self._place}/{self._name} {what}", act, may=may, of=of, address=address)
