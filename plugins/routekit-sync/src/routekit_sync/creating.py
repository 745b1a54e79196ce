"""A record that is on one side only: the write that creates it on the other."""

from dataclasses import dataclass, field
from typing import Any

from .absence import may_create
from .asking import Asked
from .plans import Change, LinkPlan, Write
from .units import Side, Unit
from .views import other


def created(asked: Asked, side: Side, why: str = "") -> LinkPlan:
    """The plan that creates the record on a side, from the other; or what it waits for, or why not."""
    link = asked.link.id
    if not may_create(side, asked.pair):
        return LinkPlan(link, why=why or f"nothing is created on side {side}")
    making = Making(asked, side, why or f"new in {other(side)}")
    for unit in asked.pair.units:
        making.take(unit)
    problems, blocked = making.problems, tuple(making.blocked)
    if making.waits_for:
        return LinkPlan(link, problems=problems, waits_for=making.waits_for, why=f"waits for {making.waits_for}")
    if not making.fields:
        return LinkPlan(link, problems=problems, blocked=blocked, why="it says nothing to make a record of")
    return LinkPlan(link, writes=(making.write(),), problems=problems, blocked=blocked, why=why)


@dataclass(slots=True)
class Making:
    """A create while it is put together; a unit that cannot be converted is left out, and counts as not brought yet."""

    asked: Asked
    side: Side
    why: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    held: set[str] = field(default_factory=set[str])
    changes: list[Change] = field(default_factory=list[Change])
    units: list[str] = field(default_factory=list[str])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    blocked: list[str] = field(default_factory=list[str])
    waits_for: str = ""

    def take(self, unit: Unit) -> None:
        """Add a unit, or note why not."""
        view = self.asked.view(unit, other(self.side))
        if (unit.to_b if self.side == "b" else unit.to_a) is None:
            self.source.update(view.value)  # it does not come from there: its value there is as good as known
            return
        if unit.name in self.asked.without:
            self.held.update(view.value)
            return
        if self.asked.still_refused(unit, view):
            self.blocked.append(unit.name)
            self.held.update(view.value)
            return
        made = self.asked.converted(unit, self.side, view)
        self.waits_for = self.waits_for or made.waits_for
        if made.problem:
            self.problems[unit.name] = made.problem
            self.held.update(view.value)
            return
        self.source.update(view.value)
        self.units.append(unit.name)
        self._add(unit, made.fields)

    def _add(self, unit: Unit, made: dict[str, Any]) -> None:
        # there is nothing to clear in a record that is new
        valued = {name: value for name, value in made.items() if value is not None}
        if valued:
            self.fields.update(valued)
            self.changes.append(Change(unit.name, {}, valued, self.why))

    def write(self) -> Write:
        """The create."""
        source = {name: value for name, value in self.source.items() if name not in self.held}
        return Write(self.side, "create", self.fields, source, tuple(self.units), tuple(self.changes))
