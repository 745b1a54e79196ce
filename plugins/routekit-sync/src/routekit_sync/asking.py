"""What a plan is made of: one link, its two reports, and all else that the answer depends on."""

from dataclasses import dataclass

from routekit.remotes import Record

from .converting import Converted, convert
from .judging import Judgement
from .pair import SyncPair
from .plans import Clocks, Decided, Dispute, Parents
from .state import Link
from .units import Side, Unit
from .views import View, look


@dataclass(frozen=True, slots=True)
class Asked:
    """One link, its reports, and all that a plan depends on."""

    link: Link
    a: Record | None
    b: Record | None
    pair: SyncPair
    clocks: Clocks
    parents: Parents
    decided: Decided
    without: frozenset[str]

    def view(self, unit: Unit, side: Side) -> View:
        """What a side says of a unit."""
        return look(unit.a, self.a, self.link.a) if side == "a" else look(unit.b, self.b, self.link.b)

    def converted(self, unit: Unit, to: Side, view: View) -> Converted:
        """What a side says of a unit, as the side `to` would have it."""
        return convert(unit, to, view.value, self.pair, self.parents)

    def still_refused(self, unit: Unit, source: View) -> bool:
        """Whether this is what the other side has refused already."""
        return unit.name in self.link.blocked and self.link.refused.get(unit.name) == source.value

    def writable(self, unit: Unit, side: Side) -> bool:
        """Whether a unit's changes go to a side."""
        turn = unit.to_b if side == "b" else unit.to_a
        return turn is not None and self.pair.remote(side).abilities.can_update

    def dispute(self, unit: Unit, a: View, b: View, judged: Judgement) -> Dispute:
        """What both sides say of a unit, and what became of it."""
        stamps = (self.a.stamp if self.a else None, self.b.stamp if self.b else None)
        return Dispute(unit.name, a.base, b.base, a.value, b.value, *stamps, judged.outcome, judged.why)
