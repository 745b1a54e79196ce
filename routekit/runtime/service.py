"""Service: many routes, their shared resources, and an orderly end."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random
from time import time
from typing import Any

import anyio
import anyio.lowlevel

from ..errors import DefinitionError, StoreError, Unavailable
from ..events import CircuitChanged, Counts, Draining, Event, StateLeft
from ..figures import Figure, Figures
from ..observed import RouteFigures
from ..observing import Observing
from ..order import cycle, levels
from ..plugins import Catalog
from ..retention import Retention, sweep
from ..route import Policy, Route
from ..store import Exclusive, Store
from ..tasks import together
from ..tracing.tracer import Tracer
from .controls import Controls
from .flights import flights
from .observation import Observations
from .orphans import tell_of_orphans
from .probing import WITHIN, Probed, probed
from .replacing import Replacing
from .runner import Runner
from .services import Activity, Services
from .shared import Shared

DRAIN = 30.0

_TELL = 5.0
"""Seconds between two words about what a stop waits for."""


def _quiet(event: Event) -> None:
    pass


def _none(table: str, name: str) -> Mapping[str, Any] | None:
    return None


@dataclass(frozen=True)
class Setup:
    """What a service needs besides its routes. `drain` is in seconds, `now` gives wall time since 1970.

    `metrics` turns the counting of steps and the measuring of messages on. `observers` follow messages; with neither,
    and no plugin that does, no message pays anything. `private` are names of fields that are masked besides those that
    are known.
    """

    catalog: Catalog
    store: str | Store = "memory:"
    data: Path = Path("data")
    policy: Policy = field(default_factory=Policy)
    settings: Callable[[str, str], Mapping[str, Any] | None] = _none
    watch: Callable[[Event], None] = _quiet
    drain: float = DRAIN
    now: Callable[[], float] = time
    random: Random = field(default_factory=Random)
    retention: Retention = field(default_factory=Retention)
    observers: Sequence[Observing] = ()
    metrics: bool = False
    private: Sequence[str] = ()
    workers: int = 1
    """How many processes of one command run these routes on this machine."""

    @asynccontextmanager
    async def opened_store(self) -> AsyncGenerator[Store]:
        """The store: opened here if it is named by a URI, else as it is, for its owner to close.

        Raises StoreError if it cannot be opened, or is for one service only and another one runs.
        """
        if not isinstance(self.store, str):
            yield self.store
            return
        async with self.catalog.open_store(self.store, self.now) as store:
            with store.serving() if isinstance(store, Exclusive) else nullcontext():
                yield store


class Service:
    """Runs routes until it is stopped, or until nothing is left to do."""

    def __init__(self, routes: Sequence[Route], setup: Setup) -> None:
        self._routes = routes
        self._setup = setup
        self._stop = anyio.Event()
        self._rested = anyio.Event()
        self._activity = Activity(idle=self._rest, enough=self.stop)
        self._force: anyio.CancelScope | None = None  # made in the event loop: it cannot be made outside
        self._controls = Controls()
        self._figures = Figures()
        self.runners: list[Runner] = []
        self._replacing: Replacing | None = None
        self.store: Store | None = None

    def stop(self) -> None:
        """Stop orderly: sources first, then what is in flight within the drain time, then resources."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def force(self) -> None:
        """Stop at once; what was not finished is redelivered."""
        self._stop.set()
        if self._force is not None:
            self._look_at_what_is_left()
            self._force.cancel()

    def counts(self) -> dict[str, Counts]:
        """What each route has done so far."""
        return {runner.route.name: runner.counts for runner in self.runners}

    def figures(self) -> Sequence[Figure]:
        """What the endpoints of all routes count, as it is now; of a route that is up only."""
        return self._figures.read()

    def observed(self) -> Sequence[RouteFigures]:
        """What has been seen of each route; without metrics, nothing of its steps and times."""
        return [runner.observed() for runner in self.runners]

    async def control(self, action: str, name: str, **options: Any) -> Any:
        """Ask a route or step by name to do something, as `control:` does, while the service runs.

        Raises UnknownName if none of that name offers the action, and Unavailable while its route is not up.
        """
        return await self._controls.ask(action, name, options)

    def replace(self, routes: Sequence[Route]) -> Coroutine[Any, Any, Sequence[str]]:
        """Bring the running service in line with these routes; a line for each that was touched, and what became of it.

        Those that say the same go on untouched, changed ones are exchanged, new ones start, and those that are gone
        end. Nothing is lost and nothing is had twice: a new version starts when all that the old one had at work is
        done and acknowledged; what still waits for that after the drain time is told, and goes on by itself. Raises
        DefinitionError for a route that cannot work, and Unavailable while the service does not run: then nothing was
        touched. The exchange has begun when this returns; what it returns is to be awaited, and waits for its end.
        """
        replacing = self._replacing
        if replacing is None or self._stop.is_set():
            raise Unavailable("the service does not run", hint="routes are replaced while it runs")
        found, fresh = replacing.begin(routes)
        self._routes = routes
        return replacing.done(fresh, found, self._setup.drain)

    async def probed(self, within: float = WITHIN) -> list[Probed]:
        """What the endpoints of all routes find on their other sides, within so many seconds; no route runs."""
        async with self._setup.opened_store() as store, together() as tasks:
            shared = Shared(tasks)
            try:
                return await probed(self._routes, self._services(store, shared), within)
            finally:
                with anyio.CancelScope(shield=True):
                    await shared.close()

    async def run(self, *, until_idle: bool = False, most: int | None = None) -> None:
        """Run all routes until `stop`, until all have ended, or as asked.

        `until_idle`: until no source has anything and nothing is in flight. `most`: until so many messages have been
        taken in by routes that are not fed by others.
        """
        self._activity.left = most
        async with self.started(), together() as watching:
            watching.start_soon(self._stop_when, self._all_idle if until_idle else self._all_ended)
            await self._stop.wait()
            watching.cancel_scope.cancel()

    @asynccontextmanager
    async def started(self) -> AsyncGenerator["Service"]:
        """The service with its routes running; leaving it stops them orderly."""
        async with self._setup.opened_store() as store, together() as tasks:
            self.store = store
            shared = Shared(tasks)
            services = self._services(store, shared)
            try:
                with anyio.CancelScope() as self._force:
                    self.runners[:] = [Runner(route, services, self._activity) for route in self._routes]
                    self._controls = services.controls
                    self._figures = services.figures
                    _put_in_order(self.runners)
                    async with together() as running:
                        if isinstance(self._setup.store, str) and store.durable:  # else it is swept by its owner
                            running.start_soon(sweep, store, self._setup.retention, self._setup.now)
                            journaled = {runner.route.name for runner in self.runners if runner.journals}
                            running.start_soon(tell_of_orphans, store, journaled, self._tell)
                        running.start_soon(self._tracer.run)
                        for runner in self.runners:
                            running.start_soon(runner.run)
                        self._replacing = Replacing(
                            self.runners, services, self._activity, running, _put_in_order, self._quiet
                        )
                        yield self
                        self._stop.set()
                        await self._finish()
                        self._look_at_what_is_left()
                        running.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await self._tracer.close()
                    await self._tell_of_the_store(store)
            finally:
                with anyio.CancelScope(shield=True):
                    await shared.close()

    async def _finish(self) -> None:
        """Stop outer routes, wait for them, then the inner ones that they feed: all within the drain time.

        Among both kinds, those that start after others stop before them.
        """
        async with together() as telling:
            telling.start_soon(self._count_down, anyio.current_time() + self._setup.drain)
            await self._drain()
            telling.cancel_scope.cancel()

    async def _drain(self) -> None:
        with anyio.move_on_after(self._setup.drain):
            for stage in _stages([runner for runner in self._everyone if not runner.internal]):
                await _ended(stage)
            for stage in _stages([runner for runner in self._everyone if runner.internal]):
                await self._until(self._all_quiet)
                await _ended(stage)

    async def _count_down(self, end: float) -> None:
        """Tell what is waited for, and for how long still."""
        while True:
            seconds = end - anyio.current_time()
            found = flights((runner.counts for runner in self._everyone), self._setup.now)
            for runner in self._everyone:
                if runner.counts.in_flight:
                    there = tuple(flight for flight in found if flight.route == runner.route.name)
                    self._tell(Draining(runner.route.name, runner.counts.in_flight, there, max(0.0, seconds)))
            await anyio.sleep(_TELL if seconds > _TELL else inf)  # the end is told by the routes themselves

    def _look_at_what_is_left(self) -> None:
        """What is still at work will be cancelled: note it, for it cannot be seen afterwards."""
        if any(runner.counts.in_flight for runner in self._everyone):
            found = flights((runner.counts for runner in self._everyone), self._setup.now)
            for runner in self._everyone:
                runner.left = tuple(flight for flight in found if flight.route == runner.route.name)

    async def _tell_of_the_store(self, store: Store) -> None:
        """What waits in the store for the next start, of the routes that ran here."""
        names = {("journal", one.route.name): one.route.name for one in self.runners if one.journals}
        names |= {("groups", state): one.route.name for one in self.runners for state in one.keeps}
        if not (names and store.durable):
            return
        try:
            held = await store.contents()
        except StoreError:  # told where it mattered
            return
        for one in held:
            route = names.get((one.kind, one.name))
            if route is not None:
                self._tell(StateLeft(route, one.kind, one.name, one.count))

    async def _stop_when(self, done: Callable[[], bool]) -> None:
        await self._until(done)
        self.stop()

    async def _until(self, done: Callable[[], bool]) -> None:
        """Wait until `done` holds; it is asked whenever a source rests or a route ends."""
        while True:
            if self._rested.is_set():  # several may wait for it
                self._rested = anyio.Event()
            rested = self._rested
            for _ in range(2):  # let those run who have just been woken, such as the reader of a queue
                await anyio.lowlevel.checkpoint()
            if done():
                return
            await rested.wait()

    async def _quiet(self, runner: Runner) -> None:
        """Wait until a route has nothing to do, or takes no messages."""
        await self._until(lambda: runner.idle or runner.state != "running")

    @property
    def _everyone(self) -> Sequence[Runner]:
        """All that may be at work: also the versions that are being exchanged."""
        return self.runners if self._replacing is None else [*self.runners, *self._replacing.leaving]

    def _all_idle(self) -> bool:
        return all(runner.idle for runner in self._everyone)

    def _all_quiet(self) -> bool:
        """As `_all_idle`, but nobody will resume a route that is paused any more."""
        return all(
            runner.idle or (runner.state == "paused" and not runner.counts.in_flight) for runner in self._everyone
        )

    def _all_ended(self) -> bool:
        """Whether no source is left that could bring anything; what is inside may still be at work.

        A route that is paused, or was stopped by the control bus, may go on.
        """
        outer = [runner for runner in self.runners if not runner.internal]
        return all(runner.over for runner in outer) and bool(outer)

    def _services(self, store: Store, shared: Shared) -> Services:
        setup = self._setup
        self._tracer = Tracer(store, setup.now, policy=setup.policy, keys=setup.private, keep=setup.retention.traces)
        observers = (self._tracer.observe, *setup.observers)
        return Services(
            setup.catalog,
            store,
            shared,
            self._tell,
            setup.now,
            setup.random,
            setup.data,
            setup.policy,
            setup.settings,
            workers=setup.workers,
            observations=Observations(setup.catalog, observers, setup.now, metrics=setup.metrics),
            private=setup.private,
        )

    def _tell(self, event: Event) -> None:
        self._setup.watch(event)
        self._setup.catalog.tell(event)
        if isinstance(event, CircuitChanged):
            for runner in self.runners:
                runner.hear(event)

    def _rest(self) -> None:
        self._rested.set()


def _put_in_order(runners: Sequence[Runner]) -> None:
    """Let each route wait for those that its policy names, and for those that it calls; raises DefinitionError."""
    circle = cycle({runner.route.name: runner.named for runner in runners})
    if circle is not None:
        raise DefinitionError(f"routes start after each other: {' after '.join(circle)}", hint="leave one of them out")
    readers = {runner.address: runner for runner in runners if runner.internal}
    called = {runner: [readers[to] for to in sorted(runner.feeds) if to in readers] for runner in runners}
    by_name = {runner.route.name: runner for runner in runners}
    order = levels({runner.route.name: [other.route.name for other in called[runner]] for runner in runners})
    rank = {name: number for number, level in enumerate(order) for name in level}
    for runner in runners:
        named = [by_name[name] for name in runner.named if name in by_name]
        first = [other for other in called[runner] if rank[other.route.name] < rank[runner.route.name]]
        runner.comes_after(named, first)  # in a circle of calls somebody has to be the first


def _stages(runners: Sequence[Runner]) -> Iterable[Sequence[Runner]]:
    """Routes in the order in which they stop: first those that no other comes after."""
    after = {runner.route.name: [other.route.name for other in runner.others] for runner in runners}
    for level in reversed(levels(after)):
        yield [runner for runner in runners if runner.route.name in level]


async def _ended(runners: Sequence[Runner]) -> None:
    for runner in runners:
        runner.end()
    for runner in runners:
        await runner.ended.wait()
