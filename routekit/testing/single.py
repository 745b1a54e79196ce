"""Running one route with given messages in place of its source."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from ..errors import DefinitionError, UnknownName, did_you_mean
from ..events import Counts, DeadLettered, Refused
from ..flow import Flow
from ..letter import kind_named
from ..loader import load
from ..route import Policy, Route
from ..store import Store
from .channel import Channel
from .matching import Key
from .runs import Run, routes_of, run_routes, setup_for
from .traffic import Arrival
from .world import World, current, replace_endpoints

T = TypeVar("T")


@dataclass
class RouteRun(Run, Generic[T]):
    """What a run of one route left behind; `run["rabbitmq:sales"]` is what it has sent there."""

    outcomes: list[Arrival] = field(default_factory=list[Arrival])
    """What became of each message that it was given, in their order."""
    world: World = field(default_factory=replace_endpoints, repr=False)
    since: int = field(default=0, repr=False)

    def __getitem__(self, key: Key) -> Channel:
        """What this run has sent to an endpoint."""
        return Channel(self.world, self.world.key(key), self.since)

    @property
    def sent(self) -> dict[str, list[Any]]:
        """The bodies that were sent, by the address that they were sent to: `{"rabbitmq:sales": [...]}`."""
        sent: dict[str, list[Any]] = {}
        for one in self.world.traffic.sends[self.since :]:
            if one.error is None:
                sent.setdefault(one.address, []).append(one.body)
        return sent

    @property
    def replies(self) -> list[T]:
        """The bodies of the replies: what came to the end of the route."""
        return [came.reply.body for came in self.outcomes if came.reply is not None]

    @property
    def filtered(self) -> list[Any]:
        """The bodies, as they came, of the messages that ended early, as at a filter."""
        return [came.body for came in self.outcomes if came.state == "ended"]

    @property
    def errors(self) -> list[Exception]:
        """What messages and parts became dead letters with, or were refused for, in that order."""
        return [event.error for event in self.events if isinstance(event, DeadLettered | Refused)]

    @property
    def count(self) -> Counts:
        """The counts of the route."""
        return next(iter(self.counts.values()))


@overload
async def run_route(
    route: Flow[T],
    messages: Iterable[Any] | None = None,
    *,
    folder: str | Path = "routes",
    store: Store | str = "memory:",
    policy: Policy | None = None,
    most: int | None = None,
    beside: Iterable[Flow[Any] | Route | str] = (),
) -> RouteRun[T]: ...


@overload
async def run_route(
    route: Route | str,
    messages: Iterable[Any] | None = None,
    *,
    folder: str | Path = "routes",
    store: Store | str = "memory:",
    policy: Policy | None = None,
    most: int | None = None,
    beside: Iterable[Flow[Any] | Route | str] = (),
) -> RouteRun[Any]: ...


async def run_route(
    route: Flow[Any] | Route | str,
    messages: Iterable[Any] | None = None,
    *,
    folder: str | Path = "routes",
    store: Store | str = "memory:",
    policy: Policy | None = None,
    most: int | None = None,
    beside: Iterable[Flow[Any] | Route | str] = (),
) -> RouteRun[Any]:
    """Run one route until nothing is left to do, with these bodies or messages in place of its source.

    Its endpoints are twins in memory, of the world of the `with replace_endpoints(...)` that is open, or of one of its
    own. `route` is a flow, a route, or the name of one in the modules of `folder`. Without `messages` its source is
    what that world makes of it. The routes `beside` run too, such as those that it calls by `direct:`. `store`,
    `policy` and `most` as for `run_routes`.
    """
    world = current() or replace_endpoints()
    definition = _route(route, Path(folder))
    given = [] if messages is None else world.enter(definition.source, messages)
    since = len(world.traffic.sends)
    setup = setup_for(Run(), catalog=world, store=store, policy=policy or Policy())
    try:
        others = [_route(other, Path(folder)) for other in beside]
        ran = await run_routes(definition, *others, setup=setup, most=most)
    finally:
        world.leave()
    return RouteRun(ran.counts, ran.letters, ran.events, given, world, since)


def entering(name: str, entry: int, kind: str = "", *, folder: str | Path = "routes") -> Route:
    """The route of that name in the modules of `folder`, as one whose messages enter in the middle of it.

    `entry` and `kind` are those of a dead letter: the number of the place where such parts enter the route, and the
    name of the class of their bodies, if that is a dataclass or model. Raises UnknownName.
    """
    return replace(_route(name, Path(folder)), entry=entry, body=kind_named(kind), codec=None)


def _route(route: Flow[Any] | Route | str, folder: Path) -> Route:
    """The route that is meant; raises UnknownName, or LoadError for a folder without any."""
    if not isinstance(route, str):
        return routes_of(route)[0]
    loaded = load(folder)
    found = next((one for one in loaded.routes if one.name == route), None)
    if found is not None:
        return found
    module = route.rpartition(".")[0]
    broken = next((one for one in loaded.problems if not module or f"'{module}'" in one.message), None)
    if broken is not None:
        raise DefinitionError(f"no route '{route}': {broken.message} ({broken.place})", hint=broken.hint)
    hint = did_you_mean(route, [one.name for one in loaded.routes])
    raise UnknownName(f"no route '{route}' in '{folder}'", hint=hint)
