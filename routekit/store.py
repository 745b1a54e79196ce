"""The contract of durable state. Stores in `routekit.stores` keep it; plugins may bring others.

State is asked for by a name that the author gives (`idempotent("seen-leads", ...)`), so renaming a variable never
loses it. A store may be shared by several processes; every write has happened durably when its call returns, in as
far as the store is durable at all. Times are wall time in seconds since 1970. All raise `StoreError` when the state
cannot be read or written.

Each kind of state is its own small protocol, opened by a method of `Store`: a kind that comes later (groups, timers,
a journal) is one more protocol and one more method, and stores in other databases implement kind by kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time, in seconds since 1970; returns how many."""
        ...


class Marks(Protocol):
    """Small texts by key, under one name: files seen, cursors of a poll."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        ...


class Adding(Enum):
    """What became of a message that was to be kept in a group."""

    NEW = "new"
    """It is kept now."""
    AGAIN = "again"
    """The open group has a message of that id already: nothing was changed."""
    CLOSED = "closed"
    """It is in a group that is being released: nothing was changed."""
    RELEASED = "released"
    """It was in a group that has been released: nothing was changed."""
    LATE = "late"
    """The last group of its key is closed and no other was wanted: it is not kept."""


@dataclass(frozen=True, slots=True)
class Group:
    """Messages that are kept together. `number` is never used again; times are wall time in seconds since 1970."""

    number: int
    key: str
    size: int
    first: float
    """When its first message was kept."""
    last: float
    """When its last message was kept."""
    owner: str = ""
    """Who releases it, once it is closed."""

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages, as it is being released."""
        return self.owner != ""


class Groups(Protocol):
    """Messages that wait to go on together, under one name: the memory of `aggregate`, `delay` and their kin.

    Of each key at most one group is open. A group is closed, released and then removed; who dies in between finds it
    closed. A message is text, as the step wrote it.
    """

    async def add(
        self,
        key: str,
        id: str,
        message: str,
        *,
        owner: str,
        full: int | None = None,
        reopen: bool = True,
        latest: bool = False,
    ) -> tuple[Adding, Group]:
        """Keep a message in the open group of `key`; the group is given as it is then, or the one that has it already.

        A group that has `full` messages then is closed at once, and `owner`'s to release. With `reopen=False` a key
        whose last group is closed, or remembered, takes no more. With `latest=True` the group keeps only this message.
        """
        ...

    async def close(self, number: int, *, owner: str) -> bool:
        """Let the group take no more. True if it is the caller's to release now, also if it was already."""
        ...

    async def all(self) -> Sequence[Group]:
        """The open and the closed groups, oldest first."""
        ...

    async def messages(self, number: int) -> Sequence[str]:
        """The messages of a group, in the order in which they were kept."""
        ...

    async def remove(self, number: int, *, remember: float = 0.0) -> None:
        """Forget a group; its key and the ids of its messages are remembered for some seconds."""
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

    def groups(self, name: str) -> Groups: ...

    @property
    def letters(self) -> Letters: ...
