"""The contract of durable state. Stores in `routekit.stores` keep it; plugins may bring others.

State is asked for by a name that the author gives (`idempotent("seen-leads", ...)`), so renaming a variable never
loses it. A store may be shared by several processes; every write has happened durably when its call returns, in as
far as the store is durable at all. Times are wall time in seconds since 1970. All raise `StoreError` when the state
cannot be read or written.

Each kind of state is its own small protocol, opened by a method of `Store`: a kind that comes later (groups, timers,
a journal) is one more protocol and one more method, and stores in other databases implement kind by kind.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from .letter import Letter


class Claim(Enum):
    """What became of a claim on a key."""

    MINE = "mine"
    """The caller owns the key now, until it completes or releases it or its lease runs out."""
    HELD = "held"
    """Another owner holds a lease that has not run out."""
    DONE = "done"
    """The key was completed before."""


class Keys(Protocol):
    """Keys that were seen, under one name: the memory of `idempotent`."""

    async def claim(self, key: str, *, owner: str, lease: float) -> Claim:
        """Try to own `key` for `lease` seconds; an owner may claim its own key again."""
        ...

    async def complete(self, key: str, *, owner: str) -> None:
        """Remember `key` as done for good; a call that is not by the owner changes nothing."""
        ...

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim, so that the key may be claimed again at once."""
        ...


class Marks(Protocol):
    """Small texts by key, under one name: files seen, cursors of a poll."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        ...


class Letters(Protocol):
    """The dead letters of all routes."""

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it, so adding twice keeps one."""
        ...

    async def get(self, id: str) -> Letter | None: ...

    async def list(self, *, route: str | None = None, limit: int = 1000) -> Sequence[Letter]:
        """The newest letters first."""
        ...

    async def count(self, *, route: str | None = None) -> int: ...

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        ...


class Store(Protocol):
    """Durable state by name."""

    @property
    def durable(self) -> bool:
        """Whether state survives the process."""
        ...

    @property
    def owner(self) -> str:
        """Who this process is among those that share the store.

        No other living process has the same; after a crash, the process that comes next takes it over, and with it
        the claims that the dead one held: nobody has to wait for their leases.
        """
        ...

    def keys(self, name: str) -> Keys: ...

    def marks(self, name: str) -> Marks: ...

    @property
    def letters(self) -> Letters: ...
