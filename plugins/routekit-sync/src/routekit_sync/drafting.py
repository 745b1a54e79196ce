"""A plan while it is made: what the units of one link ask for, put together into one write for each side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .plans import Change, Dispute, LinkPlan, Write
from .units import Side, Unit
from .views import View, empty, other


@dataclass(slots=True)
class Half:
    """What is asked for on one side."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """To be written here."""
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    """The fields of the other side that is made of."""
    units: list[str] = field(default_factory=list[str])
    changes: list[Change] = field(default_factory=list[Change])
    moves: dict[str, Any] = field(default_factory=dict[str, Any])
    held: set[str] = field(default_factory=set[str])
    """Fields whose shadow must stay, as what they say is not done for every unit that reads them."""
    marks: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the shadow of a link that is new has, where it does not move."""
    touched: set[str] = field(default_factory=set[str])
    """Fields of units that are written: their shadow moves when that is done, and not before."""


@dataclass(slots=True)
class Draft:
    """A plan while it is made."""

    link: str
    a: Half = field(default_factory=Half)
    b: Half = field(default_factory=Half)
    disputes: list[Dispute] = field(default_factory=list[Dispute])
    drift: list[str] = field(default_factory=list[str])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    agreed: list[str] = field(default_factory=list[str])
    frozen: list[str] = field(default_factory=list[str])
    blocked: list[str] = field(default_factory=list[str])
    waits_for: str = ""

    def half(self, side: Side) -> Half:
        """What is asked for on a side."""
        return self.a if side == "a" else self.b

    def hold(self, unit: Unit) -> None:
        """Leave the shadows of a unit as they are: it is not done, and looked at again next time."""
        self.a.held.update(unit.a)
        self.b.held.update(unit.b)

    def move(self, a: View, b: View) -> None:
        """Take what both sides say of a unit as known: nothing has to be written for it."""
        if a.changed or len(a.value) != len(a.base):
            self.a.moves.update(a.value)
        if b.changed or len(b.value) != len(b.base):
            self.b.moves.update(b.value)

    def mark(self, a: View, b: View) -> None:
        """Note of a link that is new that nothing was known of a unit: what has a value is news until it is written."""
        self.a.marks.update({name: value if empty(value) else None for name, value in a.value.items()})
        self.b.marks.update({name: value if empty(value) else None for name, value in b.value.items()})

    def write(
        self, side: Side, unit: Unit, fields: Mapping[str, Any], view: View, source: Mapping[str, Any], why: str,
        *, done: bool = True,
    ) -> None:  # fmt: skip
        """Write fields of a unit to a side, where it is as in `view`; `done` unless the other side is written after."""
        half = self.half(side)
        half.fields.update(fields)
        half.source.update(source)
        if done:
            half.units.append(unit.name)
        before = {name: view.value[name] for name in fields if name in view.value}
        half.changes.append(Change(unit.name, before, dict(fields), why))
        self.a.touched.update(unit.a)
        self.b.touched.update(unit.b)

    def finished(self) -> LinkPlan:
        """The plan."""
        return LinkPlan(
            self.link,
            writes=tuple(self._writes()),
            disputes=tuple(self.disputes),
            drift=tuple(self.drift),
            problems=self.problems,
            agreed=tuple(self.agreed),
            frozen=tuple(self.frozen),
            blocked=tuple(self.blocked),
            waits_for=self.waits_for,
            moves_a=self.a.marks | _without(self.a.moves, self.a.held | self.a.touched),
            moves_b=self.b.marks | _without(self.b.moves, self.b.held | self.b.touched),
        )

    def _writes(self) -> Iterable[Write]:
        sides: tuple[Side, Side] = ("a", "b")
        for side in sides:
            half = self.half(side)
            if half.fields:
                source = _without(half.source, self.half(other(side)).held)
                yield Write(side, "update", half.fields, source, tuple(half.units), tuple(half.changes))


def _without(fields: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
