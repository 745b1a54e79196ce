"""Observation: what is counted of the routes of one service, and who else follows their messages.

A route that nobody observes has no `Watch`: then nothing is wrapped and no message pays.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from random import Random
from time import time
from typing import Any, Final

from ..breaker import Breaker
from ..discretion import said
from ..events import DeadLettered, Event, Refused, Rescued, Retrying
from ..limits import Gate, Gates
from ..message import Message, Meta, Outcome, Trace
from ..observed import Became, BreakerFigures, FailureFigures, LimitFigures, RouteFigures
from ..observing import Observer, Observing, Several, Spot
from ..place import Place
from ..plugins import Catalog
from ..route import Route
from ..step import Step
from .failure import failure_of
from .tallies import EDGES, Cell, Tally

SAMPLE: Final = 200
"""One in so many messages of a route at least is measured at its steps; taken at random, but for the first one."""

PACE: Final = 50.0
"""Messages of a route in a second up to which all are measured."""

_LONG = 500
"""Characters of a reason that are remembered."""

UNDONE: Final[Any] = object()
"""In place of a reply: there was none."""

_DONE: Final[tuple[Outcome, Exception | None]] = ("done", None)
_ENDED: Final[tuple[Outcome, Exception | None]] = ("ended", None)
_LEFT: Final[tuple[Outcome, Exception | None]] = ("left", None)

_NEVER: Final = 2**62

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
        self.tally = Tally(now())
        self.until = 1
        """The messages to the next one of which `begin` has to be told, with that one."""
        self._told = 1
        self._askings = [_Asking(observer) for observer in observers]
        self._cells: dict[tuple[int, ...], Cell] = {}
        self.tally.cells = self._cells
        if counts:
            self._askings.append(_Asking(_Sampler(route, self._cells, now)))
        self._now = now
        self._failing: dict[Meta, tuple[Outcome, Exception]] = {}
        self._followed = 0  # messages at work
        self._following = False

    def cell(self, path: tuple[int, ...], label: str, place: Place, step: Step[Any, Any]) -> Cell:
        """Where a step is counted, which is bound anew at each start."""
        self._following = False
        known = self._cells.get(path)
        if known is None or known.spot.step is not step:
            known = self._cells[path] = Cell(Spot(self.route, label, place, step, path))
        return known

    def begin(self, message: Message[Any], parent: Trace | None) -> Message[Any]:
        """The message that has just been taken, as it is followed from now on."""
        passed, until = self._told - self.until, _NEVER
        seen = message if parent is None else followed(message, parent)
        traces: list[Trace] = []
        for asking in self._askings:
            left = asking.until - passed
            if left <= 0:
                trace, left = asking.begin(seen)
                if trace is not None:
                    traces.append(trace)
            asking.until = left
            until = min(until, left)
        self._told = self.until = until
        if not traces:
            return message
        self._followed += 1
        if not self._following:
            self._follow(True)
        return followed(message, traces[0] if len(traces) == 1 else Several(traces))

    def _follow(self, following: bool) -> None:
        """Let the steps look for traces, or not."""
        self._following = following
        for cell in self._cells.values():
            cell.follow(following)

    def failed(self, message: Message[Any], outcome: Outcome, error: Exception) -> None:
        """A message that is at work will end so."""
        if self.counts or message.meta.trace is not None:
            self._failing[message.meta] = outcome, error

    def leave(self, message: Message[Any], reply: Message[Any] | None) -> None:
        """A message has ended; with metrics it is called for each, else for those that may be followed."""
        meta = message.meta
        if reply is None or reply is UNDONE or meta.trace is not None or not self.counts:
            return self._left(meta, reply)
        tally = self.tally
        del tally.flying[meta]
        now = self._now()
        if now >= tally.turn:
            tally.mark(now)
        seconds = now - meta.received
        if seconds > 0.0:  # else the clock was put back, or stands in a test
            tally.total += seconds
        tally.buckets[bisect_left(EDGES, seconds)] += 1
        return None

    def _left(self, meta: Meta, reply: Message[Any] | None) -> None:
        """As `leave`, of one that was not simply done."""
        outcome, error = _DONE
        if reply is None or reply is UNDONE:
            outcome, error = self._failing.pop(meta, _ENDED if reply is None else _LEFT)
        if self.counts:
            self.tally.left(meta, self._now(), counts=outcome != "left", failed=error is not None)
        if meta.trace is not None:
            self._followed -= 1
            if not self._followed and self._following and self.until > 1:  # else the next message is followed
                self._follow(False)
            meta.trace.end(outcome, error)

    def hear(self, event: Event) -> None:
        """Take note of a failure."""
        if not (self.counts and isinstance(event, DeadLettered | Refused | Rescued | Retrying)):
            return
        where = failure_of(event.error)
        became = _BECAME[type(event)]
        if became == "retried" and where is not None and where.cell is not None and where.route == self.route:
            where.cell.retries += 1
        step = where.step if where is not None else "source"
        reason = said(event.error)[:_LONG]
        kind = type(event.error).__name__
        self.tally.failures.appendleft(FailureFigures(self._now(), event.message_id, step, kind, reason, became))

    def follow(self, before: "Watch") -> None:
        """Go on with what was counted of the route before it was changed; its steps begin anew."""
        self.tally = before.tally
        self.tally.cells = self._cells

    def read(self, figures: RouteFigures) -> RouteFigures:
        """These figures of the route with what is known here."""
        if not self.counts:
            return figures
        now, tally = self._now(), self.tally
        rate, errors = tally.rates(now)
        steps = tally.steps(now)
        return replace(
            figures,
            rate=rate,
            errors=errors,
            oldest=tally.oldest(now),
            times=tally.read(),
            steps=[(cell := self._cells[path]).read(steps[cell]) for path in sorted(self._cells)],
            failures=tuple(tally.failures),
        )


class _Asking:
    """One observer, and the messages to the next one that it is asked about, with that one."""

    __slots__ = ("_observer", "until")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.until = 1

    def begin(self, message: Message[Any]) -> tuple[Trace | None, int]:
        """Its trace of this message, and when to ask again."""
        trace = self._observer.begin(message)
        return trace, 1 + max(0, getattr(self._observer, "skips", 0))


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


def shared_states(
    states: Mapping[tuple[Any, str], Any],
) -> tuple[Sequence[BreakerFigures], Sequence[LimitFigures]]:
    """The circuit breakers and limiters among the states that steps share by name."""
    breakers = [BreakerFigures(one.name, one.state) for one in states.values() if isinstance(one, Breaker)]
    gates = [(name, one) for (_, name), one in states.items() if isinstance(one, Gate | Gates)]
    return breakers, [LimitFigures(name, one.inside, one.waiting) for name, one in gates]


def followed(message: Message[Any], trace: Trace) -> Message[Any]:
    """The message as it is when it has just been taken, with this trace."""
    meta = message.meta
    made = Meta(meta.route, meta.source, meta.received, meta.attempt, meta.deadline, history=meta.history, trace=trace)
    return Message(message.body, message.headers, message.id, made)


def _made(make: Observing, route: Route) -> Observer | None:
    try:
        return make(route)
    except Exception:  # a stranger's: who observes must never stop what is observed
        _log.exception("route %s is not observed by %r", route.name, make)
        return None


class _Sampler:
    """Measures the steps of some messages: of all that come slowly, and of few of those that come fast."""

    def __init__(self, route: str, cells: Mapping[tuple[int, ...], Cell], now: Callable[[], float]) -> None:
        self.skips = 0
        self._random = Random(route)
        self._cells = cells
        self._now = now
        self._last = 0.0

    def begin(self, message: Message[Any]) -> Trace:
        now = message.meta.received
        most = min(SAMPLE, (1 + self.skips) / max(now - self._last, 1e-6) / PACE)
        self.skips = self._random.randrange(int(2 * most) + 1)  # not in step with what the source brings
        self._last = now
        return _Timing(self._cells, self._now)


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
