"""Knobs: what a remote in memory can do, and what it does that nobody told; as data, for each test its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from ...remotes import Abilities, Budget, Creating, Feed, Fields

Change: TypeAlias = Callable[[Any], Any]
"""From the value that a field was given to the one that is kept."""


class Paging(StrEnum):
    """How a long answer is cut into pages."""

    KEYSET = "keyset"
    """A page begins after the last record of the one before: what was there all the time is not missed."""
    OFFSET = "offset"
    """A page begins after so many records: while others change, rows shift, and are missed or come twice."""


class Deletes(StrEnum):
    """Where a deleted record can be noticed, other than by asking for it."""

    FEED = "feed"
    """The feed has a tombstone, and no list has the record any more."""
    SCAN = "scan"
    """The feed is silent; the record is missing in a scan of all."""
    NEVER = "never"
    """Lists go on showing the record as it was."""


class Ghost(StrEnum):
    """What `get` answers for a deleted record."""

    GONE = "gone"
    """None."""
    TOLD = "told"
    """A tombstone: the system retires records."""
    SILENT = "silent"
    """The record as it was: the system retires records, and does not say so."""


class Merging(StrEnum):
    """What becomes of the ids of two records that a user has made one."""

    POINTER = "pointer"
    """The loser is gone, and its tombstone names the winner."""
    ALIAS = "alias"
    """The loser's id gives the winner's record, which has its own id."""
    NEW = "new"
    """Both ids are aliases of a record with a new id."""
    SILENT = "silent"
    """The loser is deleted, and nothing says why."""


class Hidden(StrEnum):
    """How a record shows that we may not see any more. No list has it."""

    FORBIDDEN = "forbidden"
    """`get` raises `Forbidden`."""
    MISSING = "missing"
    """`get` gives None, as if there were none: the system lies about it."""


class Versions(StrEnum):
    """What the version of a record is."""

    NUMBER = "number"
    """Another one after each change."""
    STAMP = "stamp"
    """Its stamp: two changes within the granularity have the same one."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Knobs:
    """A system in memory. The defaults are those of one that is easy to live with; times are in seconds."""

    skew: float = 0.0
    """By how much its clock is ahead of ours."""
    granularity: float = 0.0
    """Its stamps are rounded down to a multiple of it."""
    tells_time: float | None = 0.0
    """The granularity of the clock that its pages tell; None: they tell none."""
    latency: float = 0.0
    """How long a call takes."""

    feed: Feed = Feed.STAMP
    lag: float = 0.0
    """A change gets into the index after at most this time, drawn for each: later changes may be seen earlier."""
    lagging: Collection[str] = ("changes",)
    """Which calls read the index, of `changes`, `find` and `scan`: they show a record as it was before."""
    token_life: float | None = None
    """How long a token of the feed is known; None: for good."""
    page_size: int = 100
    paging: Paging = Paging.KEYSET

    deletes: Deletes = Deletes.FEED
    ghost: Ghost = Ghost.GONE
    merging: Merging = Merging.POINTER
    hidden: Hidden = Hidden.FORBIDDEN

    normalise: Mapping[str, Change] = field(default_factory=dict[str, Change])
    """What it makes of a value that a field is given, by whomever; nothing declares it."""
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a field has that would be absent, or None."""
    computed: Mapping[str, Callable[[Fields], Any]] = field(default_factory=dict[str, Callable[[Fields], Any]])
    """Fields that are made of the others when they are read; no stamp moves for them, and they cannot be written."""
    read_only: Collection[str] = ()
    ignores_read_only: bool = False
    """Whether a write to a field that cannot be written is ignored, instead of refused."""
    unique: Sequence[str] = ()
    """Fields of which no two records may have the same value; None and `""` are none."""
    names_taken: bool = True
    """Whether `Taken` names the record that is there."""
    refuses: Callable[[Fields], Mapping[str, str]] | None = None
    """From the fields of a write to those that are to blame, each with the reason: nothing of it is done then."""
    touches: bool = True
    """Whether a write that changes no value moves stamp and version all the same."""
    automation: Callable[[Fields], Fields] | None = None
    """What the system itself changes after each write by the API, as a user would; its answer does not show it."""

    creating: Creating = Creating.REPLAY
    key_life: float | None = None
    replays_errors: bool = False
    """Whether a key also gives an error of the server again, if that was its first answer."""
    external_key: str | None = None
    findable: Sequence[str] = ()
    versions: Versions = Versions.NUMBER
    compare_and_set: bool = True
    version_required: bool = False
    """Whether an update or a deletion that names no version is refused as `Stale`."""
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True
    archive: Fields | None = None
    answers: bool = True
    batch: int = 50

    budget: Budget | None = None
    """More calls than this are answered with `Busy`."""
    concurrent: int | None = None
    """More calls at once than this are answered with `Busy`."""

    prefix: str = ""
    """What the ids of its records begin with."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Abilities that are declared otherwise than they are, by name: for tests of who has to find that out."""

    @property
    def abilities(self) -> Abilities:
        """What it says of itself: the truth, as far as `claims` does not say otherwise."""
        told: dict[str, Any] = {
            "feed": self.feed,
            "granularity": self.granularity,
            "lag": self.lag if "changes" in self.lagging else 0.0,
            "creating": self.creating,
            "key_life": self.key_life,
            "external_key": self.external_key,
            "findable": tuple(self.findable),
            "compare_and_set": self.compare_and_set,
            "tombstones": self.deletes is Deletes.FEED and self.feed is not Feed.NONE,
            "can_create": self.can_create,
            "can_update": self.can_update,
            "can_delete": self.can_delete,
            "archive": self.archive,
            "answers": self.answers,
            "batch": self.batch,
            "budget": self.budget,
        }
        return Abilities(**{**told, **self.claims})
