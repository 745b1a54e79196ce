"""State in memory, for tests and for routes that may forget: it ends with the process."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..errors import BadOption
from ..hookspecs import StoreFactory, hookimpl
from ..options import made
from ..store import Claim, Held, Store
from ._audit import MemoryAudit
from ._groups import MemoryGroups
from ._journal import MemoryJournal
from ._letters import MemoryLetters
from ._outbox import MemoryOutbox
from ._values import MemoryValues


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
        if self._mine(key, owner):
            self._rows[key] = _Key(owner, None, self._now())

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim."""
        if self._mine(key, owner):
            del self._rows[key]

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time, in seconds since 1970; returns how many."""
        old = [key for key, row in self._rows.items() if row.until is None and row.at < before]
        for key in old:
            del self._rows[key]
        return len(old)

    def held(self) -> list[float]:
        """When the keys were claimed, or done."""
        return [row.at for row in self._rows.values()]

    def _mine(self, key: str, owner: str) -> bool:
        row = self._rows.get(key)
        return row is not None and row.until is not None and row.owner == owner


class MemoryMarks:
    """Small texts by key, under one name."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._values: dict[str, tuple[str, float]] = {}

    async def get(self, key: str) -> str | None:
        """The value of that key."""
        return self._values[key][0] if key in self._values else None

    async def put(self, key: str, value: str) -> None:
        """Write a value."""
        self._values[key] = value, self._now()

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self._values.pop(key, None)

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        return sorted((key, value) for key, (value, _) in self._values.items())

    def held(self) -> list[float]:
        """When the values were written."""
        return [at for _, at in self._values.values()]


class MemoryStore:
    """A store whose state ends with it."""

    durable = False
    owner = "memory"
    """Nobody else can share this store."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.letters = MemoryLetters()
        self.audit = MemoryAudit()
        self._keys: defaultdict[str, MemoryKeys] = defaultdict(lambda: MemoryKeys(now))
        self._marks: defaultdict[str, MemoryMarks] = defaultdict(lambda: MemoryMarks(now))
        self._groups: defaultdict[str, MemoryGroups] = defaultdict(lambda: MemoryGroups(now))
        self._journals: defaultdict[str, MemoryJournal] = defaultdict(lambda: MemoryJournal(now))
        self._values: defaultdict[str, MemoryValues] = defaultdict(lambda: MemoryValues(now))
        self._outboxes: defaultdict[str, MemoryOutbox] = defaultdict(lambda: MemoryOutbox(now))

    def keys(self, name: str) -> MemoryKeys:
        """The keys of that name."""
        return self._keys[name]

    def marks(self, name: str) -> MemoryMarks:
        """The marks of that name."""
        return self._marks[name]

    def groups(self, name: str) -> MemoryGroups:
        """The groups of that name."""
        return self._groups[name]

    def journal(self, name: str) -> MemoryJournal:
        """The journal of that name."""
        return self._journals[name]

    def values(self, name: str) -> MemoryValues:
        """The values of that name."""
        return self._values[name]

    def outbox(self, name: str) -> MemoryOutbox:
        """The outbox of that name."""
        return self._outboxes[name]

    async def contents(self) -> Sequence[Held]:
        """What there is of each kind under each name."""
        found = [Held(kind, name, len(times), min(times)) for kind, name, times in self._held() if times]
        return sorted(found, key=lambda held: (held.kind, held.name))

    async def vacuum(self) -> None:
        """Nothing to give back."""

    def _held(self) -> Iterable[tuple[str, str, list[float]]]:
        simple = {"keys": self._keys, "marks": self._marks, "groups": self._groups, "values": self._values}
        for kind, states in {**simple, "outbox": self._outboxes}.items():
            yield from ((kind, name, state.held()) for name, state in states.items())
        for name, journal in self._journals.items():
            unfinished, finished = journal.held()
            yield from (("journal", name, unfinished), ("finished", name, finished))
        yield from (("letters", route, times) for route, times in self.letters.held().items())
        yield "audit", "", self.audit.held()


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
