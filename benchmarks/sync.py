"""One cycle of a pair with 1 % edits on each side: planning beside the remote calls, calls, and memory by size.

Both remotes are in memory and answer at once, so the time of a cycle is what it costs beside the remote calls: reading
the store, sifting, planning, intents and shadows. Each edit is to be written once, and the calls are at most the
changed records and the pages of the feeds. Memory is what Python has allocated at the peak of a cycle more than before
it, with 100 edits on each side whatever the number of links: by the feeds, and with a comparison of all records. What
the remotes in memory need for the writes is counted in.
"""

import gc
import tempfile
import tracemalloc
from collections.abc import Sequence
from random import Random
from time import perf_counter

import anyio

from routekit import Store
from routekit.remotes import Fields
from routekit.testing import Catalog
from routekit.testing.remote import FakeRemote, Knobs
from routekit_postgresql.testing import PostgreSQL
from routekit_sync import SyncPair, Unit
from routekit_sync.engine import Engine
from routekit_sync.ledger import Ledger, Saving
from routekit_sync.state import Link, Shadow
from routekit_sync.summary import Summary

from .figures import Figure

LINKS = 10_000
EDITS = 100
SIZES = (1_000, 10_000, 50_000)
GOAL = 2.0
FLAT = 1.0
"""Megabytes by which a cycle over more links may need more than one over 1,000: 20 bytes for each of 50,000."""
NAMES = ("name", "email", "phone", "street", "town", "country", "vat", "note")
START = 1_800_000_000.0


class Twins:
    """Two remotes in memory whose records are the same, with time that is turned by hand."""

    def __init__(self, links: int) -> None:
        self.time = START
        self.a = FakeRemote("a", Knobs(prefix="a", page_size=200), now=lambda: self.time)
        self.b = FakeRemote("b", Knobs(prefix="b", page_size=200), now=lambda: self.time)
        self.pair = SyncPair("bench", self.a, self.b, [_same(name) for name in NAMES])
        for number in range(links):
            fields = {name: f"{name} of {number}" for name in NAMES}
            self.a.system.user_create(fields)
            self.b.system.user_create(fields)

    async def link(self, ledger: Ledger) -> None:
        """Remember all records as linked, and the feeds as read."""
        self.time += 100.0
        ids = list(zip(self.a.system.ids, self.b.system.ids, strict=True))
        for start in range(0, len(ids), 500):
            part = range(start, min(start + 500, len(ids)))
            await ledger.save(*(Saving(None, self._whole(number, *ids[number])) for number in part))
        for side in ("a", "b"):
            cursor = await ledger.cursor(side)
            done = {"value": self.time, "complete": True, "swept": self.time}
            await ledger.move(side, cursor.model_copy(update=done))

    def _whole(self, number: int, a: str, b: str) -> Link:
        records = self.a.system.record(self.a.system.rows[a]), self.b.system.record(self.b.system.rows[b])
        shadows = [
            Shadow(id=each.id, fields=dict(each.fields), version=each.version, stamp=each.stamp, seen=self.time)
            for each in records
        ]
        return Link(id=f"{number:024x}", a=shadows[0], b=shadows[1])

    def edit(self, edits: int, seed: int) -> None:
        """People change so many records on each side, no record on both."""
        self.time += 100.0
        chosen = Random(seed).sample(range(len(self.a.system.ids)), 2 * edits)
        for place, number in enumerate(chosen):
            system = (self.a if place < edits else self.b).system
            system.user_edit(system.ids[number], {"phone": f"{seed}-{number}"})
        self.time += 100.0


def _same(name: str) -> Unit:
    def copied(fields: Fields) -> Fields:
        return {name: fields[name]} if name in fields else {}

    return Unit(name, [name], [name], to_b=copied, to_a=copied)


async def cycle(twins: Twins, store: Store, *, full: bool = False) -> tuple[Summary, float]:
    """One cycle; gives what came of it, and its seconds."""
    ledger = Ledger(store.values("sync:bench"), lambda: twins.time, owner=store.owner)
    a, b = twins.a.session(), twins.b.session()
    engine = Engine(twins.pair, ledger, a, b, now=lambda: twins.time, random=Random(1))
    begun = perf_counter()
    summary = await engine.cycle(full)
    return summary, perf_counter() - begun


async def measured(uri: str, links: int, edits: int) -> tuple[float, int]:
    """Seconds of one cycle of a linked pair, and its calls; the middle of three."""
    twins = Twins(links)
    async with Catalog().open_store(uri, lambda: twins.time) as store:
        await twins.link(Ledger(store.values("sync:bench"), lambda: twins.time, owner=store.owner))
        await cycle(twins, store)
        taken: list[tuple[float, int]] = []
        for seed in range(3):
            twins.edit(edits, seed)
            before = len(twins.a.system.writes) + len(twins.b.system.writes)
            summary, seconds = await cycle(twins, store)
            written = len(twins.a.system.writes) + len(twins.b.system.writes) - before
            assert summary.complete, summary.note
            assert written == 2 * edits, f"{written} writes for {2 * edits} edits"
            taken.append((seconds, summary.calls_a + summary.calls_b))
        return sorted(taken)[1]


def figures() -> Sequence[Figure]:
    """Planning on each store, calls, and memory by the number of links."""
    found: list[Figure] = []
    calls = 0
    with tempfile.TemporaryDirectory() as folder, PostgreSQL(durable=True) as server:
        stores = {"memory": "memory:", "sqlite": f"sqlite:{folder}/sync.db", "postgresql": server.store("bench_sync")}
        for name, uri in stores.items():
            seconds, calls = anyio.run(measured, uri, LINKS, EDITS)
            what = f"sync, {name} store: a cycle, {LINKS:,} links, {EDITS} edits on each side"
            found.append(Figure(what, seconds, "s", goal=GOAL))
    pages = 2
    found.append(Figure("sync: calls of that cycle", calls, "calls", goal=2 * EDITS + pages))
    return [*found, *_memory()]


def _memory() -> Sequence[Figure]:
    found: list[Figure] = []
    sizes = {links: _grown(links) for links in SIZES}
    for place, what in enumerate(("by the feeds", "that compares all records")):
        least = sizes[SIZES[0]][place]
        for links, grown in sizes.items():
            goal = None if links == SIZES[0] else least + FLAT
            found.append(Figure(f"sync: memory of a cycle {what}, {links:,} links", grown[place], "MB", goal=goal))
    return found


def _grown(links: int) -> tuple[float, float]:
    """Megabytes of a cycle by the feeds, and of one that compares everything."""
    twins = Twins(links)

    async def run(uri: str) -> tuple[float, float]:
        async with Catalog().open_store(uri, lambda: twins.time) as store:
            await twins.link(Ledger(store.values("sync:bench"), lambda: twins.time, owner=store.owner))
            await cycle(twins, store)
            twins.edit(EDITS, 1)
            feeds = await _peak(twins, store, full=False)
            twins.edit(EDITS, 2)
            return feeds, await _peak(twins, store, full=True)

    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(run, f"sqlite:{folder}/sync.db")


async def _peak(twins: Twins, store: Store, *, full: bool) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        summary, _ = await cycle(twins, store, full=full)
        assert summary.complete, summary.note
        return (tracemalloc.get_traced_memory()[1] - before) / 1e6
    finally:
        tracemalloc.stop()
