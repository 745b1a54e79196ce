"""Assembly: a route's definition becomes handlers, the ways in which its messages are processed, and its runtime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..endpoint import Source
from ..errors import DefinitionError
from ..events import Counts
from ..fitting import Fit, fitting
from ..rescuing import Clauses
from ..route import REFUSE, Policy, Route, cannot_refuse
from ..step import Handler
from .binding import Enter, RouteRuntime
from .giving_up import giving_up, takes_back
from .journaling import Journaling
from .line import Line
from .observation import Watch
from .processing import Processing
from .recalling import Recalling
from .rescuer import Rescuer
from .services import Activity, Services


@dataclass(frozen=True)
class Assembled:
    """A route, ready to run once."""

    processing: Processing
    """The way of a message from its source."""
    brought: Sequence[Processing]
    """The ways of what the route itself brings, one for each place where it can enter."""
    runtime: RouteRuntime
    again: Callable[[int, Any], Processing]
    """The way of a dead letter, by the number of the place where it enters and the type of its body there."""
    journaling: Journaling | None = None
    """Its journal, if it is durable."""


def assembled(
    route: Route,
    source: Source,
    policy: Policy,
    clauses: Clauses,
    services: Services,
    activity: Activity,
    counts: Counts,
    watch: Watch | None = None,
) -> Assembled:
    """Bind a route; raises DefinitionError for one that cannot work."""
    runtime = RouteRuntime(route, services, activity, watch)
    rescuer = Rescuer(clauses, runtime) if any(clauses) else None
    runtime.line = Line(rescuer, policy.retries)
    runtime.remembers = bool(policy.history)
    codec = None if route.codec is None else runtime.codec(route.codec)
    fit = None if route.body is None and codec is None else fitting(route.body or object, codec)
    journaling = _journaling(route, policy, runtime, fit)
    runtime.journaling = journaling
    runtime.recalling = Recalling() if getattr(source, "recalls", False) else None
    runtime.end = runtime.line.end() if journaling is None else journaling.end(runtime.line.end())
    handler = _entered(route, runtime, runtime.bind(route.chain, runtime.end))
    give_up = giving_up(route, policy, runtime, counts)
    entered = runtime.line.entered
    if journaling is not None:
        give_up = journaling.giving_up(give_up)
        entered = journaling.entered(entered)
    if runtime.recalling is not None:
        entered = _recalled(entered, runtime.recalling)
    runtime.giving_up(give_up)
    if rescuer is not None:
        rescuer.bind()
    refuses = takes_back(policy, source)
    back = None if refuses else give_up
    processing = Processing(route, policy, fit, entered(handler), back, runtime, counts, rescuer=rescuer)
    inner = replace(route, body=None)
    kept = back if not (runtime.store.durable or journaling) else give_up  # a source that was told takes nothing back
    brought = [
        Processing(inner, policy, None, entered(enter), kept, runtime, counts, number, rescuer)
        for number, enter in enumerate(runtime.entries, 1)
    ]
    if journaling is not None:
        journaling.ways(processing, brought)

    def again(entry: int, kind: Any) -> Processing:
        start, body, check = (handler, route.body, fit) if not entry else (_place(route, runtime, entry), kind, None)
        if entry and kind is not None:
            check = fitting(kind)
        entering, number = replace(route, body=body), entry or _LETTER
        return Processing(entering, policy, check, entered(start), None, runtime, counts, number, rescuer)

    return Assembled(processing, brought, runtime, again, journaling)


_LETTER = -1
"""The entry of a letter of a whole message, which did not come from the source."""


def _recalled(entered: Enter, recalling: Recalling) -> Enter:
    return lambda handler: recalling.entered(entered(handler))


def _journaling(route: Route, policy: Policy, runtime: RouteRuntime, fit: Fit | None) -> Journaling | None:
    """The journal of a durable route."""
    if policy.durable != "store":
        return None
    if policy.dead_letter == REFUSE:
        raise cannot_refuse()
    return Journaling(route, policy, runtime, fit)


def _entered(route: Route, runtime: RouteRuntime, start: Handler[Any]) -> Handler[Any]:
    """Where the route's messages enter it."""
    return _place(route, runtime, route.entry) if route.entry else start


def _place(route: Route, runtime: RouteRuntime, entry: int) -> Handler[Any]:
    """Where the parts of that number enter it; raises DefinitionError if nothing enters there."""
    if entry > len(runtime.entries):
        found = f"route '{route.name}' has {len(runtime.entries)} places where parts enter, asked for {entry}"
        raise DefinitionError(found, hint="the route has changed since the letter was written")
    return runtime.entries[entry - 1]
