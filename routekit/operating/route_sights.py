"""How what the machine knows of a route becomes sights: the route itself, its steps, endpoints, breakers and groups."""

from collections.abc import Mapping, Sequence
from typing import Literal

from ..console import one_line
from ..observed import RouteFigures, Times
from ..options import masked
from ..runtime.runner import Runner
from ..store import Group
from .definitions import Definition, Place
from .seen import Seen, Since
from .sights import BreakerSight, EndpointSight, FailureSight, GroupSight, PartHealth, RouteSight, StepSight


def readers(runners: Sequence[Runner]) -> Mapping[str, str]:
    """The routes that others feed, by the address that those send to."""
    return {runner.address: runner.route.name for runner in runners if runner.internal}


def route_sight(runner: Runner, definition: Definition, seen: Seen, fed: Mapping[str, str]) -> RouteSight:
    """A route in a line of a table; `fed` are the readers of all routes."""
    figures, state = runner.observed(), runner.state
    since = seen.route(figures.name, state)
    p50, p95, p99 = _quantiles(figures.times)
    return RouteSight.model_validate(
        {
            **{name: getattr(figures, name) for name in _COUNTED},
            "state": state,
            "why": one_line(runner.why or (since.why if state == "paused" else "")),
            "since": since.when,
            "module": definition.module,
            "source": definition.places[0].uri,
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "concurrency": runner.concurrency,
            "feeds": sorted({fed[to] for to in runner.feeds if to in fed}),
        }
    )


_COUNTED = (
    "name",
    "received",
    "brought",
    "done",
    "ended",
    "retried",
    "dead",
    "refused",
    "in_flight",
    "held",
    "rate",
    "errors",
    "oldest",
)


def step_sights(figures: RouteFigures) -> Sequence[StepSight]:
    """The steps of a route, in its order."""
    found: list[StepSight] = []
    for step in figures.steps:
        p50, p95, p99 = _quantiles(step.times)
        found.append(
            StepSight(
                label=masked(step.label),
                place=step.place,
                count=step.count,
                failures=step.failures,
                retries=step.retries,
                p50=p50,
                p95=p95,
                p99=p99,
                rate=step.rate,
                errors=step.errors,
            )
        )
    return found


def failure_sights(figures: RouteFigures) -> Sequence[FailureSight]:
    """The latest failures of a route, the newest first."""
    return [
        FailureSight(
            when=one.when,
            message=one.message,
            step=masked(one.step),
            error=one.error,
            reason=one_line(one.reason),
            outcome=one.outcome,
        )
        for one in figures.failures
    ]


def endpoint_sights(runner: Runner, definition: Definition, seen: Seen) -> Sequence[EndpointSight]:
    """The endpoints of a route: the source, then the sinks."""
    state, since = runner.state, seen.route(runner.route.name, runner.state)
    figures: dict[str, dict[str, float]] = {}
    observed = runner.observed()
    for figure in observed.endpoints:
        figures.setdefault(figure.endpoint, {})[figure.name] = figure.value
    found: list[EndpointSight] = []
    for place in definition.places:
        health, reason, when = _health(place, definition, state, since, seen)
        rate, errors = _rates(place, observed)
        found.append(
            EndpointSight(
                route=runner.route.name,
                uri=place.uri,
                scheme=place.scheme,
                role=place.role,
                health=health,
                reason=one_line(reason),
                since=when,
                rate=rate,
                errors=errors,
                figures=figures.get(place.uri, {}),
            )
        )
    return found


def _rates(place: Place, observed: RouteFigures) -> tuple[float, float]:
    """What passes an endpoint in a second: the source's messages, or what the steps send that name it."""
    if place.role == "source":
        return observed.rate, observed.errors
    steps = [step for step in observed.steps if step.label == place.step]
    return sum(step.rate for step in steps), sum(step.errors for step in steps)


def _health(
    place: Place, definition: Definition, state: str, since: Since, seen: Seen
) -> tuple[Literal["ok", "down", "unknown"], str, float]:
    """Whether the other side of an endpoint is there, as far as the route has met it; why not, and since when."""
    if state == "degraded":
        named = _named(definition, since.why)
        if not named or place in named:
            return ("down" if named else "unknown"), since.why, since.when
        return "ok", "", seen.began
    if state in ("starting", "stopped"):
        return "unknown", f"the route is {state}", since.when
    failing = seen.failing(definition.route.name, place.step) if place.step else None
    return ("ok", "", seen.began) if failing is None else ("down", failing.reason, failing.first)


def _named(definition: Definition, why: str) -> Sequence[Place]:
    """The endpoints of which an error speaks: by their address, or else by their scheme."""
    named = [one for one in definition.places if one.uri.partition("?")[0] in why]
    return named or [one for one in definition.places if f"{one.scheme}:" in why]


def route_health(runner: Runner, seen: Seen) -> PartHealth:
    """Whether a route works: one that starts or is degraded does not, one that was stopped or paused does as told."""
    name, state = runner.route.name, runner.state
    since = seen.route(name, state)
    ok = state not in ("starting", "degraded")
    reason = one_line(runner.why or since.why)
    return PartHealth(kind="route", name=name, ok=ok, state=state, reason=reason, since=since.when)


def endpoint_health(end: EndpointSight) -> PartHealth:
    """Whether an endpoint works."""
    name, ok = f"{end.route} {end.uri}", end.health == "ok"
    return PartHealth(kind="endpoint", name=name, ok=ok, state=end.health, reason=end.reason, since=end.since)


def breaker_sight(route: str, name: str, seen: Seen) -> BreakerSight:
    """A circuit breaker; one of which nothing was heard has always been closed."""
    known = seen.breaker(route, name)
    state, why, when = (known.state, known.why, known.when) if known else ("closed", "", None)
    return BreakerSight.model_validate(
        {"name": name, "route": route, "state": state, "why": one_line(why), "since": when}
    )


def group_sight(group: Group, name: str, route: str) -> GroupSight:
    """A group of messages that a step of the route keeps, by the name of its state."""
    return GroupSight(
        name=name,
        route=route,
        key=group.key,
        size=group.size,
        first=group.first,
        last=group.last,
        closed=group.closed,
        owner=group.owner,
    )


def _quantiles(times: Times | None) -> tuple[float | None, float | None, float | None]:
    if times is None:
        return None, None, None
    return times.quantile(0.5), times.quantile(0.95), times.quantile(0.99)
