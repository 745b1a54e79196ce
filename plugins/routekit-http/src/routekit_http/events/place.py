"""How far a stream is done: the id of the last event that is done, as all those before it are."""

from collections import deque
from collections.abc import Awaitable, Callable

import anyio

_MOST = 1000
"""Events that may wait behind one that is unfinished."""


class Place:
    """Events in the order in which they came. `save` keeps an id; those who wait for it share a write."""

    def __init__(self, save: Callable[[str], Awaitable[None]], id: str) -> None:
        self.id = id
        self._save = save
        self._saved = id
        self._open: deque[list[str]] = deque()
        self._saving = anyio.Lock()
        self._moved = anyio.Event()

    async def room(self) -> None:
        """Wait while too many events are done behind one that is not."""
        while len(self._open) >= _MOST:
            self._moved = anyio.Event()
            await self._moved.wait()

    def taken(self, id: str) -> list[str]:
        """An event is at work; gives what `done` wants."""
        self._open.append([id])
        return self._open[-1]

    def passed(self, id: str) -> None:
        """An event is not for us; that is kept with the next one that is done."""
        if not self._open:
            self.id = id
        elif len(self._open[-1]) > 1:
            self._open[-1][0] = id
        else:
            self._open.append([id, "done"])

    def rewound(self) -> None:
        """All that is unfinished comes again."""
        self._open.clear()
        self._moved.set()

    async def done(self, one: list[str]) -> None:
        """It is done; returns when that is kept as far as it can be."""
        one.append("done")
        while self._open and len(self._open[0]) > 1:
            self.id = self._open.popleft()[0]
        self._moved.set()
        async with self._saving:
            if self.id != self._saved:
                id_ = self.id
                await self._save(id_)
                self._saved = id_
