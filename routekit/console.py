"""Console: what a person sees while routes run. Lines in the log, and a progress bar on a terminal."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from time import monotonic
from types import TracebackType

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from .discretion import told
from .events import (
    CircuitChanged,
    ClusterGrew,
    DeadLettered,
    Draining,
    Event,
    Flight,
    GapSkipped,
    Logged,
    Progress,
    Refused,
    Rescued,
    Retrying,
    RouteDegraded,
    RoutePaused,
    RouteResumed,
    RouteStarted,
    RouteStopped,
    StateLeft,
)
from .logs import FIELDS, LEVELS
from .logs import log_to as log_to
from .logs import one_line as one_line
from .options import masked

_QUIET = 10.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""

_FLIGHTS = 20
"""Messages in flight that are named at most."""

_MOST = 20
"""Files whose progress is followed at once; the one that has not moved for longest makes room."""

_Key = tuple[str, str, str]


class Watcher(AbstractContextManager["Watcher"]):
    """Turns events into log lines and bars; use it as a context manager around the run."""

    def __init__(self, stream: RichConsole, clock: Callable[[], float] = monotonic, *, bars: bool = True) -> None:
        """`bars`: whether progress is drawn, if `stream` is a terminal; else it is told in lines."""
        self._log = logging.getLogger("routekit")
        self._clock = clock
        self._bars = Bars(
            TextColumn("{task.fields[route]}", markup=False),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}", markup=False),
            TimeRemainingColumn(),
            console=stream,
            disable=not (bars and stream.is_terminal),
            transient=True,
        )
        self._tasks: dict[_Key, TaskID] = {}
        self._terminal = bars and stream.is_terminal
        self._told: dict[_Key, float] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Progress):
            self._progress(event)
            return
        if isinstance(event, RouteDegraded | RouteStopped):  # what it was at will not go on
            self._forget([key for key in (*self._tasks, *self._told) if key[0] == event.route])
        level, line = line_of(event)
        self._log.log(level, "%s", one_line(masked(line)), extra=_extra(event))

    def _progress(self, event: Progress) -> None:
        key = (event.route, event.name, event.unit)
        if event.finished:
            self._forget([key])
        elif self._terminal:
            self._bar(key, event)
        else:
            self._progress_line(key, event)

    def _bar(self, key: _Key, event: Progress) -> None:
        task = self._tasks.pop(key, None)
        if task is None:
            self._forget(_oldest(self._tasks))
            self._bars.start()
            task = self._bars.add_task(one_line(event.name), total=event.total, route=event.route, unit=event.unit)
        self._tasks[key] = task  # the last that moved is the last of the dict
        self._bars.update(task, completed=event.done, total=event.total)

    def _progress_line(self, key: _Key, event: Progress) -> None:
        """A line every ten seconds for each file; those in between are for who debugs."""
        now = self._clock()
        told = self._told.pop(key, now)
        due = now - told >= _QUIET
        self._forget(_oldest(self._told))
        self._told[key] = now if due else told
        line = one_line(masked(line_of(event)[1]))
        self._log.log(logging.INFO if due else logging.DEBUG, "%s", line, extra=_extra(event))

    def _forget(self, keys: list[_Key]) -> None:
        for key in keys:
            self._told.pop(key, None)
            task = self._tasks.pop(key, None)
            if task is not None:
                self._bars.remove_task(task)
        if not self._tasks:
            self._bars.stop()


def _oldest(followed: Mapping[_Key, object]) -> list[_Key]:
    """Those that make room for one more."""
    return list(followed)[: max(0, len(followed) + 1 - _MOST)]


def _extra(event: Event) -> dict[str, object]:
    """What a record has besides its text: the kind of the event, and what it says of itself."""
    said = {name: getattr(event, name) for name in (*FIELDS, "error") if hasattr(event, name)}
    if isinstance(said.get("error"), str):  # the name of a class
        del said["error"]
    return {"event": type(event).__name__, **said}


def line_of(event: Event) -> tuple[int, str]:
    """The level and the line of an event."""
    match event:
        case Logged(route, level, text):
            return LEVELS[level], f"{route}: {text}"
        case RouteStarted(route):
            return logging.INFO, f"{route}: running"
        case RouteDegraded(route, error, wait):
            return logging.WARNING, f"{route}: degraded, again in {wait:.1f} s: {told(error)}"
        case RoutePaused(route, why):
            return logging.INFO, f"{route}: paused: {why}"
        case RouteResumed(route):
            return logging.INFO, f"{route}: running again"
        case CircuitChanged(route, name, state, why, wait):
            after = f", again in {wait:.1f} s" if wait is not None else ""
            level = logging.WARNING if state == "open" else logging.INFO
            return level, f"{route}: circuit breaker '{name}' is {state}{after}: {why}"
        case Draining(route, in_flight, flights, seconds):
            return logging.INFO, f"{route}: waiting up to {seconds:.0f} s for {in_flight:,} in flight{_at(flights)}"
        case RouteStopped():
            return logging.INFO, _stopped(event)
        case StateLeft(route, kind, name, count):
            where = "in the journal" if kind == "journal" else f"kept by {name}"
            return logging.INFO, f"{route}: {count:,} messages {where} go on at the next start"
        case Retrying(route, message_id, attempt, wait, error):
            tried = f"{route}: {message_id}: try {attempt} failed, again in {wait:.1f} s"
            return logging.WARNING, f"{tried}: {told(error)}"
        case Rescued(route, message_id, by, error):
            return logging.DEBUG, f"{route}: {message_id}: rescued by {by}: {told(error)}"
        case GapSkipped(route, name, key, first, last):
            numbers = f"number {first:,} is" if first == last else f"numbers {first:,} to {last:,} are"
            of = f" of {key}" if key else ""
            return logging.WARNING, f"{route}: resequence({name}): {numbers}{of} missing, going on without"
        case DeadLettered(route, message_id, step, error):
            return logging.WARNING, f"{route}: {message_id}: dead letter at {step}: {told(error)}"
        case ClusterGrew(route, cluster, step, error, text, count, new):
            many = "a new kind of dead letter" if new else f"{count:,} dead letters of a kind"
            return logging.WARNING, f"{route}: {many} (cluster {cluster[:8]}) at {step}: {error}: {text}"
        case Refused(route, message_id, step, error):
            return logging.ERROR, f"{route}: {message_id}: refused at {step}: {told(error)}"
        case Progress(route, name, done, total, unit):
            whole = f" of {total:,}" if total is not None else ""
            return logging.INFO, f"{route}: {name}: {done:,}{whole} {unit}"


def _stopped(event: RouteStopped) -> str:
    counts, unfinished = event.counts, event.unfinished
    own = f" and {counts.brought:,} of its own" if counts.brought else ""
    stays = "unfinished stay in the journal" if event.durable else "unfinished will be redelivered"
    left = f", {unfinished:,} {stays}{_at(event.left)}" if unfinished else ""
    return (
        f"{event.route}: stopped after {counts.received:,} messages{own}: {counts.done:,} done, {counts.ended:,} ended "
        f"early, {counts.dead:,} dead letters, {counts.refused:,} refused{left}"
    )


def _at(flights: Sequence[Flight]) -> str:
    """Where messages are, the oldest first; not all of very many."""
    told = [f"{flight.message_id} at {flight.step} for {flight.seconds:.1f} s" for flight in flights[:_FLIGHTS]]
    more = [f"and {len(flights) - _FLIGHTS:,} more"] if len(flights) > _FLIGHTS else []
    return f": {', '.join([*told, *more])}" if told else ""
