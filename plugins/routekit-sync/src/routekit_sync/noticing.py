"""Hints: records of which somebody says that they have changed; kept until a cycle has looked at them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio

from routekit import Runtime, Values

from .pair import SyncPair
from .units import Side

MOST = 1000
"""Hints that one cycle takes; the others wait for the next."""


class Noted(NamedTuple):
    """A hint as it is kept."""

    side: Side
    id: str
    version: int


class Hints:
    """The hints of one pair, which all processes that share the store give and take; each part of it has its own."""

    def __init__(self, values: Values, parts: int = 1) -> None:
        self._values = values
        self._parts = parts

    async def add(self, side: Side, id: str) -> None:
        """Keep a hint; the same one again counts as one, and is looked at again if a cycle is at it now.

        Nobody knows yet which part of the pair the record belongs to: each looks.
        """
        for part in range(self._parts):
            await self._values.put(f"{part}/{side}/{id}", "")

    async def all(self, part: int = 0) -> Sequence[Noted]:
        """Those that wait for a part, so many as one cycle takes."""
        begin = f"{part}/"
        found = [one for one in await self._values.items(after=begin, limit=MOST) if one[0].startswith(begin)]
        places = [(key.removeprefix(begin), value.version) for key, value in found]
        return [Noted("a" if place[:1] == "a" else "b", place[2:], version) for place, version in places]

    async def done(self, those: Sequence[Noted], part: int = 0) -> None:
        """Forget those that a part has looked at; one that was given again meanwhile stays."""
        for side, own, version in those:
            await self._values.delete(f"{part}/{side}/{own}", version=version)


def hints_of(pair: SyncPair, runtime: Runtime) -> Hints:
    """The hints of a pair."""
    return Hints(runtime.store.values(f"sync-hints:{pair.name}"), max(1, pair.partitions))


@dataclass(eq=False)
class Room:
    """Where endpoints of one pair meet in one process: one cycle at a time, and a bell for hints."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    bell: anyio.Event = field(default_factory=anyio.Event)

    def ring(self) -> None:
        """Wake whoever waits for the next cycle."""
        self.bell.set()

    def hush(self) -> None:
        """From now on only what rings later counts."""
        if self.bell.is_set():
            self.bell = anyio.Event()


async def room_of(name: str, runtime: Runtime) -> Room:
    """The room of the pair of that name."""
    return await runtime.shared(_open_room, name)


@asynccontextmanager
async def _open_room(name: str) -> AsyncGenerator[Room]:
    yield Room()
