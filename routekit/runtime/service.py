"""Service: many routes, their shared resources, and an orderly end."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import time
from typing import Any

import anyio
import anyio.lowlevel

from ..events import Counts, Event
from ..plugins import Catalog
from ..route import Policy, Route
from ..store import Store
from ..tasks import together
from .runner import Runner
from .services import Activity, Services
from .shared import Shared

DRAIN = 30.0


def _quiet(event: Event) -> None:
    pass


def _none(table: str, name: str) -> Mapping[str, Any] | None:
    return None


@dataclass(frozen=True)
class Setup:
    """What a service needs besides its routes. `drain` is in seconds, `now` gives wall time since 1970."""

    catalog: Catalog
    store: str | Store = "memory:"
    data: Path = Path("data")
    policy: Policy = field(default_factory=Policy)
    settings: Callable[[str, str], Mapping[str, Any] | None] = _none
    watch: Callable[[Event], None] = _quiet
    drain: float = DRAIN
    now: Callable[[], float] = time
    random: Random = field(default_factory=Random)

    @asynccontextmanager
    async def opened_store(self) -> AsyncGenerator[Store]:
        """The store: opened here if it is named by a URI, else as it is, for its owner to close."""
        if not isinstance(self.store, str):
            yield self.store
            return
        async with self.catalog.open_store(self.store, self.now) as store:
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
        self.runners: list[Runner] = []
        self.store: Store | None = None

    def stop(self) -> None:
        """Stop orderly: sources first, then what is in flight within the drain time, then resources."""
        self._stop.set()

    def force(self) -> None:
        """Stop at once; what was not finished is redelivered."""
        self._stop.set()
        if self._force is not None:
            self._force.cancel()

    def counts(self) -> dict[str, Counts]:
        """What each route has done so far."""
        return {runner.route.name: runner.counts for runner in self.runners}

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
                    self.runners = [Runner(route, services, self._activity) for route in self._routes]
                    async with together() as running:
                        for runner in self.runners:
                            running.start_soon(runner.run)
                        yield self
                        await self._finish()
                        running.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    await shared.close()

    async def _finish(self) -> None:
        """Stop outer routes, wait for them, then the inner ones that they feed: all within the drain time."""
        outer = [runner for runner in self.runners if not runner.internal]
        inner = [runner for runner in self.runners if runner.internal]
        with anyio.move_on_after(self._setup.drain):
            await _stopped(outer)
            await self._until(self._all_idle)
            await _stopped(inner)

    async def _stop_when(self, done: Callable[[], bool]) -> None:
        await self._until(done)
        self.stop()

    async def _until(self, done: Callable[[], bool]) -> None:
        """Wait until `done` holds; it is asked whenever a source rests or a route ends."""
        while True:
            self._rested = anyio.Event()
            for _ in range(2):  # let those run who have just been woken, such as the reader of a queue
                await anyio.lowlevel.checkpoint()
            if done():
                return
            await self._rested.wait()

    def _all_idle(self) -> bool:
        return all(runner.idle for runner in self.runners)

    def _all_ended(self) -> bool:
        """Whether no source is left that could bring anything; what is inside may still be at work."""
        outer = [runner for runner in self.runners if not runner.internal]
        return all(runner.state == "stopped" for runner in outer) and bool(outer)

    def _services(self, store: Store, shared: Shared) -> Services:
        setup = self._setup
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
        )

    def _tell(self, event: Event) -> None:
        self._setup.watch(event)
        self._setup.catalog.tell(event)

    def _rest(self) -> None:
        self._rested.set()


async def _stopped(runners: Sequence[Runner]) -> None:
    for runner in runners:
        runner.stop()
    for runner in runners:
        await runner.ended.wait()
