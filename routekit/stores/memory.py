"""State in memory, for tests and for routes that may forget: it ends with the process."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..errors import BadOption
from ..hookspecs import StoreFactory, hookimpl
from ..letter import Letter
from ..options import made
from ..store import Claim, Store
from ._groups import MemoryGroups
from ._lettertext import letter_of, text_of


@dataclass(slots=True)
class _Key:
    owner: str
    until: float | None
    """When the lease runs out; None: done."""
    at: float


class MemoryKeys:
    """Keys that were seen, under one name."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rows: dict[str, _Key] = {}

    async def claim(self, key: str, *, owner: str, lease: float) -> Claim:
        """Try to own `key` for `lease` seconds."""
        now, row = self._now(), self._rows.get(key)
        if row is not None and row.until is None:
            return Claim.DONE
        if row is not None and row.owner != owner and row.until is not None and row.until > now:
            return Claim.HELD
        self._rows[key] = _Key(owner, now + lease, now)
        return Claim.MINE

    async def complete(self, key: str, *, owner: str) -> None:
        """Remember `key` as done, if `owner` has claimed it."""
        if self._held(key, owner):
            self._rows[key] = _Key(owner, None, self._now())

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim."""
        if self._held(key, owner):
            del self._rows[key]

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time, in seconds since 1970; returns how many."""
        old = [key for key, row in self._rows.items() if row.until is None and row.at < before]
        for key in old:
            del self._rows[key]
        return len(old)

    def _held(self, key: str, owner: str) -> bool:
        row = self._rows.get(key)
        return row is not None and row.until is not None and row.owner == owner


class MemoryMarks:
    """Small texts by key, under one name."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self._values.get(key)

    async def put(self, key: str, value: str) -> None:
        self._values[key] = value

    async def delete(self, key: str) -> None:
        self._values.pop(key, None)

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        return sorted(self._values.items())


class MemoryLetters:
    """The dead letters of all routes, kept as text so that nobody can change them afterwards."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it."""
        text = text_of(letter)
        self._texts.pop(letter.id, None)
        self._texts[letter.id] = text

    async def get(self, id: str) -> Letter | None:
        text = self._texts.get(id)
        return None if text is None else letter_of(text)

    async def list(self, *, route: str | None = None, limit: int = 1000) -> Sequence[Letter]:
        """The newest letters first; of those of the same time, the one that was added last."""
        newest = self._of(route)
        newest.reverse()
        newest.sort(key=lambda letter: -letter.when)
        return newest[: max(limit, 0)]

    async def count(self, *, route: str | None = None) -> int:
        return len(self._texts if route is None else self._of(route))

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        return self._texts.pop(id, None) is not None

    def _of(self, route: str | None) -> "list[Letter]":  # the method `list` hides the type here
        letters = map(letter_of, self._texts.values())
        return [letter for letter in letters if route is None or letter.route == route]


class MemoryStore:
    """A store whose state ends with it."""

    durable = False
    owner = "memory"
    """Nobody else can share this store."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.letters = MemoryLetters()
        self._keys: defaultdict[str, MemoryKeys] = defaultdict(lambda: MemoryKeys(now))
        self._marks: defaultdict[str, MemoryMarks] = defaultdict(MemoryMarks)
        self._groups: defaultdict[str, MemoryGroups] = defaultdict(lambda: MemoryGroups(now))

    def keys(self, name: str) -> MemoryKeys:
        return self._keys[name]

    def marks(self, name: str) -> MemoryMarks:
        return self._marks[name]

    def groups(self, name: str) -> MemoryGroups:
        return self._groups[name]


class MemoryOptions(BaseModel):
    """The memory store has no options."""


@asynccontextmanager
async def open_memory(path: str, options: Mapping[str, Any], now: Callable[[], float]) -> AsyncGenerator[Store]:
    """A new, empty store."""
    made(MemoryOptions, options, "the memory store")
    if path:
        raise BadOption(f"the memory store has no path, found '{path}'", hint="write 'memory:' or 'sqlite:<path>'")
    yield MemoryStore(now)


@hookimpl
def register_stores() -> Mapping[str, StoreFactory]:
    return {"memory": open_memory}
