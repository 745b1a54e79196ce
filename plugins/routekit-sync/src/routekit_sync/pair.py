"""SyncPair: two remotes that are kept in step, as a value that is checked, printed and run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from routekit.remotes import Record, Remote

from .units import Side, Unit


class Deleted(StrEnum):
    """What a deletion on one side does to the other."""

    ARCHIVE = "archive"
    """It is put out of use there, if the system can, and else it stays and is reported; nothing is deleted."""
    DELETE = "delete"
    """It is deleted there; an edit at the same time wins, and brings it back."""
    DELETE_WINS = "delete_wins"
    """It is deleted there, also if it was edited at the same time."""
    KEEP = "keep"
    """It stays, and the two are not linked any more."""


class Outside(StrEnum):
    """What becomes of a link when a record leaves the scope of its pair."""

    FREEZE = "freeze"
    """Both records stay as they are; the link is kept, for when it comes back."""
    UNLINK = "unlink"
    DELETE = "delete"
    """The other side is treated as for a deletion."""


@dataclass(frozen=True, slots=True)
class Match:
    """How two records that are not linked yet are found to be one: these fields have the same key on both sides.

    `key` makes a text of the fields, or None for "says nothing": the same function for both sides, or one for each.
    """

    name: str
    a: Sequence[str]
    b: Sequence[str]
    key: Callable[[Mapping[str, Any]], str | None] | None = None
    key_b: Callable[[Mapping[str, Any]], str | None] | None = None
    review: bool = False
    """Whether a person confirms what is found so: it is too weak to link by itself."""


@dataclass(frozen=True, slots=True)
class Brake:
    """More deletions than this in one cycle are not carried out until a person has looked."""

    count: int = 20
    ratio: float = 0.02
    """Of all links; the larger of the two counts."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """More writes than this to one link within the time, and the link is parked: something answers every write."""

    writes: int = 10
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often a record is tried before it is quarantined, and how long is waited between."""

    attempts: int = 5
    first: float = 5.0
    longest: float = 3600.0


@dataclass(frozen=True, slots=True)
class SyncPair:
    """Two remotes, and all that says how they are kept in step.

    `name` names the state in the store: it stays when variables are renamed.
    """

    name: str
    a: Remote
    b: Remote
    units: Sequence[Unit]
    """What is kept in step; `routekit_sync.units_of` makes them of a `Mapping`."""
    match: Sequence[Match] = ()
    """Tried in order for a record that is not linked, before one is created on the other side."""
    creates: Literal["both", "a", "b", "none"] = "both"
    """Where records are created that are missing there: `b`, for instance, if only side a has new ones."""
    deletes: Deleted = Deleted.ARCHIVE
    scope_a: Callable[[Record], bool] | None = None
    """Which records of side a are kept in step; None: all."""
    scope_b: Callable[[Record], bool] | None = None
    outside: Outside = Outside.FREEZE
    parents: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fields that hold the id of another record, each with the name of the pair that links those: `{"account": "..."}`.

    The field's name is the unit's; a record waits until its parent is linked.
    """
    every: float = 60.0
    """Seconds between two cycles."""
    sweep: float = 86400.0
    """Seconds between two full comparisons, which find what no feed tells."""
    brake: Brake = field(default_factory=Brake)
    breaker: Breaker = field(default_factory=Breaker)
    retry: Retrying = field(default_factory=Retrying)
    tie: float = 1.0
    """Seconds of uncertainty of the clocks beside what is measured: two changes nearer than that go to side a."""
    at_once: int = 4
    """How many links are worked at at once; what belongs to one link is done in order."""
    partitions: int = 1
    """Into how many parts the pair is split among processes that share the store."""
    tombstones: float = 180 * 86400.0
    """Seconds for which a deleted link is remembered, so that a late page does not bring it back."""

    def __str__(self) -> str:
        return self.name

    def remote(self, side: Side) -> Remote:
        """The remote of a side."""
        return self.a if side == "a" else self.b
