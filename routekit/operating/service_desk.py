"""ServiceDesk: the desk of one process, over its running service.

Over 300 lines, since a desk is one thing with many drawers; what is in them is made in `route_sights`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from os import getpid
from typing import Literal, Protocol, TypeVar

import anyio
import anyio.lowlevel

from ..console import one_line
from ..discretion import said
from ..errors import BadOption, StoreError, Unavailable, UnknownName, did_you_mean
from ..extras import DISTRIBUTION
from ..options import masked
from ..runtime.flights import flights
from ..runtime.runner import Runner
from ..runtime.service import Service, Setup
from ..store import Deed, Store
from .definitions import Definition, Definitions, code_of
from .desk import Operator, Order
from .log_lines import LogLines
from .permission import permitted
from .route_sights import (
    breaker_sight,
    endpoint_health,
    endpoint_sights,
    failure_sights,
    group_sight,
    readers,
    route_health,
    route_sight,
    step_sights,
)
from .seen import Seen
from .sights import (
    About,
    BreakerSight,
    DeedSight,
    EndpointSight,
    FlightSight,
    GroupSight,
    Health,
    HeldSight,
    LineSight,
    PartHealth,
    RouteDetail,
    RouteSight,
    SettingSight,
    TraceSight,
)

T = TypeVar("T")

MOST = 1000
"""Groups that are shown at most."""

_BREATH = 50
"""Routes that are looked at in one go."""

_PATIENCE = 5.0
"""Seconds that the store has to answer when somebody asks whether all is well."""


class Traced(Protocol):
    """Where traces of messages are read."""

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        """The newest traces, without their hops."""
        ...

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        """The way of a message through each route that traced it."""
        ...


def _no_settings() -> Sequence[SettingSight]:
    return ()


@dataclass(frozen=True)
class Around:
    """What the desk knows beside the service. `reload` loads changed modules anew, and tells what it did."""

    routes: str = ""
    profile: str = ""
    settings: Callable[[], Sequence[SettingSight]] = _no_settings
    log: LogLines = field(default_factory=LogLines)
    traced: Traced | None = None
    reload: Callable[[], Awaitable[Sequence[str]]] | None = None


class ServiceDesk:
    """The Desk of a process that runs a service; `seen` hears the events of it."""

    def __init__(self, service: Service, setup: Setup, seen: Seen, around: Around | None = None) -> None:
        self._service = service
        self._setup = setup
        self._seen = seen
        self._around = around or Around()
        self._definitions = Definitions(setup.catalog, setup.policy)

    async def about(self) -> About:
        """The daemon as a whole."""
        store = self._setup.store
        return About(
            version=installed(),
            pid=getpid(),
            started=self._seen.began,
            routes=self._around.routes,
            store=masked(store) if isinstance(store, str) else type(store).__name__,
            profile=self._around.profile,
            workers=("main",),
        )

    async def health(self) -> Health:
        """Whether all is well, and if not, what is not, and since when."""
        store = await self._store_health()
        runners = self._runners
        routes = [route_health(runner, self._seen) for runner in runners]
        parts = [endpoint_health(end) for ends in await _each(runners, self._ends) for end in ends]
        ready = store.ok and all(one.ok for one in routes) and bool(runners)
        return Health(ready=ready, parts=[store, *routes, *parts])

    async def routes(self) -> Sequence[RouteSight]:
        """All routes, sorted by name."""
        fed = readers(self._runners)
        return await _each(self._sorted, lambda runner: self._sight(runner, fed))

    async def route(self, name: str) -> RouteDetail:
        """All about one route."""
        runner = self._named(name)
        route, routes = runner.route, [one.route for one in self._runners]
        store = self._service.store
        durable = store is not None and store.durable
        promises = await anyio.to_thread.run_sync(lambda: self._definitions.promises(route, routes, durable=durable))
        figures = runner.observed()
        return RouteDetail(
            route=self._sight(runner, readers(self._runners)),
            steps=step_sights(figures),
            failures=failure_sights(figures),
            promises=promises,
            drawing=self._definitions.drawing(route),
            doc=route.doc,
            code=await anyio.to_thread.run_sync(code_of, route),
            place=str(route.place),
        )

    async def endpoints(self) -> Sequence[EndpointSight]:
        """The sources and sinks of all routes."""
        return [end for ends in await _each(self._sorted, self._ends) for end in ends]

    async def flights(self, route: str | None = None) -> Sequence[FlightSight]:
        """The messages at work, the oldest first."""
        runners = self._runners if route is None else [self._named(route)]
        found = flights((runner.counts for runner in runners), self._setup.now)
        return [
            FlightSight(route=one.route, message=one.message_id, step=masked(one.step), seconds=one.seconds)
            for one in found
        ]

    async def groups(self, route: str | None = None) -> Sequence[GroupSight]:
        """The groups that steps keep, the oldest first; at most 1,000."""
        runners = self._runners if route is None else [self._named(route)]
        store, found = self._store, list[GroupSight]()
        for runner in runners:
            for name in runner.keeps:
                found += [group_sight(group, name, runner.route.name) for group in await store.groups(name).all()]
        return sorted(found, key=lambda one: one.first)[:MOST]

    async def breakers(self) -> Sequence[BreakerSight]:
        """All circuit breakers."""
        found = [
            breaker_sight(runner.route.name, name, self._seen)
            for runner in self._sorted
            for name in self._of(runner).breakers
        ]
        return sorted(found, key=lambda one: (one.name, one.route))

    async def store(self) -> Sequence[HeldSight]:
        """What the store holds."""
        held = await self._store.contents()
        return [HeldSight(kind=one.kind, name=one.name, count=one.count, oldest=one.oldest) for one in held]

    async def settings(self) -> Sequence[SettingSight]:
        """All settings, masked, and where each came from."""
        return self._around.settings()

    async def audit(self, *, since: float | None = None, limit: int = 100) -> Sequence[DeedSight]:
        """What operators did, the newest first."""
        deeds = await self._store.audit.list(since=since, limit=limit)
        return [DeedSight(when=d.when, who=d.who, action=d.action, what=d.what, details=d.details) for d in deeds]

    async def log(self, *, after: int = 0, limit: int = 1000) -> Sequence[LineSight]:
        """Lines of the log numbered above `after`, the oldest first; of more than `limit`, the newest."""
        return self._around.log.after(after, limit)

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        """The newest traces, without their hops; none if no route is traced."""
        traced = self._around.traced
        return () if traced is None else await traced.traces(route=route, limit=limit)

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        """The way of a message through each route that traced it; raises UnknownName if none did."""
        traced = self._around.traced
        found = () if traced is None else await traced.trace(message, route=route)
        if not found:
            hint = "it was not sampled, or is forgotten" if traced is not None else "no route is traced"
            raise UnknownName(f"there is no trace of message '{message}'", hint=hint)
        return found

    async def order(self, action: Order, route: str, *, by: Operator) -> Sequence[RouteSight]:
        """Start, stop, pause or resume a route, or all that fit a pattern; does not wait for messages."""
        permitted(by, f"{action} routes")
        names = self._fitting(route)
        await self._written(by, f"routes.{action}", route, ", ".join(names) if names != [route] else "")
        for name in names:
            await self._service.control(action, name)
        fed = readers(self._runners)
        return [self._sight(self._named(name), fed) for name in names]

    async def concurrency(self, route: str, value: int, *, by: Operator) -> RouteSight:
        """How many messages of a route may be in flight from now on, until it stops."""
        permitted(by, "change how many messages are in flight")
        runner = self._named(route)
        if value < 1:
            raise BadOption(f"concurrency is {value}", hint="it is 1 or more; to take no messages, pause the route")
        await self._written(by, "routes.concurrency", route, f"from {runner.concurrency or 'no limit'} to {value}")
        runner.admit(value)
        return self._sight(runner, readers(self._runners))

    async def flush(self, name: str, key: str | None = None, *, by: Operator) -> int:
        """Let the groups of a state go on, or that of one key; returns how many."""
        permitted(by, "flush groups")
        known = sorted({state for runner in self._runners for state in runner.keeps})
        if name not in known:
            raise UnknownName(f"no step keeps groups by the name '{name}'", hint=did_you_mean(name, known))
        await self._written(by, "groups.flush", name, "" if key is None else f"key {key}")
        try:
            answer = await self._service.control("flush", name, **({} if key is None else {"key": key}))
        except TypeError as error:  # a step whose messages have no keys
            raise BadOption(f"what '{name}' keeps has no keys", hint="flush all of it: leave out the key") from error
        return sum(answer) if isinstance(answer, list) else int(answer)  # pyright: ignore[reportUnknownArgumentType]  # a list of counts

    async def breaker(self, action: Literal["open", "close"], name: str, *, by: Operator) -> None:
        """Open or close a circuit breaker."""
        permitted(by, f"{action} circuit breakers")
        known = sorted({one for runner in self._runners for one in self._of(runner).breakers})
        if name not in known:
            raise UnknownName(f"there is no circuit breaker '{name}'", hint=did_you_mean(name, known))
        await self._written(by, f"breakers.{action}", name)
        await self._service.control(action, name)

    async def reload(self, *, by: Operator) -> Sequence[str]:
        """Load changed modules anew; returns what was done, a line for each route or problem."""
        permitted(by, "reload routes")
        if self._around.reload is None:
            raise Unavailable("this daemon cannot reload its routes", hint="restart it: what is in flight is finished")
        await self._written(by, "service.reload", self._around.routes)
        return await self._around.reload()

    @property
    def _runners(self) -> Sequence[Runner]:
        return list(self._service.runners)

    @property
    def _sorted(self) -> Sequence[Runner]:
        return sorted(self._service.runners, key=lambda one: one.route.name)

    @property
    def _store(self) -> Store:
        store = self._service.store
        if store is None:
            raise StoreError("the store is not open yet", hint="the daemon starts: try again in a moment")
        return store

    def _of(self, runner: Runner) -> Definition:
        return self._definitions.of(runner.route)

    def _named(self, name: str) -> Runner:
        runners = self._runners
        found = next((runner for runner in runners if runner.route.name == name), None)
        if found is None:
            names = [runner.route.name for runner in runners]
            raise UnknownName(f"there is no route '{name}'", hint=did_you_mean(name, names))
        return found

    def _fitting(self, pattern: str) -> list[str]:
        """The names of the routes that are meant; raises UnknownName if there is none."""
        if "*" not in pattern:
            return [self._named(pattern).route.name]
        names = sorted(runner.route.name for runner in self._runners if fnmatchcase(runner.route.name, pattern))
        if not names:
            raise UnknownName(f"no route fits '{pattern}'", hint="see: routekit get routes")
        return names

    def _sight(self, runner: Runner, fed: Mapping[str, str]) -> RouteSight:
        return route_sight(runner, self._of(runner), self._seen, fed)

    def _ends(self, runner: Runner) -> Sequence[EndpointSight]:
        return endpoint_sights(runner, self._of(runner), self._seen)

    async def _store_health(self) -> PartHealth:
        began = self._seen.began
        store = self._service.store
        if store is None:
            return PartHealth(kind="store", name="store", ok=False, state="opening", since=began)
        reason = f"it gave no answer within {_PATIENCE:g} s"
        with anyio.move_on_after(_PATIENCE):
            try:
                await store.audit.list(limit=1)
            except StoreError as error:
                reason = said(error)
            else:
                reason = ""
        away = self._seen.store(reason)
        state = "away" if reason else "open"
        return PartHealth(kind="store", name="store", ok=not reason, state=state, reason=reason, since=away)

    async def _written(self, by: Operator, action: str, what: str, details: str = "") -> None:
        """Note in the audit what is about to be done; raises StoreError, and then it is not done."""
        text = one_line(masked(details))
        await self._store.audit.add(Deed(self._setup.now(), by.name, action, one_line(what), text))


async def _each(runners: Sequence[Runner], make: Callable[[Runner], T]) -> list[T]:
    """What is made of each; between some of many, messages have their turn."""
    found: list[T] = []
    for number, runner in enumerate(runners, 1):
        found.append(make(runner))
        if number % _BREATH == 0:
            await anyio.lowlevel.checkpoint()
    return found


def installed() -> str:
    """The version that is installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"
