"""Engine: one cycle of a pair. It finds what has changed, plans each link, writes what that needs, and remembers.

A cycle may end anywhere: what it has done is kept, what it had in hand is looked up by the next one, and no cursor
has passed what was not dealt with. So it is simply run again, by a schedule, an event, or by hand.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from random import Random
from typing import NamedTuple

import anyio

from routekit import RouteKitError, Runtime
from routekit.remotes import Busy, RemoteError, Session

from .bench import Bench, Dirty, Halted, silent
from .calling import Calls
from .deleting import delete
from .discovering import Scanned, absent, changed, due, hinted
from .executing import carry_out, resting
from .failing import isolated
from .hiding import said_of_link
from .kept import RunRecord
from .ledger import Changed, Known, LeaseLost, Ledger
from .linking import counterpart
from .looking import look_first, looked_at
from .pair import SyncPair
from .pairing import paired
from .plans import LinkPlan
from .recovering import recover
from .rehearsing import Overlay
from .summary import Progress, Summary
from .units import Side

LEASE = 300.0
"""Seconds for which a process has a pair without a sign of life."""

_TOGETHER = 100
"""Links that are worked at until the lease is looked at again."""

_SIDES: tuple[Side, Side] = ("a", "b")


class Hint(NamedTuple):
    """A record of which somebody says that it has changed."""

    side: Side
    id: str


class Engine:
    """A pair that is open. One cycle at a time; `kin` gives the ledgers of the pairs that `parents` names."""

    def __init__(
        self,
        pair: SyncPair,
        ledger: Ledger,
        a: Session,
        b: Session,
        *,
        now: Callable[[], float],
        random: Random,
        report: Callable[[Progress], None] = silent,
        kin: Callable[[str], Ledger] | None = None,
        partition: int = 0,
    ) -> None:
        self.pair = pair
        self.ledger = ledger
        self.report = report
        self._now = now
        self._random = random
        self._kin = kin
        self._partition = partition
        self.rehearsed = ledger
        """What would be remembered after the last plan."""
        self._calls: dict[Side, Calls] = {
            "a": Calls("a", a, pair.a.abilities, now),
            "b": Calls("b", b, pair.b.abilities, now),
        }
        ledger.tombstones, ledger.partition = pair.tombstones, partition

    async def cycle(self, full: bool = False, hints: Sequence[Hint] = (), only: Sequence[str] = ()) -> Summary:
        """Bring the pair in step, as far as it can be done now; with `full` by a comparison of all records.

        With `only` just those links are looked at, by their ids. It raises what the store raises, and nothing that a
        side answers: `Summary.note` says what stopped it.
        """
        begun = self._now()
        before: dict[Side, int] = {side: self._calls[side].count for side in _SIDES}
        summary = Summary(self.pair.name)
        if not await self.ledger.acquire(self._partition, seconds=LEASE):
            summary.complete, summary.note = False, "another process works at this pair"
            return summary
        bench = self._bench(self.ledger, summary)
        try:
            await self._run(bench, full, hints, only)
        except (Halted, RemoteError) as error:
            summary.complete, summary.note = False, str(error)
        except LeaseLost as error:
            summary.complete, summary.note = False, str(error)
            return self._finished(summary, begun, before)
        except Exception:
            with suppress(RouteKitError):  # what went wrong is raised, not that the lease could not be given back
                await self.ledger.release()
            raise
        done = self._finished(summary, begun, before)
        with suppress(LeaseLost):  # all that was done is kept: the run alone is not listed
            await self.ledger.ran(RunRecord(at=begun, seconds=done.seconds, figures=done.figures(), note=done.note))
        await self.ledger.release()
        bench.tell("done")
        return done

    async def plan(self, full: bool = False, hints: Sequence[Hint] = ()) -> AsyncGenerator[LinkPlan]:
        """What a cycle would do now, link by link. Nothing is written anywhere, and no lease is needed.

        Raises what a side answers where a cycle would end: what follows is not known then.
        """
        overlay = Overlay(self.ledger.values, self._now)
        self.rehearsed = self.ledger.over(overlay)
        bench = self._bench(self.rehearsed, Summary(self.pair.name))
        bench.rehearsal = []
        async with aclosing(self._batches(bench, full, hints)) as batches:
            async for batch in batches:
                await self.work(bench, batch)
                for each in bench.rehearsal:
                    yield each
                bench.rehearsal.clear()
                if bench.halted is not None:
                    raise bench.halted
        await delete(bench)
        for each in bench.rehearsal:
            yield each

    def bench(self) -> Bench:
        """What works at the pair beside its cycles works with: a comparison, a back-fill."""
        return self._bench(self.ledger, Summary(self.pair.name))

    def left(self) -> float:
        """How many calls the side with the smaller rest of its budget may still make in its window; -1: no limit."""
        rests = [rest for calls in self._calls.values() if (rest := calls.left) is not None]
        return float(min(rests, default=-1))

    def _bench(self, ledger: Ledger, summary: Summary) -> Bench:
        for calls in self._calls.values():
            calls.trouble = None  # of an earlier cycle
        return Bench(
            self.pair,
            ledger,
            self._calls["a"],
            self._calls["b"],
            self._now,
            self._random,
            summary,
            self.report,
            self._kin or (lambda _: ledger),
            partition=self._partition,
        )

    def _finished(self, summary: Summary, begun: float, before: dict[Side, int]) -> Summary:
        summary.seconds = self._now() - begun
        for calls in self._calls.values():
            if isinstance(calls.trouble, Busy):
                summary.wait = max(summary.wait, calls.trouble.after)
        summary.calls_a = self._calls["a"].count - before["a"]
        summary.calls_b = self._calls["b"].count - before["b"]
        return summary.finish()

    async def _run(self, bench: Bench, full: bool, hints: Sequence[Hint], only: Sequence[str]) -> None:
        await self._recover(bench, only)
        if only:
            links = list((await self.ledger.many(list(only))).values())
            await self.work(bench, await looked_at(bench, links))
            bench.go_on()
            return
        async with aclosing(self._batches(bench, full, hints)) as batches:
            async for batch in batches:
                await self.work(bench, batch)
                bench.go_on()
        bench.tell("deleting")
        await delete(bench)
        bench.go_on()

    async def _recover(self, bench: Bench, only: Sequence[str]) -> None:
        """Look up the writes of which nobody knows the outcome, before anything else is read."""
        async for own, _ in bench.ledger.todo():
            if not bench.mine(own) or (only and own not in only):
                continue
            known = await bench.ledger.link(own)
            if known is not None and known.link.intents and known.link.state != "parked":
                await _recovered(bench, known)
                bench.go_on()

    async def _batches(self, bench: Bench, full: bool, hints: Sequence[Hint]) -> AsyncGenerator[list[Dirty]]:
        """The links to be worked at, a batch at a time."""
        if hints:
            yield await hinted(bench, hints)
        scanned = Scanned()
        async with aclosing(changed(bench, full=full, scanned=scanned)) as batches:
            async for batch in batches:
                yield batch
        for side, seen in scanned.ids.items():
            bench.tell("comparing")
            await absent(bench, side, seen)
        bench.tell("creating")
        async with aclosing(due(bench)) as links:
            async for known in links:
                await bench.ledger.renew()
                waiting = [each for each in known if not each.link.gone and not resting(each.link)]
                yield await looked_at(bench, await paired(bench, waiting))

    async def work(self, bench: Bench, batch: Sequence[Dirty]) -> None:
        """Work at some links, several at once; what belongs to one link is done in order."""
        bench.summary.changed += len(batch)
        for start in range(0, len(batch), _TOGETHER):
            if bench.halted is None:
                await bench.ledger.renew(seconds=LEASE)  # nothing is being written just now
                await self._part(bench, batch[start : start + _TOGETHER])

    async def _part(self, bench: Bench, batch: Sequence[Dirty]) -> None:
        await look_first(bench, batch)
        queue = iter(batch)
        failures: list[Exception] = []

        async def worker() -> None:
            for dirty in queue:
                if bench.halted is not None or failures:
                    return
                try:
                    await isolated(bench, dirty, self._one(bench, dirty))
                except Exception as error:  # the others end first: then it is raised as it is
                    failures.append(error)

        if bench.rehearsal is not None or len(batch) < 2 or self.pair.at_once < 2:
            await worker()
        else:
            async with anyio.create_task_group() as tasks:
                for _ in range(min(self.pair.at_once, len(batch))):
                    tasks.start_soon(worker)
        if failures:
            raise failures[0]

    async def _one(self, bench: Bench, dirty: Dirty) -> None:
        whole = await self._matched(bench, dirty)
        if whole is not None:
            await carry_out(bench, whole)

    async def _matched(self, bench: Bench, dirty: Dirty) -> Dirty | None:
        link = dirty.known.link
        if link.state == "half" and not resting(link) and (link.a is None or link.b is None):
            return await counterpart(bench, dirty)
        return dirty


async def _recovered(bench: Bench, known: Known) -> None:
    try:
        await recover(bench, known)
    except Changed:
        return
    except RouteKitError:
        raise
    except Exception as error:  # a fault of a connector: it concerns this link alone
        bench.summary.failed += 1
        why = said_of_link(f"{type(error).__name__}: {error}", known.link, bench.pair)
        bench.alert(f"link {known.link.id} cannot be recovered: {why}")


@asynccontextmanager
async def opened(
    pair: SyncPair, runtime: Runtime, *, report: Callable[[Progress], None] = silent, partition: int = 0
) -> AsyncGenerator[Engine]:
    """The engine of a pair, with both sides open, on the store of the runtime."""
    store = runtime.store

    def kin(name: str) -> Ledger:
        return Ledger(store.values(f"sync:{name}"), runtime.now, owner=store.owner)

    ledger = kin(pair.name)
    async with pair.a.open(runtime) as a, pair.b.open(runtime) as b:
        engine = Engine(
            pair, ledger, a, b, now=runtime.now, random=runtime.random, report=report, kin=kin, partition=partition
        )
        try:
            yield engine
        finally:
            with anyio.CancelScope(shield=True):  # a cycle that was cancelled has the lease still
                await ledger.release()
