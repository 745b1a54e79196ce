"""The contract of durable state. Stores in `routekit.stores` keep it; plugins may bring others.

State is asked for by a name that the author gives (`idempotent("seen-leads", ...)`), so renaming a variable never
loses it. A store may be shared by several processes; every write has happened durably when its call returns, in as
far as the store is durable at all. Times are wall time in seconds since 1970. All raise `StoreError` when the state
cannot be read or written.

Each kind of state is its own small protocol, opened by a method of `Store`: a kind that comes later is one more
protocol and one more method, and stores in other databases implement kind by kind. All of them are in this file, so
that it is the one page that says what a store is, and longer than others.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from anyio import Event

from .letter import Cluster, Letter


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in a journal. `number` says when it arrived among the others, and is never used again."""

    number: int
    id: str
    message: str
    """The message, as the route wrote it when it arrived or at its last checkpoint."""
    place: str
    """The checkpoint from which it goes on; empty for the start of the route."""
    at: float
    """When it arrived, in seconds since 1970."""


class Arrival(Enum):
    """What became of a message that was to be journaled."""

    NEW = "new"
    """It is in the journal now, and the caller's to process."""
    OPEN = "open"
    """A message of that id is in the journal, and not finished: nothing was changed."""
    FINISHED = "finished"
    """A message of that id was finished, and is remembered: nothing was changed."""


class Journal(Protocol):
    """The messages of one durable route, from their arrival until they are finished.

    An entry belongs to the process that added it or took it. Once that is dead, or has lost its lease, another one may
    take the entry; what the former one still writes to it then is refused with a StoreError.
    """

    async def add(self, id: str, message: str, *, owner: str) -> Arrival:
        """Keep a message that has arrived; it is `owner`'s."""
        ...

    async def checkpoint(self, id: str, place: str, message: str, *, owner: str) -> None:
        """From now on the message goes on at `place`, as it is then; effects recorded before are forgotten."""
        ...

    async def record(self, id: str, effect: str, result: str, *, owner: str) -> None:
        """Remember that an effect of this message has happened, and what it gave."""
        ...

    async def effects(self, id: str) -> Mapping[str, str]:
        """What was recorded for the message since its last checkpoint."""
        ...

    async def finish(self, id: str, *, owner: str, remember: float = 0.0) -> None:
        """Forget the message and its effects; its id is remembered for some seconds."""
        ...

    async def take(self, *, owner: str, limit: int, after: int = 0) -> Sequence[Entry]:
        """Unfinished messages as the caller's own, oldest first, those numbered above `after`.

        They are those that were `owner`'s before, also under an earlier process of that name, and those of processes
        that are dead. The ones that another living process works at are left out.
        """
        ...

    async def adopt(self, id: str, *, owner: str) -> None:
        """Make an unfinished message the caller's own, whoever has it; nothing happens if there is none.

        It is for what a step brings again after a crash, such as a group: who has the group has its message too,
        though a process that was faster has taken that with the other ones of a dead process.
        """
        ...

    async def count(self) -> int:
        """How many are not finished."""
        ...

    async def prune(self, *, before: float) -> int:
        """Forget the ids that need not be remembered any more at that time; returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """A text that users keep, and how often it has been written: the first time is version 1."""

    text: str
    version: int
    at: float
    """When it was written, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One of several values that are written together. `text` None deletes; `version` and `until` as in `put`."""

    key: str
    text: str | None
    version: int | None = None
    until: float | None = None


class Values(Protocol):
    """Texts by key that several messages, and processes, may change at once: the state that users keep."""

    async def get(self, key: str) -> Value | None:
        """The value, if there is one and it is not to be forgotten yet."""
        ...

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        """Write a value; with `version` only if that is the current one (0: there is none yet), else None is given.

        It is forgotten at the time `until`, in seconds since 1970.
        """
        ...

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Forget a value; false if there was none, or another version."""
        ...

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        """Keys above `after` with their values, sorted by key."""
        ...

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """The values of those keys that have one, by key."""
        ...

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] = {}) -> bool:
        """Make all changes, or none if one of them, or a key of `given`, has another version than the one named.

        Each key is named once at most. `given` are keys that are not changed: what is written may rest on them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message in an outbox. `number` says when it came in among the others."""

    number: int
    id: str
    message: str
    at: float


class Outbox(Protocol):
    """Messages under one name that are still to be sent, in the order in which they were put in."""

    async def add(self, parcels: Sequence[tuple[str, str]]) -> None:
        """Put in messages, each with its id; one whose id is there already is left out. All or none."""
        ...

    async def take(self, *, owner: str, lease: float, limit: int) -> Sequence[Parcel]:
        """The oldest ones, for `lease` seconds the caller's own; those that another owner has now are left out."""
        ...

    async def sent(self, numbers: Sequence[int], *, owner: str) -> None:
        """Forget those, as far as they are still the owner's."""
        ...

    async def back(self, numbers: Sequence[int], *, owner: str) -> None:
        """Give them back, so that they may be taken at once."""
        ...

    async def count(self) -> int:
        """How many are still to be sent."""
        ...


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a person, or a tool in his name, did to what the store holds."""

    when: float
    """In seconds since 1970."""
    who: str
    action: str
    """Such as `letters.discard`."""
    what: str
    """To what: a letter's id, a route."""
    details: str = ""
    """Why, and how, in one line."""


class Audit(Protocol):
    """What operators did, in order; nothing is ever changed in it."""

    async def add(self, deed: Deed) -> None:
        """Keep what somebody did."""
        ...

    async def list(self, *, since: float | None = None, limit: int = 1000) -> Sequence[Deed]:
        """The newest first."""
        ...

    async def prune(self, *, before: float) -> int:
        """Forget what is older, as the retention says; returns how many."""
        ...


class Letters(Protocol):
    """The dead letters of all routes."""

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it, so adding twice keeps one."""
        ...

    async def get(self, id: str) -> Letter | None: ...

    async def list(
        self,
        *,
        route: str | None = None,
        cluster: str | None = None,
        since: float | None = None,
        before: float | None = None,
        oldest: bool = False,
        limit: int = 1000,
    ) -> Sequence[Letter]:
        """The newest letters first, or with `oldest` the oldest; those given up from `since` on and before `before`."""
        ...

    async def count(self, *, route: str | None = None, cluster: str | None = None) -> int: ...

    async def clusters(self, *, route: str | None = None) -> Sequence[Cluster]:
        """What is alike among the letters, the largest first; of those of one size, the one with the newest letter."""
        ...

    async def prune(self, *, before: float) -> int:
        """Forget the letters given up earlier than this time, in seconds since 1970; returns how many."""
        ...

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """How much of one kind a store holds under one name."""

    kind: str
    """`keys`, `marks`, `groups`, `journal`, `finished` (ids that a journal remembers), `values`, `outbox`, `letters` or
    `audit`."""
    name: str
    """The name of the state; of letters their route; empty for the audit."""
    count: int
    """How many keys, values, messages that are kept, and so on."""
    oldest: float | None
    """When the oldest of them was written, in seconds since 1970; of letters, when it was given up."""


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

    def journal(self, name: str) -> Journal: ...

    def values(self, name: str) -> Values: ...

    def outbox(self, name: str) -> Outbox: ...

    @property
    def letters(self) -> Letters: ...

    @property
    def audit(self) -> Audit: ...

    async def contents(self) -> Sequence[Held]:
        """What there is of each kind under each name, sorted by kind and name; what is empty is left out."""
        ...

    async def vacuum(self) -> None:
        """Give space that is no longer needed back to the disk; may take long, and writers may have to wait for it."""
        ...


@runtime_checkable
class Exclusive(Protocol):
    """What a store offers besides if it is for one service at a time; tools may always open it beside that one."""

    def serving(self) -> AbstractContextManager[None]:
        """Held by the service that runs routes with it; raises StoreError, naming the other one, if there is one."""
        ...


@runtime_checkable
class Shared(Protocol):
    """What a store offers besides if other living processes may change what it holds, and it hears of that."""

    def changed(self, kind: str, name: str) -> Event:
        """Set at the next change of the `journal`, the `groups` or the `outbox` of that name by a process.

        Something was put into the outbox, or a process has died or left, and others may take what it had. Ask for it,
        look, and wait for it then: so nothing is missed. It may be set for nothing, and not at all while the store is
        out of reach.
        """
        ...


class Office(Protocol):
    """A place that at most one of the processes that share a store has at a time: who has it leads.

    A process holds it by its lease: it leads from the moment at which the store says so until the lease has run out
    without a sign of life, by its own clock. Another one gets the place only once that is over, so that two never
    lead at the same time. What the former leader still writes to the store after that is refused.
    """

    @property
    def leads(self) -> bool:
        """Whether this process leads now. Looks at a clock and at nothing else: ask again before each deed."""
        ...

    @property
    def leader(self) -> str:
        """The name of the process that leads, as far as this one knows; empty before the first answer of the store."""
        ...

    @property
    def term(self) -> int:
        """The number of this leadership, which grows with each that follows another; 0 while this process waits."""
        ...

    @property
    def since(self) -> float | None:
        """When somebody led last before this leadership, in seconds since 1970, if this process waited by then.

        None at a cold start: what passed before it was missed by all. What has passed since then was only missed by a
        change of the leader.
        """
        ...

    def changed(self) -> Event:
        """Set at the next change of any of these. Ask for it, look, and wait for it then."""
        ...


@runtime_checkable
class Electing(Protocol):
    """What a store offers besides if the processes that share it elect who of them leads."""

    def leading(self, name: str) -> AbstractAsyncContextManager[Office]:
        """Stand for the office of that name within the block; it does not wait to be elected.

        Leaving the block gives the office to another process that waits for it, at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store is kept in: `software` with its version, and `schema`, the version of its tables.

    `now` is the time of day there, in seconds since 1970; None if it has no other clock than this machine.
    """

    software: str
    schema: int
    now: float | None = None


@runtime_checkable
class Described(Protocol):
    """What a store offers besides if it can say what it is kept in, for `routekit doctor`."""

    async def described(self) -> StoreFacts:
        """What it is kept in, asked just now."""
        ...
