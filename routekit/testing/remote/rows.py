"""What a remote in memory remembers: a record's states, the writes that were carried out, and answers to keys."""

from dataclasses import dataclass
from typing import NamedTuple

from ...remotes import Fields, Record


class Written(NamedTuple):
    """A write that came through the API and was carried out; whether its answer arrived is another matter."""

    op: str
    """`create`, `update` or `delete`."""
    id: str
    fields: Fields
    """What was sent."""


@dataclass(frozen=True, slots=True)
class State:
    """A record from one change to the next."""

    fields: Fields
    number: int
    """Of the change, among all changes of the system."""
    at: float
    """When it changed, by our clock."""
    stamp: float
    indexed: float
    """When the index has it, by our clock."""
    deleted: bool = False
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a create with an idempotency key was answered first."""

    at: float
    fields: Fields
    record: Record | None
    """None: an error of the server."""


@dataclass(eq=False, slots=True)
class Row:
    """One record: its states since the one that the index shows, the last one is the truth."""

    id: str
    made: int
    """The number of the change that made it."""
    states: list[State]
    hidden: bool = False

    @property
    def current(self) -> State:
        return self.states[-1]

    def indexed(self, now: float) -> State | None:
        """What the index has of it; None if it is too new for that."""
        return next((state for state in reversed(self.states) if state.indexed <= now), None)
