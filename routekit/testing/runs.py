"""Running routes in tests, to their end or for as long as a block lasts, and what they left behind."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar, cast

from ..events import Counts, Event
from ..flow import Flow
from ..letter import Letter
from ..plugins import Catalog
from ..route import Policy, Route
from ..runtime.probing import Probed
from ..runtime.service import Service, Setup
from ..store import Store
from .clock import Clock
from .world import World, current

T = TypeVar("T")


@dataclass
class Run:
    """What a run of routes left behind."""

    counts: dict[str, Counts] = field(default_factory=dict[str, Counts])
    letters: Sequence[Letter] = ()
    events: list[Event] = field(default_factory=list[Event])

    def of(self, kind: type[T]) -> list[T]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]


def setup_for(run: Run, **changes: Any) -> Setup:
    """A setup for tests: memory store, seeded chance, events kept in `run`, and the installed plugins.

    Inside `with replace_endpoints(...)` its world is the catalog, and its clock the clock.
    """
    catalog = changes.get("catalog") or current() or Catalog()
    clock = catalog.clock if isinstance(catalog, World) else Clock()
    given: dict[str, Any] = {"catalog": catalog, "random": Random(1), "now": clock.now, "watch": run.events.append}
    return Setup(**{**given, **changes})


def routes_of(*flows: Flow[Any] | Route, **named: Flow[Any]) -> list[Route]:
    """Flows as routes, named `route-1`, `route-2`, ... or by keyword."""
    routes = [flow if isinstance(flow, Route) else flow.route(f"route-{n}") for n, flow in enumerate(flows, 1)]
    return routes + [flow.route(name) for name, flow in named.items()]


@asynccontextmanager
async def running(*flows: Flow[Any] | Route, setup: Setup | None = None, **named: Flow[Any]) -> AsyncGenerator[Service]:
    """The routes, running until the block is left; then they stop orderly."""
    service = Service(routes_of(*flows, **named), setup or setup_for(Run()))
    try:
        async with service.started():
            yield service
    except BaseExceptionGroup as group:  # such as of a pytest.fail, which is no Exception
        raise _only(group) from None


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What was raised, if it is a single thing: a test should read that, and no groups of groups."""
    first, *more = group.exceptions
    if more:
        return group
    return _only(cast("BaseExceptionGroup[BaseException]", first)) if isinstance(first, BaseExceptionGroup) else first


async def probed(*flows: Flow[Any] | Route, setup: Setup | None = None, **named: Flow[Any]) -> list[Probed]:
    """What each endpoint of the routes finds on its other side, as `check --connect` tells it; none is run."""
    return await Service(routes_of(*flows, **named), setup or setup_for(Run())).probed()


async def run_routes(
    *flows: Flow[Any] | Route,
    store: Store | str = "memory:",
    policy: Policy | None = None,
    most: int | None = None,
    setup: Setup | None = None,
    **named: Flow[Any],
) -> Run:
    """Run routes until their sources have nothing and nothing is in flight, and give what they left behind."""
    run = Run()
    base = setup or setup_for(run, store=store, policy=policy or Policy())
    async with base.opened_store() as opened:
        service = Service(routes_of(*flows, **named), _with(base, run, opened))
        await service.run(until_idle=True, most=most)
        run.counts = service.counts()
        run.letters = await opened.letters.list()
    return run


def _with(setup: Setup, run: Run, store: Store) -> Setup:
    def watch(event: Event) -> None:
        run.events.append(event)
        if setup.watch != run.events.append:
            setup.watch(event)

    return replace(setup, store=store, watch=watch)
