"""FleetDesk: the desk of a supervisor, over those of its workers. Counts are summed, states joined, orders go to all.

Over 300 lines, since a desk is one thing with many drawers.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from os import getpid
from typing import Any, Literal, TypeVar

from ..errors import RouteKitError, StoreError, Unavailable, UnknownName
from ..tasks import together
from .desk import Desk, Operator, Order
from .permission import permitted
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
    StepSight,
    TraceSight,
)

T = TypeVar("T")

WAITS = "waits: "
"""How the reason of a route begins whose source another process runs."""

_LINES = 5000
"""Lines of the log that are kept."""

_FAILURES = 20
"""Failures of a route that are shown."""

_STATES = ("degraded", "running", "starting", "stopping", "paused", "stopped")
"""Of several states the first is told."""

_SUMS = ("received", "brought", "done", "ended", "retried", "dead", "refused", "in_flight", "held", "rate", "errors")
_COUNTS = ("count", "failures", "retries", "rate", "errors")
_MOSTS = ("oldest", "p50", "p95", "p99")


class FleetDesk:
    """The desk of several workers. `desks` gives those that can be asked now, by the workers' names.

    A worker that does not answer is left out, and told in `health`. Quantiles are those of the worker that is worst, as
    they cannot be added. What the store holds is asked of one worker, since all share it. An order stands in the audit
    once for each worker.
    """

    def __init__(self, names: Sequence[str], desks: Callable[[], Mapping[str, Desk]], started: float) -> None:
        self._names = names
        self._desks = desks
        self._started = started
        self._lines = deque[LineSight](maxlen=_LINES)
        self._number = 0
        self._read: dict[str, tuple[Desk, int]] = {}  # up to which line each worker's log was read

    async def about(self) -> About:
        """The supervisor, with what its workers have in common; `leader` are those that run what is run once."""
        asked = await self._asked(lambda desk: desk.about())
        routes = await self._asked(lambda desk: desk.routes())
        one = _first(asked)
        return one.model_copy(
            update={
                "pid": getpid(),
                "started": self._started,
                "workers": tuple(self._names),
                "leader": ", ".join(_leaders(routes)),
            }
        )

    async def health(self) -> Health:
        """Ready if all workers are there and each of them is ready."""
        asked = await self._asked(lambda desk: desk.health(), strict=False)
        parts = [
            part.model_copy(update={"reason": f"{worker}: {part.reason}" if part.reason else worker})
            for worker, health in asked.items()
            for part in health.parts
            if not part.ok
        ]
        for name in self._names:
            if name not in asked:
                reason = f"{name} does not answer, or starts just now"
                parts.append(
                    PartHealth(kind="route", name=name, ok=False, state="away", reason=reason, since=self._started)
                )
        fine = [part for health in asked.values() for part in health.parts if part.ok]
        told = {(part.kind, part.name) for part in parts}
        for part in sorted(fine, key=lambda part: WAITS in part.reason):
            if (part.kind, part.name) not in told:
                told.add((part.kind, part.name))
                parts.append(part)
        return Health(ready=len(asked) == len(self._names) and all(one.ready for one in asked.values()), parts=parts)

    async def routes(self) -> Sequence[RouteSight]:
        """All routes, sorted by name."""
        return _routes(await self._asked(lambda desk: desk.routes()))

    async def route(self, name: str) -> RouteDetail:
        """All about one route."""
        asked = await self._asked(lambda desk: desk.route(name))
        details = list(asked.values())
        failures = sorted((one for detail in details for one in detail.failures), key=lambda one: -one.when)
        (route,) = _routes({worker: [detail.route] for worker, detail in asked.items()})
        changes = {"route": route, "steps": _steps(details), "failures": _once(failures)[:_FAILURES]}
        return details[0].model_copy(update=changes)

    async def endpoints(self) -> Sequence[EndpointSight]:
        """The sources and sinks of all routes: down if one worker finds them so."""
        asked = await self._asked(lambda desk: desk.endpoints())
        there: dict[tuple[str, str, str], list[EndpointSight]] = {}
        for worker, ends in asked.items():
            for end in ends:
                told = end.model_copy(update={"reason": f"{worker}: {end.reason}"}) if end.reason else end
                there.setdefault((end.route, end.uri, end.role), []).append(told)
        return [_endpoint(those) for those in there.values()]

    async def flights(self, route: str | None = None) -> Sequence[FlightSight]:
        """The messages at work, the oldest first."""
        asked = await self._asked(lambda desk: desk.flights(route))
        return sorted((one for those in asked.values() for one in those), key=lambda one: -one.seconds)

    async def groups(self, route: str | None = None) -> Sequence[GroupSight]:
        """The groups that steps keep, the oldest first."""
        return await self._of_one(lambda desk: desk.groups(route))

    async def breakers(self) -> Sequence[BreakerSight]:
        """All circuit breakers; each process has its own, and one that is open is told first."""
        asked = await self._asked(lambda desk: desk.breakers())
        there: dict[tuple[str, str], list[BreakerSight]] = {}
        for worker, those in asked.items():
            for one in those:
                why = f"{worker}: {one.why}" if one.why else one.why
                there.setdefault((one.name, one.route), []).append(one.model_copy(update={"why": why}))
        order = ("open", "half-open", "closed")
        return [min(those, key=lambda one: order.index(one.state)) for _, those in sorted(there.items())]

    async def store(self) -> Sequence[HeldSight]:
        """What the store holds."""
        return await self._of_one(lambda desk: desk.store())

    async def settings(self) -> Sequence[SettingSight]:
        """All settings, which are the same for all."""
        return await self._of_one(lambda desk: desk.settings())

    async def audit(self, *, since: float | None = None, limit: int = 100) -> Sequence[DeedSight]:
        """What operators did, the newest first."""
        return await self._of_one(lambda desk: desk.audit(since=since, limit=limit))

    async def log(self, *, after: int = 0, limit: int = 1000) -> Sequence[LineSight]:
        """Lines of all workers' logs, in the order in which they were read here."""
        await self._read_logs()
        found = [line for line in self._lines if line.number > after]
        return found[-limit:] if limit else []

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        """The newest traces, without their hops."""
        asked = await self._asked(lambda desk: desk.traces(route=route, limit=limit))
        found = _once(one for those in asked.values() for one in those)
        return sorted(found, key=lambda one: -one.began)[:limit]

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        """The way of a message through each route that traced it, in whichever worker."""
        asked = await self._asked(lambda desk: desk.trace(message, route=route))
        return sorted(_once(one for those in asked.values() for one in those), key=lambda one: one.began)

    async def order(self, action: Order, route: str, *, by: Operator) -> Sequence[RouteSight]:
        """Start, stop, pause or resume a route in all workers; does not wait for messages."""
        permitted(by, f"{action} routes")
        return _routes(await self._asked(lambda desk: desk.order(action, route, by=by)))

    async def concurrency(self, route: str, value: int, *, by: Operator) -> RouteSight:
        """How many messages of a route may be in flight in each worker from now on, until it stops."""
        permitted(by, "change how many messages are in flight")
        asked = await self._asked(lambda desk: desk.concurrency(route, value, by=by))
        (sight,) = _routes({worker: [one] for worker, one in asked.items()})
        return sight

    async def flush(self, name: str, key: str | None = None, *, by: Operator) -> int:
        """Let the groups of a state go on, whichever worker waits for them; returns how many."""
        permitted(by, "flush groups")
        return sum((await self._asked(lambda desk: desk.flush(name, key, by=by))).values())

    async def breaker(self, action: Literal["open", "close"], name: str, *, by: Operator) -> None:
        """Open or close a circuit breaker in all workers."""
        permitted(by, f"{action} circuit breakers")
        await self._asked(lambda desk: desk.breaker(action, name, by=by))

    async def reload(self, *, by: Operator) -> Sequence[str]:
        """Load changed modules anew in all workers; a line for each route or problem, and the worker."""
        permitted(by, "reload routes")
        asked = await self._asked(lambda desk: desk.reload(by=by))
        return [f"{worker}: {line}" for worker, lines in asked.items() for line in lines]

    async def _asked(self, ask: Callable[[Desk], Awaitable[T]], *, strict: bool = True) -> Mapping[str, T]:
        """What each worker answers, by its name; a worker that does not is left out.

        Raises what all of them raise, and Unavailable if there is none; but not unless it is `strict`.
        """
        desks = self._desks()
        answers: dict[str, T] = {}
        errors: dict[str, RouteKitError] = {}

        async def one(worker: str, desk: Desk) -> None:
            try:
                answers[worker] = await ask(desk)
            except RouteKitError as error:
                errors[worker] = error

        async with together() as tasks:
            for worker, desk in desks.items():
                tasks.start_soon(one, worker, desk)
        if strict and not answers:
            told = sorted(errors.values(), key=lambda error: isinstance(error, Unavailable | StoreError))
            raise told[0] if told else Unavailable("no worker answers", hint="they start just now: try again")
        return {name: answers[name] for name in self._names if name in answers}

    async def _of_one(self, ask: Callable[[Desk], Awaitable[T]]) -> T:
        """What the first worker answers that does."""
        error: RouteKitError = Unavailable("no worker answers", hint="they start just now: try again")
        for desk in self._desks().values():
            try:
                return await ask(desk)
            except UnknownName:
                raise
            except RouteKitError as found:
                error = found
        raise error

    async def _read_logs(self) -> None:
        """Take in what the workers have written since the last look; a new process begins anew."""
        desks = self._desks()
        found: list[LineSight] = []
        for worker, desk in desks.items():
            before, after = self._read.get(worker, (desk, 0))
            after = after if before is desk else 0
            try:
                lines = await desk.log(after=after)
            except RouteKitError:
                continue
            self._read[worker] = (desk, lines[-1].number if lines else after)
            found += lines
        for line in sorted(found, key=lambda line: line.when):
            self._number += 1
            self._lines.append(line.model_copy(update={"number": self._number}))


def _first(asked: Mapping[str, T]) -> T:
    return next(iter(asked.values()))


def _once(those: Any) -> list[Any]:
    """Without those that come again, as workers that share a store may all tell them."""
    return list({one.model_dump_json(): one for one in those}.values())


def _routes(asked: Mapping[str, Sequence[RouteSight]]) -> Sequence[RouteSight]:
    """Each route once, sorted by name."""
    found = sorted(((worker, one) for worker, those in asked.items() for one in those), key=lambda pair: pair[1].name)
    return [_route(list(those)) for _, those in groupby(found, key=lambda pair: pair[1].name)]


def _route(those: Sequence[tuple[str, RouteSight]]) -> RouteSight:
    """A route as all workers run it."""
    worker, told = min(those, key=lambda pair: (_STATES.index(pair[1].state), WAITS in pair[1].why))
    sights = [sight for _, sight in those]
    sums = {name: sum(getattr(sight, name) for sight in sights) for name in _SUMS}
    mosts = {
        name: max((value for sight in sights if (value := getattr(sight, name)) is not None), default=None)
        for name in _MOSTS
    }
    why = f"{worker}: {told.why}" if told.why and told.state == "degraded" else told.why
    return told.model_copy(update={**sums, **mosts, "why": why})


def _steps(details: Sequence[RouteDetail]) -> Sequence[StepSight]:
    """The steps of a route, in the order of the first worker; those of other versions are left out."""
    others = [{(step.label, step.place): step for step in detail.steps} for detail in details]
    joined: list[StepSight] = []
    for step in details[0].steps:
        same = [found for steps in others if (found := steps.get((step.label, step.place))) is not None]
        sums = {name: sum(getattr(one, name) for one in same) for name in _COUNTS}
        mosts = {
            name: max((value for one in same if (value := getattr(one, name)) is not None), default=None)
            for name in ("p50", "p95", "p99")
        }
        joined.append(step.model_copy(update={**sums, **mosts}))
    return joined


def _endpoint(those: Sequence[EndpointSight]) -> EndpointSight:
    order = ("down", "ok", "unknown")
    told = min(those, key=lambda one: order.index(one.health))
    figures: dict[str, float] = {}
    for one in those:
        for name, value in one.figures.items():
            figures[name] = figures.get(name, 0.0) + value
    sums = {name: sum(getattr(one, name) for one in those) for name in ("rate", "errors")}
    return told.model_copy(update={**sums, "figures": figures})


def _leaders(routes: Mapping[str, Sequence[RouteSight]]) -> Sequence[str]:
    """The workers that run what others wait for."""
    waits = {one.name for those in routes.values() for one in those if one.why.startswith(WAITS)}
    return [
        worker for worker, those in routes.items() if any(one.name in waits and one.state == "running" for one in those)
    ]
