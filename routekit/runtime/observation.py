"""Observation: what is counted of the routes of one service, and who else follows their messages.

A route that nobody observes has no `Watch`: then nothing is wrapped and no message pays.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from random import Random
from time import time
from typing import Any, Final

from ..events import DeadLettered, Event, Refused, Rescued, Retrying
from ..message import Message, Meta, Outcome, Trace
from ..observed import Became, FailureFigures, RouteFigures
from ..observing import Observer, Observing, Several, Spot
from ..options import masked
from ..place import Place
from ..plugins import Catalog
from ..route import Route
from ..step import Send, Step, Target
from .failure import failure_of
from .tallies import Cell, Pace, Stopwatch

SAMPLE: Final = 64
"""One in so many messages of a route, taken at random, is measured at its steps; the first one is among them."""

RECENT: Final = 50
"""Failures of a route that are remembered."""

_LONG = 500
"""Characters of a reason that are remembered."""

UNDONE: Final[Any] = object()
"""In place of a reply: there was none."""

_BECAME: Final[Mapping[type, Became]] = {
    DeadLettered: "dead",
    Refused: "refused",
    Rescued: "rescued",
    Retrying: "retried",
}

_within: ContextVar["tuple[_Timing, list[float]] | None"] = ContextVar("routekit_timing", default=None)

_log = logging.getLogger("routekit.observing")


class Watch:
    """Observes one route, over all its starts."""

    def __init__(self, route: str, observers: Sequence[Observer], now: Callable[[], float], *, counts: bool) -> None:
        self.route = route
        self.counts = counts
        self.times = Stopwatch()
        self.failures: deque[FailureFigures] = deque(maxlen=RECENT)
        self._observers = tuple(observers)
        self._now = now
        self._pace = Pace(now())
        self._cells: dict[tuple[int, ...], Cell] = {}
        self._flying: dict[int, Message[Any]] = {}
        self._failing: dict[int, tuple[Outcome, Exception]] = {}
        self._until = 1
        self._random = Random(route)

    def cell(self, path: tuple[int, ...], label: str, place: Place, step: Step[Any, Any]) -> Cell:
        """Where a step is counted, which is bound anew at each start."""
        known = self._cells.get(path)
        if known is None or known.spot.step is not step:
            known = self._cells[path] = Cell(Spot(self.route, label, place, step, path))
        return known

    def begin(self, message: Message[Any], parent: Trace | None) -> Message[Any]:
        """A message has been taken; as it is followed from now on."""
        traces: list[Trace] = []
        for observer in self._observers:
            trace = observer.begin(message if parent is None else followed(message, parent))
            if trace is not None:
                traces.append(trace)
        if self.counts:
            self._until -= 1
            if not self._until:
                self._until = self._random.randint(1, 2 * SAMPLE - 1)  # not in step with what the source brings
                traces.append(_Timing(self._cells, self._now))
        if traces:
            message = followed(message, traces[0] if len(traces) == 1 else Several(traces))
        if self.counts:
            self._flying[id(message)] = message
        return message

    def failed(self, message: Message[Any], outcome: Outcome, error: Exception) -> None:
        """A message that was begun will end so."""
        self._failing[id(message)] = outcome, error

    def leave(self, message: Message[Any], reply: Message[Any] | None) -> None:
        """A message that was begun has ended."""
        outcome: Outcome = "ended" if reply is None else "done" if reply is not UNDONE else "left"
        error = None
        if self._failing:
            outcome, error = self._failing.pop(id(message), (outcome, None))
        if self.counts:
            del self._flying[id(message)]
            if outcome != "left":
                self._count(message, failed=error is not None)
        trace = message.meta.trace
        if trace is not None:
            trace.end(outcome, error)

    def _count(self, message: Message[Any], *, failed: bool) -> None:
        now, pace = self._now(), self._pace
        if now >= pace.turn:
            pace.mark(now)
        if failed:
            pace.failed += 1
        else:
            pace.finished += 1
        self.times.add(now - message.meta.received)

    def hear(self, event: Event) -> None:
        """Take note of a failure."""
        if not (self.counts and isinstance(event, DeadLettered | Refused | Rescued | Retrying)):
            return
        where = failure_of(event.error)
        became = _BECAME[type(event)]
        if became == "retried" and where is not None and where.cell is not None and where.route == self.route:
            where.cell.retries += 1
        step = where.step if where is not None else "source"
        reason = masked(str(event.error))[:_LONG]
        kind = type(event.error).__name__
        self.failures.appendleft(FailureFigures(self._now(), event.message_id, step, kind, reason, became))

    def read(self, figures: RouteFigures) -> RouteFigures:
        """These figures of the route with what is known here."""
        if not self.counts:
            return figures
        now = self._now()
        rate, errors = self._pace.read(now)
        oldest = next((max(0.0, now - message.meta.received) for message in self._flying.values()), None)
        return replace(
            figures,
            rate=rate,
            errors=errors,
            oldest=oldest,
            times=self.times.read(),
            steps=[self._cells[path].read() for path in sorted(self._cells)],
            failures=tuple(self.failures),
        )

    def follow(self, before: "Watch") -> None:
        """Go on with what was counted of the route before it was changed; its steps begin anew."""
        self.times, self.failures, self._pace = before.times, before.failures, before._pace
        self._flying, self._failing = before._flying, before._failing


class Observations:
    """Who observes the routes of one service."""

    def __init__(
        self,
        catalog: Catalog,
        observers: Sequence[Observing] = (),
        now: Callable[[], float] = time,
        *,
        metrics: bool = False,
    ) -> None:
        self._catalog = catalog
        self._observers = observers
        self._now = now
        self._metrics = metrics

    def of(self, route: Route) -> Watch | None:
        """Who observes a route from now on, if anybody does."""
        found = [observer for make in self._observers if (observer := _made(make, route)) is not None]
        found += self._catalog.observers(route)
        return Watch(route.name, found, self._now, counts=self._metrics) if found or self._metrics else None


def followed(message: Message[Any], trace: Trace) -> Message[Any]:
    """The message as it is when it has just been taken, with this trace."""
    meta = message.meta
    made = Meta(meta.route, meta.source, meta.received, meta.attempt, meta.deadline, history=meta.history, trace=trace)
    return Message(message.body, message.headers, message.id, made)


def watched_send(send: Send, spot: Spot, target: Target) -> Send:
    """The same, told to the trace of its message."""

    def sent(message: Message[Any], **options: Any) -> Any:
        trace = message.meta.trace
        return send(message, **options) if trace is None else trace.send(spot, target, send, message, options)

    return sent


def _made(make: Observing, route: Route) -> Observer | None:
    try:
        return make(route)
    except Exception:  # a stranger's: who observes must never stop what is observed
        _log.exception("route %s is not observed by %r", route.name, make)
        return None


class _Timing:
    """Measures each step by itself: the time in it without that in the steps that follow it."""

    __slots__ = ("_cells", "_now")

    def __init__(self, cells: Mapping[tuple[int, ...], Cell], now: Callable[[], float]) -> None:
        self._cells = cells
        self._now = now

    async def step(self, spot: Any, handler: Any, message: Message[Any]) -> Any:
        around = _within.get()
        inner = [0.0]
        token = _within.set((self, inner))
        began = self._now()
        try:
            return await handler(message)
        finally:
            seconds = self._now() - began
            _within.reset(token)
            if around is not None and around[0] is self:
                around[1][0] += seconds
            self._cells[spot.path].took(seconds - inner[0])

    def send(self, spot: Any, target: Any, send: Any, message: Message[Any], options: Any) -> Any:
        return send(message, **options)

    def end(self, outcome: Any, error: Exception | None) -> None:
        pass
