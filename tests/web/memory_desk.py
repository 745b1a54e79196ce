"""MemoryDesk: a Desk whose figures are set by hand. It does what the contract says with what it holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from routekit.errors import Rejected, UnknownName
from routekit.operating.desk import Operator, Order
from routekit.operating.sights import (
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

State = Literal["running", "paused", "stopped"]
AFTER: dict[Order, State] = {"start": "running", "stop": "stopped", "pause": "paused", "resume": "running"}


@dataclass
class MemoryDesk:
    """What it holds is what it shows; what it is asked to do changes what it holds, and its audit."""

    details: dict[str, RouteDetail]
    now: float
    these_endpoints: list[EndpointSight] = field(default_factory=list[EndpointSight])
    these_flights: list[FlightSight] = field(default_factory=list[FlightSight])
    these_groups: list[GroupSight] = field(default_factory=list[GroupSight])
    these_breakers: list[BreakerSight] = field(default_factory=list[BreakerSight])
    held: list[HeldSight] = field(default_factory=list[HeldSight])
    these_settings: list[SettingSight] = field(default_factory=list[SettingSight])
    deeds: list[DeedSight] = field(default_factory=list[DeedSight])
    lines: list[LineSight] = field(default_factory=list[LineSight])
    these_traces: list[TraceSight] = field(default_factory=list[TraceSight])

    def change(self, name: str, **changes: Any) -> RouteSight:
        """Let a route be otherwise from now on."""
        detail = self.details[name]
        sight = detail.route.model_copy(update=changes)
        self.details[name] = detail.model_copy(update={"route": sight})
        return sight

    async def about(self) -> About:
        return About(
            version="0.1.0", pid=4711, started=self.now - 90_000, routes="routes/", store="sqlite:data/routekit.db"
        )

    async def health(self) -> Health:
        ill = [
            PartHealth(kind="route", name=one.name, ok=False, state=one.state, reason=one.why, since=one.since)
            for one in await self.routes()
            if one.state == "degraded"
        ]
        ill += [
            PartHealth(kind="endpoint", name=one.uri, ok=False, state="down", reason=one.reason, since=one.since)
            for one in self.these_endpoints
            if one.health == "down"
        ]
        return Health(ready=not ill, parts=ill)

    async def routes(self) -> Sequence[RouteSight]:
        return [self.details[name].route for name in sorted(self.details)]

    async def route(self, name: str) -> RouteDetail:
        return self._found(name)

    async def endpoints(self) -> Sequence[EndpointSight]:
        return self.these_endpoints

    async def flights(self, route: str | None = None) -> Sequence[FlightSight]:
        those = [one for one in self.these_flights if route in (None, one.route)]
        return sorted(those, key=lambda one: -one.seconds)

    async def groups(self, route: str | None = None) -> Sequence[GroupSight]:
        return [one for one in self.these_groups if route in (None, one.route)]

    async def breakers(self) -> Sequence[BreakerSight]:
        return self.these_breakers

    async def store(self) -> Sequence[HeldSight]:
        return self.held

    async def settings(self) -> Sequence[SettingSight]:
        return self.these_settings

    async def audit(self, *, since: float | None = None, limit: int = 100) -> Sequence[DeedSight]:
        return [deed for deed in self.deeds if since is None or deed.when >= since][:limit]

    async def log(self, *, after: int = 0, limit: int = 1000) -> Sequence[LineSight]:
        return [line for line in self.lines if line.number > after][:limit]

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        those = [one.model_copy(update={"hops": ()}) for one in self.these_traces if route in (None, one.route)]
        return sorted(those, key=lambda one: -one.began)[:limit]

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        return [one for one in self.these_traces if one.message == message and route in (None, one.route)]

    async def order(self, action: Order, route: str, *, by: Operator) -> Sequence[RouteSight]:
        names = [name for name in sorted(self.details) if fnmatchcase(name, route)]
        if not names:
            self._found(route)
        self._noted(by, action, route)
        return [self.change(name, state=AFTER[action], why=f"{action} by {by.name}", since=self.now) for name in names]

    async def concurrency(self, route: str, value: int, *, by: Operator) -> RouteSight:
        self._found(route)
        self._noted(by, "concurrency", route, str(value))
        return self.change(route, concurrency=value)

    async def flush(self, name: str, key: str | None = None, *, by: Operator) -> int:
        self._noted(by, "flush", name, key or "")
        kept = [one for one in self.these_groups if one.name != name or key not in (None, one.key)]
        count = len(self.these_groups) - len(kept)
        self.these_groups[:] = kept
        return count

    async def breaker(self, action: Literal["open", "close"], name: str, *, by: Operator) -> None:
        self._noted(by, f"breaker.{action}", name)
        state = "open" if action == "open" else "closed"
        self.these_breakers[:] = [
            one.model_copy(update={"state": state, "why": f"by {by.name}"}) if one.name == name else one
            for one in self.these_breakers
        ]

    async def reload(self, *, by: Operator) -> Sequence[str]:
        self._noted(by, "reload", "routes")
        return ["shop: 4 routes unchanged"]

    def _found(self, name: str) -> RouteDetail:
        if name not in self.details:
            raise UnknownName(f"there is no route '{name}'", hint=f"known: {', '.join(sorted(self.details))}")
        return self.details[name]

    def _noted(self, by: Operator, action: str, what: str, details: str = "") -> None:
        if by.role != "operator":
            raise Rejected(f"'{by.name}' may look, and may not {action}")
        self.deeds.insert(0, DeedSight(when=self.now, who=by.name, action=action, what=what, details=details))
