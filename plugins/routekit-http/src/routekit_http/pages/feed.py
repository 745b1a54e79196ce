"""The feed of one poll: pages are asked for when rows are, and rows are delivered until they are done."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio

from routekit import DefinitionError, Delivery, Logged, Marks, Message, Runtime

from .keyset import row_id
from .paging import Ask, Page, Paging, Position
from .progress import Progress, Reached, Reading

_KEY = "position"
_WAITING = 1000
"""Pages that may wait behind one that is unfinished."""


class Gone(Exception):
    """The API does not know the position any more: 410."""


Fetch = Callable[[Ask], Awaitable[Page | None]]
"""`await fetch(ask)`: a page, None if nothing has changed; raises Gone for a position that is too old."""


@dataclass(eq=False)
class Feed:
    """Rows in the order of their pages; refused ones come again after `again` seconds."""

    name: str
    kind: str
    paging: Paging
    fetch: Fetch
    marks: Marks
    runtime: Runtime
    id: str
    again: float
    most: int
    _progress: Progress = field(init=False)
    _behind: Position | None = None
    _done: set[str] = field(default_factory=set[str])
    _ending: bool = False
    _refused: list[tuple[float, Any, Reading]] = field(default_factory=list[tuple[float, Any, Reading]])

    def __len__(self) -> int:
        """Pages that are not done yet."""
        return len(self._progress) if hasattr(self, "_progress") else 0

    async def deliveries(self) -> AsyncGenerator[Delivery[Any]]:
        """From the position that was kept, for ever; an orderly end keeps what is done of the page in hand."""
        position = await self._begun()
        try:
            async with aclosing(self._looks(position)) as looks:
                async for delivery in looks:
                    yield delivery
        finally:
            self._ending = True
            with anyio.CancelScope(shield=True):
                await self._progress.settle(ending=True)

    async def _looks(self, position: Position | None) -> AsyncGenerator[Delivery[Any]]:
        while True:
            async with aclosing(self._sweep(position)) as sweep:
                async for delivery in sweep:
                    yield delivery
            position = self._behind
            await self._rest()
            while len(self._progress):  # rows that come again, or are still at work: no sweep runs into another
                for delivery in self._due():
                    yield delivery
                await self._rest()

    async def _rest(self) -> None:
        """Wait for the next look. A listing that is read anew has always something, so that looking proves nothing."""
        if self._behind is not None:
            await self.runtime.rest(self.again)
            return
        with self.runtime.resting():
            await anyio.sleep(self.again)

    async def _sweep(self, position: Position | None) -> AsyncGenerator[Delivery[Any]]:
        self._behind = position
        for _ in range(self.most):
            try:
                page = await self.fetch(self.paging.ask(position))
            except Gone:
                if position is None:
                    raise DefinitionError(f"poll '{self.name}': the API answers 410 Gone") from None
                found = f"poll '{self.name}': the position is too old for the API; everything is read anew"
                self.runtime.emit(Logged(self.runtime.route, "warning", found))
                self._behind = position = None
                self._done.clear()
                await self.marks.delete(_KEY)
                continue
            if page is None:
                return
            following = self.paging.after(position, page)
            reading = self._progress.page(position, following.position)
            done, self._done = self._done, set()
            reading.done += done
            for row in self.paging.fresh(position, page.rows):
                if not done or row_id(row, self.id) not in done:
                    reading.open += 1
                    yield self._delivery(row, reading)
            reading.whole = True
            await self._progress.settle()
            self._behind = position = following.position
            if not following.more:
                return
            for delivery in self._due():
                yield delivery
            while len(self._progress) > _WAITING:
                await anyio.sleep(min(self.again, 1.0))
                for delivery in self._due():
                    yield delivery
        found = f"poll '{self.name}': more than {self.most} pages at once"
        raise DefinitionError(found, hint="raise max_pages if that is right")

    def _due(self) -> list[Delivery[Any]]:
        """Refused rows whose time has come."""
        now = anyio.current_time()
        due = [one for one in self._refused if one[0] <= now]
        self._refused = [one for one in self._refused if one[0] > now]
        return [self._delivery(row, reading) for _, row, reading in due]

    def _delivery(self, row: Any, reading: Reading) -> Delivery[Any]:
        known = row_id(row, self.id)
        id_ = f"{self.name}/{known}" if len(known) <= 200 else ""

        async def ack(_: object) -> None:
            reading.open -= 1
            reading.done.append(known)
            if self._ending or (reading.whole and not reading.open):
                await self._progress.settle(ending=self._ending)

        async def nack(_: object) -> None:
            self._refused.append((anyio.current_time() + self.again, row, reading))

        return Delivery(Message(row, {"http.feed": self.name}, id_), ack, nack)

    async def _begun(self) -> Position | None:
        kept = await self.marks.get(_KEY)
        found: dict[str, Any] = json.loads(kept) if kept else {"paging": self.kind, "position": None}
        if found["paging"] != self.kind:
            message = f"poll '{self.name}': the position that was kept is of paging={found['paging']}"
            raise DefinitionError(message, hint="give the poll another name")
        reached = Reached(found["position"], tuple(found.get("done", ())))
        self._progress = Progress(self._save, reached)
        self._done = set(reached.done)
        return reached.position

    async def _save(self, reached: Reached) -> None:
        if reached == Reached():
            await self.marks.delete(_KEY)
            return
        kept = {"paging": self.kind, "position": reached.position, **({"done": reached.done} if reached.done else {})}
        await self.marks.put(_KEY, json.dumps(kept))
