"""Bench: what a cycle works with, and what stops it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from routekit.remotes import Abilities, Record

from .calling import Calls
from .ledger import Known, Ledger, Saving, digest
from .pair import SyncPair
from .plans import Clocks, LinkPlan, Parents
from .state import Link, Shadow
from .summary import Progress, Summary
from .units import Side


@dataclass(eq=False)
class Dirty:
    """A link to be worked at, with what was just read of its records; None: not looked at."""

    known: Known
    a: Record | None = None
    b: Record | None = None

    def record(self, side: Side) -> Record | None:
        """What a side has just reported."""
        return self.a if side == "a" else self.b

    def saw(self, side: Side, record: Record | None) -> None:
        """A side has reported this."""
        if side == "a":
            self.a = record
        else:
            self.b = record


class Halted(Exception):
    """The cycle cannot go on: what has been done is kept, no cursor moves any more."""


@dataclass(eq=False)
class Bench:
    """A pair in the middle of a cycle."""

    pair: SyncPair
    ledger: Ledger
    a: Calls
    b: Calls
    now: Callable[[], float]
    random: Random
    summary: Summary
    report: Callable[[Progress], None]
    kin: Callable[[str], Ledger]
    """The ledger of another pair, for parents."""
    rehearsal: list[LinkPlan] | None = None
    """Where plans are put instead of being carried out."""
    rehearsed: set[str] = field(default_factory=set[str])
    """Links whose writes have been put there."""
    partition: int = 0
    stopped: Exception | None = None

    def calls(self, side: Side) -> Calls:
        """The way to a side."""
        return self.a if side == "a" else self.b

    def abilities(self, side: Side) -> Abilities:
        """What a side can do."""
        return self.calls(side).abilities

    @property
    def clocks(self) -> Clocks:
        """The clocks as far as they were measured."""
        a, b = self.a.offset, self.b.offset
        return Clocks(
            a.ahead if a else 0.0,
            b.ahead if b else 0.0,
            (a.uncertainty if a else 0.0) + (b.uncertainty if b else 0.0),
        )

    def mine(self, link: str) -> bool:
        """Whether a link belongs to the part of the pair that is worked at."""
        return self.pair.partitions <= 1 or int(digest(link), 16) % self.pair.partitions == self.partition

    @property
    def halted(self) -> Exception | None:
        """What stops the cycle: a side that is down or busy, or a lease that is lost."""
        return self.stopped or self.a.trouble or self.b.trouble

    def go_on(self) -> None:
        """Raise what has halted the cycle."""
        halted = self.halted
        if halted is not None:
            raise Halted(str(halted)) from halted

    def alert(self, text: str) -> None:
        """Tell a person."""
        self.summary.alerts.append(text)
        self.tell("alert", text)

    def tell(self, stage: str, alert: str = "") -> None:
        """Say how far it is."""
        done = self.summary
        self.report(Progress(stage, done.scanned, done.changed, done.writes, done.failed, alert))

    async def parents(self, wanted: Iterable[tuple[str, Side, str]]) -> Parents:
        """The ids on the other side of those records, as far as they are linked."""
        found: dict[tuple[str, Side, str], str | None] = {}
        places: dict[tuple[str, Side], list[str]] = {}
        for name, side, own in wanted:
            places.setdefault((name, side), []).append(own)
        for (name, side), ids in places.items():
            ledger = self.ledger if name == self.pair.name else self.kin(name)
            for own, known in (await ledger.linked(side, ids)).items():
                found[name, side, own] = await _counterpart(ledger, known.link, side)
        return found

    async def save(self, before: Known, after: Link, *extra: Saving) -> Known:
        """Write a link; gives it as it is kept then."""
        await self.ledger.save(Saving(before, after), *extra)
        return Known(after, before.version + 1)


async def _counterpart(ledger: Ledger, link: Link, side: Side) -> str | None:
    for _ in range(5):
        if not link.merged:
            break
        winner = await ledger.link(link.merged)
        if winner is None:
            return None
        link = winner.link
    there = shadow(link, opposite(side))
    return there.id if there is not None and there.present and link.state != "dead" else None


def shadow(link: Link, side: Side) -> Shadow | None:
    """What a side has last reported of a link."""
    return link.a if side == "a" else link.b


def opposite(side: Side) -> Side:
    """The other side."""
    return "b" if side == "a" else "a"


def silent(progress: Progress) -> None:
    """Tell nobody."""
