"""Seen: since when the parts of a service are as they are, from the events that it tells."""

from collections.abc import Callable
from dataclasses import dataclass
from time import time

from ..discretion import said, told
from ..errors import Unavailable
from ..events import (
    CircuitChanged,
    DeadLettered,
    Event,
    Refused,
    Retrying,
    RouteDegraded,
    RoutePaused,
    RouteResumed,
    RouteStarted,
    RouteStopped,
)
from ..options import masked
from ..runtime.failure import failure_of

FRESH = 60.0
"""Seconds after its last failure for which an endpoint counts as down; who succeeds in between is not heard of."""


@dataclass(frozen=True, slots=True)
class Since:
    """A state, why it is so, and since when, in seconds since 1970."""

    state: str
    when: float
    why: str = ""


@dataclass(slots=True)
class Failing:
    """A step of a route that failed since the other side is away."""

    first: float
    last: float
    reason: str


class Seen:
    """Hears the events of a service; `began` is what holds for a part that nothing was heard of."""

    def __init__(self, now: Callable[[], float] = time) -> None:
        self._now = now
        self.began = now()
        self._routes: dict[str, Since] = {}
        self._breakers: dict[tuple[str, str], Since] = {}
        self._failing: dict[tuple[str, str], Failing] = {}
        self._store = Since("opening", self.began)

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case RouteStarted(route) | RouteResumed(route):
                self._turn(route, "running")
            case RoutePaused(route, why):
                self._turn(route, "paused", why)
            case RouteDegraded(route, error):
                self._turn(route, "degraded", said(error))
            case RouteStopped(route):
                self._turn(route, "stopped")
            case CircuitChanged(route, name, state, why):
                self._breakers[route, name] = Since(state, self._now(), masked(why))
            case Retrying(route, error=error) | DeadLettered(route, error=error) | Refused(route, error=error):
                self._failed(route, error)
            case _:
                pass

    def route(self, name: str, state: str) -> Since:
        """Since when a route is in that state, which is what it is in now."""
        known = self._routes.get(name)
        if known is None or (known.state != state and state not in ("starting", "stopping")):
            return Since(state, self.began if known is None else known.when)
        return known if known.state == state else Since(state, known.when)

    def store(self, reason: str) -> float:
        """Since when the store is as it is: away for that reason, or open."""
        state = "away" if reason else "open"
        if self._store.state != state:
            self._store = Since(state, self._now(), reason)
        return self._store.when

    def breaker(self, route: str, name: str) -> Since | None:
        """The last change of a circuit breaker; None if it has always been closed."""
        return self._breakers.get((route, name))

    def failing(self, route: str, step: str) -> Failing | None:
        """What is known of a step whose other side was away in the last minute; `step` is its label."""
        fresh = self._now() - FRESH
        those = [
            found
            for (of, label), found in self._failing.items()
            if of == route and found.last > fresh and (label == step or label.endswith(f" > {step}"))
        ]
        return max(those, key=lambda found: found.last, default=None)

    def _turn(self, route: str, state: str, why: str = "") -> None:
        known = self._routes.get(route)
        same = known is not None and known.state == state  # a degraded route tells each time that it tries again
        self._routes[route] = Since(state, known.when if known and same else self._now(), why)

    def _failed(self, route: str, error: Exception) -> None:
        failure = failure_of(error)
        if failure is None or not isinstance(error, Unavailable | OSError):
            return
        now, reason = self._now(), told(error)
        known = self.failing(route, failure.step)
        self._failing[route, failure.step] = Failing(now if known is None else known.first, now, reason)
