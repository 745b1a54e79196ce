"""Reconciling: are both sides in step? Counts, control totals, buckets of digests, and then the fields of what differs.

All that a side has is read once, and cheaply: ids, versions and stamps, a page at a time. They are added up in buckets
by link, beside what is remembered of each link. Only the links of buckets that differ are read whole and planned: what
such a plan would do, or cannot, is what differs. Memory grows with neither side, but for the differences that are
listed. What moves neither version nor stamp is found if it is `thorough`: then fields are compared instead.
"""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from routekit.remotes import Page, Record

from .absence import may_create
from .bench import Bench, opposite, shadow
from .bucketing import Buckets, place
from .differing import Difference, Why, different
from .ledger import Known
from .linking import keys_of
from .patience import certain, patiently, several
from .planning import parents_of, plan
from .plans import LinkPlan
from .sifting import in_scope
from .state import Link, Shadow
from .suppressing import kept_out
from .totalling import Total, TotalLine, Totalling
from .units import Side, Unit

SIDES: tuple[Side, Side] = ("a", "b")
_PART = 100
"""So many links are looked at at once."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A link that was read whole on both sides, and what was found; it is repaired from this."""

    known: Known
    a: Record | None
    b: Record | None
    plan: LinkPlan
    differences: Sequence[Difference]


@dataclass(slots=True)
class Reconciliation:
    """What a comparison of both sides has found."""

    records: dict[Side, int] = field(default_factory=lambda: dict[Side, int]())
    """How many records each side has."""
    links: Counter[str] = field(default_factory=Counter[str])
    """How many links are remembered, by state."""
    totals: Sequence[TotalLine] = ()
    buckets: int = 0
    """How many of the buckets differ."""
    examined: int = 0
    """How many links were read whole."""
    kept_out: int = 0
    """How many records belong to erased persons: they have no counterpart, and that is as it should be."""
    calls: dict[Side, int] = field(default_factory=lambda: dict[Side, int]())
    found: Counter[Why] = field(default_factory=Counter[Why])
    """How many things differ, by reason."""
    differences: list[Difference] = field(default_factory=list[Difference])
    """The first of them, as many as were asked for."""
    cases: list[Examined] = field(default_factory=list[Examined], repr=False)
    """The links that they are of."""
    loose: list[tuple[Side, str]] = field(default_factory=list[tuple[Side, str]])
    """The ids of the records without a counterpart that are to get one."""

    @property
    def in_step(self) -> bool:
        """Whether nothing differs: no record, no unit, no total."""
        return not self.found.total() and all(line.equal for line in self.totals)

    @property
    def more(self) -> int:
        """How many differences are not listed."""
        return self.found.total() - len(self.differences)


async def reconcile(
    bench: Bench, *, thorough: bool = False, totals: Sequence[Total] = (), most: int = 1000
) -> Reconciliation:
    """Compare both sides of a pair, and list at most `most` differences; nothing is written anywhere.

    A cycle may run at the same time: what is on its way then is listed as that, and gone the next time.
    """
    before = {side: bench.calls(side).count for side in SIDES}
    work = _Comparing(bench, Totalling(totals), most)
    first = {side: await work.begun(side, thorough) for side in SIDES}
    await work.remembered()
    for side in SIDES:
        await work.reported(side, first[side])
    await work.examined()
    found = work.found
    found.totals = list(work.totalling.lines())
    found.calls = {side: bench.calls(side).count - before[side] for side in SIDES}
    return found


class _Comparing:
    def __init__(self, bench: Bench, totalling: Totalling, most: int) -> None:
        self.bench = bench
        self.totalling = totalling
        self.found = Reconciliation()
        self._most = most
        self._marks: dict[Side, str] = {}
        """What tells one state of a record from others: its `version`, its `stamp`, or its `fields`."""
        self._whole: dict[Side, bool] = {}
        """Whether records are read with their fields."""
        self._loose: set[tuple[Side, str]] = set()
        self._expected: dict[Side, Buckets] = {"a": Buckets(), "b": Buckets()}
        self._actual: dict[Side, Buckets] = {"a": Buckets(), "b": Buckets()}
        self._names = {side: {name for unit in bench.pair.units for name in _own(unit, side)} for side in SIDES}
        self._suspect = bytearray(1 << self._expected["a"].depth)
        """Buckets with a link that is not in step by what is remembered alone."""

    async def begun(self, side: Side, thorough: bool) -> Page:
        """The first page of a side: it shows whether ids and marks alone are enough."""
        self._whole[side] = thorough or bool(self.totalling.totals)
        self._marks[side] = "fields"
        page = await self._page(side, None)
        if thorough or not page.records:
            return page
        if all(record.version is not None for record in page.records):
            self._marks[side] = "version"
        elif all(record.stamp is not None for record in page.records):
            self._marks[side] = "stamp"
        elif not self._whole[side]:
            self._whole[side] = True
            return await self._page(side, None)
        return page

    async def _page(self, side: Side, place: str | None) -> Page:
        calls = self.bench.calls(side)
        return await patiently(lambda: calls.scan(place, fields=self._whole[side]))

    # What is remembered

    async def remembered(self) -> None:
        """Add up what both sides last reported, and note what is not in step by that alone."""
        async for known in self.bench.ledger.links():
            link = known.link
            self.found.links[link.state] += 1
            for side in SIDES:
                was = shadow(link, side)
                if was is not None and was.present:
                    self._expected[side].add(link.id, self._mark(side, was))
            if _doubtful(link) or await self._unequal(link):
                self._suspect[place(link.id)] = 1

    async def _unequal(self, link: Link) -> bool:
        if link.state == "dead":
            return False
        planned = await self._planned(link, None, None)
        return bool(planned.drift or planned.problems or planned.writes)

    # What is there

    async def reported(self, side: Side, page: Page) -> None:
        """Read all of a side once, from its first page on, and add it up by link."""
        while True:
            await self._counted(side, [record for record in page.records if not record.deleted])
            if page.next is None:
                return
            page = await self._page(side, page.next)

    async def _counted(self, side: Side, records: Sequence[Record]) -> None:
        self.found.records[side] = self.found.records.get(side, 0) + len(records)
        index = await self.bench.ledger.values.many([f"{side}/{record.id}" for record in records])
        loose: list[Record] = []
        for record in records:
            value = index.get(f"{side}/{record.id}")
            if value is None:
                loose.append(record)
            else:
                self._actual[side].add(value.text, self._mark(side, record))
            if self.totalling.totals and self._in_scope(side, record):
                self.totalling.add(side, record)
        await self._unlinked(side, loose)

    async def _unlinked(self, side: Side, records: Sequence[Record]) -> None:
        if not records:
            return
        if not self._whole[side]:
            records = list((await several(self.bench.calls(side), [record.id for record in records])).values())
        linked = await self.bench.ledger.linked(side, [record.id for record in records])
        keys = {record.id: keys_of(self.bench.pair, side, record) for record in records}
        erased = await kept_out(self.bench.ledger, side, records, keys)
        self.found.kept_out += len(erased - linked.keys())
        for record in records:
            if record.id not in {*linked, *erased} and not record.deleted and self._in_scope(side, record):
                self._left_over(side, record)

    def _left_over(self, side: Side, record: Record) -> None:
        if (side, record.id) in self._loose:
            return  # pages that shift show a record twice
        self._loose.add((side, record.id))
        wanted = may_create(opposite(side), self.bench.pair)
        a, b = (record.id, "") if side == "a" else ("", record.id)
        note = "" if wanted else f"nothing is created on side {opposite(side)}"
        self._note(Difference(Why.UNLINKED if wanted else Why.EXTRA, side, id_a=a, id_b=b, note=note))
        if wanted and len(self.found.loose) < self._most:
            self.found.loose.append((side, record.id))

    # What differs

    async def examined(self) -> None:
        """Read the links of the buckets that differ whole, and plan them."""
        differing = set[int]()
        for side in SIDES:
            differing |= {*self._expected[side].differing(self._actual[side])}
        self.found.buckets = len(differing)
        differing |= {place for place, marked in enumerate(self._suspect) if marked}
        async for part in self._those(differing):
            await self._examine(part)

    async def _those(self, buckets: set[int]) -> AsyncGenerator[Sequence[Known]]:
        part: list[Known] = []
        if not buckets:
            return
        async for known in self.bench.ledger.links():
            if place(known.link.id) not in buckets:
                continue
            part.append(known)
            if len(part) == _PART:
                yield part
                part = []
        if part:
            yield part

    async def _examine(self, part: Sequence[Known]) -> None:
        there = {side: await self._of_links(side, part) for side in SIDES}
        for known in part:
            self.found.examined += 1
            await self._case(known, there["a"].get(_id(known.link, "a")), there["b"].get(_id(known.link, "b")))

    async def _of_links(self, side: Side, part: Sequence[Known]) -> dict[str, Record]:
        """The records of links; of a dead one only what was deleted, as it might be there again."""
        living = [_id(known.link, side) for known in part if known.link.state != "dead"]
        dead = [was.id for known in part if (was := shadow(known.link, side)) and known.link.state == "dead"]
        calls = self.bench.calls(side)
        return await certain(calls, [own for own in living if own]) | await several(calls, dead)

    async def _case(self, known: Known, a: Record | None, b: Record | None) -> None:
        link = known.link
        planned = await self._planned(link, a, b)
        differences = list(different(link, a, b, planned, self.bench.pair))
        for difference in differences:
            self._note(difference)
        if differences and len(self.found.cases) < self._most:
            self.found.cases.append(Examined(known, a, b, planned, differences))

    async def _planned(self, link: Link, a: Record | None, b: Record | None) -> LinkPlan:
        """The plan for a link as if nothing were in the way of it."""
        free = link.model_copy(update={"state": "linked" if link.state == "parked" else link.state, "intents": []})
        pair = self.bench.pair
        parents = await self.bench.parents(parents_of(free, a, b, pair))
        return plan(free, a, b, pair, clocks=self.bench.clocks, parents=parents)

    def _note(self, difference: Difference) -> None:
        self.found.found[difference.why] += 1
        if len(self.found.differences) < self._most:
            self.found.differences.append(difference)

    def _in_scope(self, side: Side, record: Record) -> bool:
        pair = self.bench.pair
        scoped = in_scope(pair, side, record)
        if scoped is None:  # there is no scope, or it cannot tell
            return (pair.scope_a if side == "a" else pair.scope_b) is None
        return scoped

    def _mark(self, side: Side, of: Record | Shadow) -> str:
        match self._marks[side]:
            case "version":
                return f"{of.id}\x1f{of.version}"
            case "stamp":
                return f"{of.id}\x1f{of.stamp!r}"
            case _:
                kept = {name: of.fields[name] for name in self._names[side] if of.fields.get(name) is not None}
                return of.id + json.dumps(kept, sort_keys=True, default=str)


def _own(unit: Unit, side: Side) -> Sequence[str]:
    return unit.a if side == "a" else unit.b


def _doubtful(link: Link) -> bool:
    """Whether a link is looked at in any case: it says of itself that it is not in step."""
    if link.state == "dead":
        return False
    return link.state in ("half", "parked") or bool(link.intents or link.conflicts or link.blocked or link.drift)


def _id(link: Link, side: Side) -> str:
    was = shadow(link, side)
    return "" if was is None else was.id
