"""What planning gives: writes, and what was decided on the way; values that can be printed, compared and kept."""

from dataclasses import dataclass, field
from typing import Any

from .units import Side


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
    changes: tuple[Change, ...] = ()


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
    disputes: tuple[Dispute, ...] = ()
    drift: tuple[str, ...] = ()
    """Units that are unequal, though neither side has changed them."""
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """Units that could not be converted, each with the reason."""
    agreed: tuple[str, ...] = ()
    """Units that both sides changed alike, or to what means the same: the shadows move, nothing is written."""
    verdict: str = ""
    """`dead`, `outside` or `unlink`, if the link itself ends."""
    why: str = ""
