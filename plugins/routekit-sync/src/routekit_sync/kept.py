"""What is remembered beside the links: how far each side was read, conflicts, what is given up, and the last runs."""

from typing import Any

from pydantic import Field

from .state import Document
from .units import Side


class Cursor(Document):
    """How far the feed of one side has been read; times of `value` and `boundary` are by the clock of that side."""

    value: float | None = None
    """Of a feed by stamps: all that is older has been dealt with; None: nothing has been read yet."""
    token: str | None = None
    """Of a feed by token: where the next look begins."""
    overlap: float = 0.0
    """Seconds by which a look goes back behind `value`, besides what the remote's abilities ask for."""
    boundary: dict[str, str] = Field(default_factory=dict[str, str])
    """What was dealt with within the overlap: the ids, each with its version or stamp."""
    epoch: int = 0
    """How often the feed was begun anew, such as after a token had expired."""
    begun: float | None = None
    """Of a reading that is under way, what the side's clock said when it began."""
    page: str | None = None
    """Of a reading that is under way, the page that comes next."""
    complete: bool = False
    """Whether all of the side has been read once in this epoch."""
    swept: float = 0.0
    """When all of it was last read and compared, by our clock."""
    obtained: float = 0.0
    """When this was written, by our clock."""
    offset: float = 0.0
    """The side's clock minus ours, in seconds, as measured."""
    uncertainty: float = 0.0
    """By how much that may be wrong."""


class Conflict(Document):
    """A unit that both sides have changed, with both values whole, and what became of it."""

    id: str
    link: str
    unit: str
    id_a: str = ""
    id_b: str = ""
    base_a: dict[str, Any] = Field(default_factory=dict[str, Any])
    base_b: dict[str, Any] = Field(default_factory=dict[str, Any])
    value_a: dict[str, Any] = Field(default_factory=dict[str, Any])
    value_b: dict[str, Any] = Field(default_factory=dict[str, Any])
    stamp_a: float | None = None
    stamp_b: float | None = None
    outcome: str
    """`a`, `b`, `merged`, or `manual` as long as it waits for a person."""
    why: str
    at: float
    decided_by: str = "rule"
    decided: float | None = None
    """When a person decided it."""
    taken: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Of one that a person has decided by a value, that, as side a has it."""

    @property
    def open(self) -> bool:
        """Whether it waits for a person."""
        return self.outcome == "manual"


class Quarantined(Document):
    """A link that was given up for now, with the reason; it is tried again once its record changes, or by a person."""

    link: str
    side: Side
    """The side that would not take it."""
    id_a: str = ""
    id_b: str = ""
    fields: dict[str, Any] = Field(default_factory=dict[str, Any])
    """What was to be written."""
    code: str
    """The kind of error in one word: `refused`, `forbidden`, `unclear`, `failed`."""
    why: str
    rules: str = ""
    """A digest of the units by which it was tried."""
    first: float
    last: float
    attempts: int


class Lease(Document):
    """Who works at a part of a pair; the version of this document fences each write."""

    owner: str
    until: float


class Held(Document):
    """Deletions that a person has to look at first."""

    count: int
    """How many there were when they were last counted."""
    since: float
    allowed: int = 0
    """How many a person has let go."""


class RunRecord(Document):
    """One cycle, in figures."""

    at: float
    seconds: float
    figures: dict[str, float] = Field(default_factory=dict[str, float])
    note: str = ""


class Runs(Document):
    """The last cycles, the newest last."""

    runs: list[RunRecord] = Field(default_factory=list[RunRecord])
