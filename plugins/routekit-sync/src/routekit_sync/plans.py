"""What planning takes and gives: writes, and what was decided on the way; values to be printed, compared and kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .units import Decision, Side

Parents: TypeAlias = Mapping[tuple[str, Side, str], str | None]
"""Of a record named by (pair, side, id), its id on the other side; not there or None: it is not linked yet."""

Decided: TypeAlias = Mapping[str, "Side | Decision"]
"""By unit, what a person or a repair has decided: the side whose value goes to the other, or a value of side a."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """How far the clock of each side is ahead of ours, and how sure that is; all in seconds."""

    offset_a: float = 0.0
    offset_b: float = 0.0
    uncertainty: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """What one write does to one unit: before and after, as the side that is written has it."""

    unit: str
    before: dict[str, Any]
    after: dict[str, Any]
    why: str
    """Such as `changed in a`, or `conflict: a owns it`."""


@dataclass(frozen=True, slots=True)
class Write:
    """One call to one side. `op` is `create`, `update`, `archive` or `delete`; `fields` is all that it sends."""

    side: Side
    op: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    """The fields of the other side it was made of."""
    units: tuple[str, ...] = ()
    """The units that are in step on this side once it is written.

    The first half of a merge is in `changes` alone: what is written to side a has to go to side b still.
    """
    changes: tuple[Change, ...] = ()

    @property
    def preimage(self) -> dict[str, Any]:
        """The fields that are written, as they were before; an intent keeps them."""
        return {name: value for change in self.changes for name, value in change.before.items() if name in self.fields}


@dataclass(frozen=True, slots=True)
class Dispute:
    """A unit that both sides have changed, and what became of it; the loser is in it whole."""

    unit: str
    base_a: dict[str, Any]
    base_b: dict[str, Any]
    value_a: dict[str, Any]
    value_b: dict[str, Any]
    stamp_a: float | None
    stamp_b: float | None
    outcome: str
    """`a`, `b`, `merged` or `manual`."""
    why: str


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What one link needs. Carrying it out, and nothing else, brings the link in step, but for what it lists."""

    link: str
    writes: tuple[Write, ...] = ()
    """In this order; after one that failed the rest is left, as it may build on it, and the link is planned anew."""
    disputes: tuple[Dispute, ...] = ()
    drift: tuple[str, ...] = ()
    """Units that are unequal, though neither side has changed them."""
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """Units that could not be converted, each with the reason."""
    agreed: tuple[str, ...] = ()
    """Units that both sides changed alike, or to what means the same: the shadows move, nothing is written."""
    frozen: tuple[str, ...] = ()
    """Units that wait for a person still."""
    blocked: tuple[str, ...] = ()
    """Units that were refused and have not changed since: they are not sent again."""
    waits_for: str = ""
    """The parent that is not linked yet, as `pair/side/id`: what needs it waits."""
    moves_a: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of side a's shadow that become this at once, as nothing has to be written for them."""
    moves_b: dict[str, Any] = field(default_factory=dict[str, Any])
    verdict: str = ""
    """`dead`, `outside` or `unlink`, if the link itself ends, once the writes are done."""
    why: str = ""
    """Of the verdict, or of why there is nothing to do for a link that is not in step."""
