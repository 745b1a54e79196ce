"""The contract of remote systems that hold records: what a connector offers, and what it cannot give.

A connector describes one kind of object of one system, such as the customers of an ERP, in two parts. `Remote` is
the definition: a value with a name and its `Abilities`, which say as data what the system can do. `Session` is that
system while it is open. Whoever keeps records in step asks the abilities first, and takes the way that they allow.

A record's fields are JSON values by name. Three things are told apart everywhere: a name that is not there is absent,
and says nothing; None is cleared; `""`, `[]` and `0` are values. A connector hides how its system writes each of them.

All times are seconds since 1970 by the clock that is named. Each failure of a session is a `RemoteError` that says what
is known of the outcome, as who asked has to act on just that.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, runtime_checkable

from .errors import Rejected, Unavailable
from .step import Runtime

Fields: TypeAlias = Mapping[str, Any]
"""JSON values by name: absent, None and empty are three different things."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as its system reported it."""

    id: str
    fields: Fields = field(default_factory=dict[str, Any])
    version: str | None = None
    """What a write that must not overwrite a newer one names: an ETag, a number, a stamp."""
    stamp: float | None = None
    """When it was last changed, by the clock of its system."""
    deleted: bool = False
    """That it is gone: a tombstone, without fields."""
    merged_into: str | None = None
    """The record that it was merged into, if it is gone for that reason."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and how to go on."""

    records: Sequence[Record]
    next: str | None = None
    """What gives the page that follows; None for the last one."""
    token: str | None = None
    """With the last page of a feed by token: where the next look begins."""
    now: float | None = None
    """The system's clock when it answered, if it says so."""


class Feed(StrEnum):
    """How a system tells what has changed."""

    STAMP = "stamp"
    """Records changed at or after a time, ordered by `(stamp, id)`."""
    TOKEN = "token"  # noqa: S105  # the name of a kind of feed
    """What changed since an opaque token."""
    NONE = "none"
    """It does not: all records are read and compared."""


class Creating(StrEnum):
    """What becomes of a create that is sent twice, as its answer was lost."""

    NATURAL = "natural"
    """It is an upsert by `external_key`: the second changes the first one's record."""
    REPLAY = "replay"
    """The same idempotency key gives the first answer again."""
    POINTER = "pointer"
    """The same key is refused with `Taken`, which names the first one's record."""
    REFUSE = "refuse"
    """The same key is refused, without a word of the first: the record has to be looked up."""
    NONE = "none"
    """There are two records then: who does not know the outcome must look it up, and may not find out."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many calls in each window of so many seconds; `seen` says when that was read or measured."""

    calls: int
    seconds: float
    source: str = ""
    seen: date | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a system can do with one kind of object. The defaults are those of one that can do little."""

    feed: Feed = Feed.NONE
    granularity: float = 0.0
    """Seconds within which two changes have the same stamp."""
    lag: float = 0.0
    """Seconds until a change is seen in the feed, at most."""
    creating: Creating = Creating.NONE
    key_life: float | None = None
    """Seconds for which an idempotency key is known; None: for good."""
    external_key: str | None = None
    """A field that takes an id of ours, and by which a record is found; None if there is none."""
    findable: Sequence[str] = ()
    """Other fields by which `find` works."""
    compare_and_set: bool = False
    """Whether an update that names a version is refused with `Stale` if the record has another one."""
    tombstones: bool = False
    """Whether the feed tells of deleted records."""
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True
    archive: Fields | None = None
    """The fields that put a record out of use without deleting it; None if there is no such thing."""
    answers: bool = False
    """Whether a write's answer is the record as it is kept; otherwise it has to be read back."""
    batch: int = 1
    """How many ids `many` takes at once."""
    budget: Budget | None = None
    verified: date | None = None
    """When these abilities were last seen to hold on a real system."""

    @property
    def overlap(self) -> float:
        """Seconds by which a look at the feed goes back behind what was seen: what may show up late."""
        return self.lag + self.granularity


class Session(Protocol):
    """One kind of object of a system that is open; several calls may be under way at once."""

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        """What changed at or after a stamp, or since a token; `page` is the `next` of the page before.

        None reads from the beginning. Raises `FeedExpired` for a token that is not known any more.
        """
        ...

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        """All records there are, as few calls as can be; with `fields=False` ids and what else costs nothing."""
        ...

    async def get(self, id: str) -> Record | None:
        """A record as it is now; None if there is certainly none. One that may not be seen raises `Forbidden`."""
        ...

    async def many(self, ids: Sequence[str]) -> Sequence[Record]:
        """Those of the records that there are, at most `Abilities.batch`."""
        ...

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        """The records whose field of that name, one that can be found by, has that value."""
        ...

    async def create(self, fields: Fields, *, key: str) -> Record:
        """Make a record; `key` is the same for each attempt of one create.

        Where `creating` is natural, `fields` holds the external key.
        """
        ...

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        """Change these fields and no other; with `version`, if the system can, only if it has that still."""
        ...

    async def delete(self, id: str, *, version: str | None = None) -> None:
        """Delete a record; one that is gone already is fine."""
        ...


@runtime_checkable
class Remote(Protocol):
    """One kind of object of one system: a value, which is opened where it is used."""

    @property
    def name(self) -> str:
        """How people call it, such as `tryton parties`."""
        ...

    @property
    def abilities(self) -> Abilities: ...

    def open(self, runtime: Runtime) -> AbstractAsyncContextManager[Session]:
        """The session; connections that others use too are shared by the runtime."""
        ...


class RemoteError(Exception):
    """What a remote system answered instead of doing what was asked, told by what is known of the outcome."""


class Unsent(RemoteError, Unavailable):
    """The call has certainly not been carried out: it may be sent again."""


class Unclear(RemoteError, Unavailable):
    """Nobody knows whether the call was carried out: a lost answer, an error of the server."""


class Busy(RemoteError, Unavailable):
    """Too many calls: nothing was done, and that is no failed attempt. `after` is the time to wait, in seconds."""

    def __init__(self, message: str, *, after: float = 0.0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Stale(RemoteError, Rejected):
    """The record has another version than the one named: nothing was done; read it, and decide anew."""


class Refused(RemoteError, Rejected):
    """The system will not take it as it is; `fields` says of each field that is to blame why, as far as known."""

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fields = dict(fields or {})


class Taken(RemoteError, Rejected):
    """A record with that key is there already, or several: `ids`, as far as the system names them."""

    def __init__(self, message: str, *, ids: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.ids = tuple(ids)


class Gone(RemoteError, Rejected):
    """There is certainly no such record any more; `merged_into` is the one that has taken its place."""

    def __init__(self, message: str, *, merged_into: str | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.merged_into = merged_into


class Forbidden(RemoteError, Rejected):
    """Whoever we are to that system may not do or see this. It says nothing of whether the record is there."""


class FeedExpired(RemoteError, Rejected):
    """The feed's token is not known any more: everything has to be read once, and compared."""
