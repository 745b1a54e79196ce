"""Units: the smallest things that a pair keeps in step, each with its two directions and its rule of conflict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from routekit.remotes import Fields

Side: TypeAlias = Literal["a", "b"]

Convert: TypeAlias = Callable[[Fields], Fields]
"""From the fields of one side that a unit reads, to those of the other that it writes.

A name that it leaves out is not written. It raises ValueError, with the reason, for what cannot be converted.
"""


class Rule(StrEnum):
    """Who wins where both sides have changed a unit."""

    A = "a"
    """Side a, always: it owns the unit. So does `b`."""
    B = "b"
    NEWEST = "newest"
    """The later change, by the records' stamps and the known offset of the clocks; within its uncertainty `a`."""
    NON_EMPTY = "non_empty"
    """Side a, unless it is empty there."""
    MAX = "max"
    MIN = "min"
    UNION = "union"
    """The elements of both lists, without doubles."""
    APPEND = "append"
    """What each side has added to a text or a list, one after the other."""
    MANUAL = "manual"
    """Nobody: the unit stays as it is on both sides until a person decides; other units go on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule of one's own makes of a conflict: the value of the unit as side a would have it, or None: manual."""

    fields: Fields | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """Both sides of a unit that have changed, given to a rule of one's own; all as side a would have it."""

    name: str
    a: Fields
    b: Fields
    base: Fields
    a_stamp: float | None
    b_stamp: float | None


Judge: TypeAlias = Callable[[Clash], Decision]


def _equal(left: Fields, right: Fields) -> bool:
    return dict(left) == dict(right)


@dataclass(frozen=True, slots=True)
class Unit:
    """Fields that move together: one field mostly, or a street with its town."""

    name: str
    a: Sequence[str]
    """The fields of side a that it is made of."""
    b: Sequence[str]
    to_b: Convert | None
    """None: side b is never written."""
    to_a: Convert | None
    """None: side a is never written."""
    same: Callable[[Fields, Fields], bool] = _equal
    """Whether two values of side b's fields mean the same: what `to_b` gave, and what b has."""
    same_a: Callable[[Fields, Fields], bool] = _equal
    """The same of side a's fields."""
    rule: Rule | Judge = Rule.A
    revert: bool = False
    """Whether a change on a side that is never read from is written back; otherwise it is reported as drift."""
    only_new: bool = False
    """Whether it is written at creation alone: a default."""
    sensitive: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the fields that are personal or secret, what they are (`email`, ...): they are shown masked."""
