"""Desk: where an operator sits. Whatever shows or steers a running service does it by one of these."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

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
    RouteDetail,
    RouteSight,
    SettingSight,
    TraceSight,
)

Order: TypeAlias = Literal["start", "stop", "pause", "resume"]


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks: what the audit log writes down. A `reader` may look, and change nothing."""

    name: str
    role: Literal["reader", "operator"] = "operator"


class Desk(Protocol):
    """What can be seen of a service, and done to it.

    All raise UnknownName for a name that there is not, with those that are near; StoreError while the store is away;
    Unavailable for what cannot be done now. What changes something is written to the audit log of the store first, in
    the name of `by`; then it is done. It raises Rejected if `by` is a reader.
    """

    async def about(self) -> About:
        """The daemon as a whole."""
        ...

    async def health(self) -> Health:
        """Whether all is well, and if not, what is not, and since when."""
        ...

    async def routes(self) -> Sequence[RouteSight]:
        """All routes, sorted by name."""
        ...

    async def route(self, name: str) -> RouteDetail:
        """All about one route."""
        ...

    async def endpoints(self) -> Sequence[EndpointSight]:
        """The sources and sinks of all routes."""
        ...

    async def flights(self, route: str | None = None) -> Sequence[FlightSight]:
        """The messages at work, the oldest first."""
        ...

    async def groups(self, route: str | None = None) -> Sequence[GroupSight]:
        """The groups that steps keep, the oldest first; at most 1,000."""
        ...

    async def breakers(self) -> Sequence[BreakerSight]:
        """All circuit breakers."""
        ...

    async def store(self) -> Sequence[HeldSight]:
        """What the store holds."""
        ...

    async def settings(self) -> Sequence[SettingSight]:
        """All settings, masked, and where each came from."""
        ...

    async def audit(self, *, since: float | None = None, limit: int = 100) -> Sequence[DeedSight]:
        """What operators did, the newest first."""
        ...

    async def log(self, *, after: int = 0, limit: int = 1000) -> Sequence[LineSight]:
        """Lines of the log numbered above `after`, the oldest first, as far as they are still in memory."""
        ...

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        """The newest traces, without their hops."""
        ...

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        """The way of a message through each route that traced it, the first one first."""
        ...

    async def order(self, action: Order, route: str, *, by: Operator) -> Sequence[RouteSight]:
        """Start, stop, pause or resume a route, or all that fit a pattern with `*`; does not wait for messages."""
        ...

    async def concurrency(self, route: str, value: int, *, by: Operator) -> RouteSight:
        """How many messages of a route may be in flight from now on, until it stops."""
        ...

    async def flush(self, name: str, key: str | None = None, *, by: Operator) -> int:
        """Let the groups of a state go on, or that of one key; returns how many."""
        ...

    async def breaker(self, action: Literal["open", "close"], name: str, *, by: Operator) -> None:
        """Open or close a circuit breaker."""
        ...

    async def reload(self, *, by: Operator) -> Sequence[str]:
        """Load changed modules anew; returns what was done, a line for each route or problem."""
        ...
