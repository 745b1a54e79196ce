"""Which pages are done: the position moves over whole pages, and only over those before the first unfinished one."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio

from .paging import Position


class Reached(NamedTuple):
    """From where to read on, and which rows of that page are done already."""

    position: Position | None = None
    done: Sequence[str] = ()


@dataclass(eq=False, slots=True)
class Reading:
    """A page that is being read; `following` is the position behind it, `open` counts its rows at work."""

    position: Position | None
    following: Position | None
    open: int = 0
    whole: bool = False
    done: list[str] = field(default_factory=list[str])


@dataclass(eq=False)
class Progress:
    """Pages in the order in which they were read. `save` keeps what is reached; those who wait for it share a write."""

    save: Callable[[Reached], Awaitable[None]]
    reached: Reached
    _pages: deque[Reading] = field(default_factory=deque[Reading])
    _saving: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self._saved = self.reached

    def __len__(self) -> int:
        return len(self._pages)

    def page(self, position: Position | None, following: Position | None) -> Reading:
        """A page was read."""
        self._pages.append(Reading(position, following))
        return self._pages[-1]

    async def settle(self, *, ending: bool = False) -> None:
        """Keep the position behind the pages that are done; at an end, also which rows of the next page are."""
        while self._pages and self._pages[0].whole and not self._pages[0].open:
            self.reached = Reached(self._pages.popleft().following)
        if ending and self._pages and self._pages[0].done:
            self.reached = Reached(self._pages[0].position, tuple(self._pages[0].done))
        async with self._saving:
            if self.reached != self._saved:
                reached = self.reached
                await self.save(reached)
                self._saved = reached
