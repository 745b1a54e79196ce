"""Console: what a person sees while routes run. Lines in the log, and a progress bar on a terminal."""

import logging
from contextlib import AbstractContextManager
from time import monotonic
from types import TracebackType

from rich.console import Console as RichConsole
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from .events import (
    DeadLettered,
    Event,
    Logged,
    Progress,
    Refused,
    Retrying,
    RouteDegraded,
    RouteStarted,
    RouteStopped,
)
from .options import masked

_QUIET = 10.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log_to(stream: RichConsole, level: str) -> None:
    """Write the log of RouteKit to `stream`: coloured on a terminal, else one plain line each with its time."""
    logger = logging.getLogger("routekit")
    logger.setLevel(_LEVELS[level])
    logger.propagate = False
    handler: logging.Handler
    if stream.is_terminal:
        handler = RichHandler(console=stream, show_path=False, markup=False, rich_tracebacks=True)
    else:
        handler = logging.StreamHandler(stream.file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger.handlers = [handler]


class Watcher(AbstractContextManager["Watcher"]):
    """Turns events into log lines and bars; use it as a context manager around the run."""

    def __init__(self, stream: RichConsole) -> None:
        self._log = logging.getLogger("routekit")
        self._bars = Bars(
            TextColumn("{task.fields[route]}"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(),
            console=stream,
            disable=not stream.is_terminal,
            transient=True,
        )
        self._tasks: dict[tuple[str, str, str], TaskID] = {}
        self._terminal = stream.is_terminal
        self._told: dict[tuple[str, str, str], float] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Progress):
            self._progress(event)
            return
        level, line = line_of(event)
        self._log.log(level, "%s", masked(line))

    def _progress(self, event: Progress) -> None:
        if not self._terminal:
            self._progress_line(event)
            return
        key = (event.route, event.name, event.unit)
        if key not in self._tasks:
            self._bars.start()
            self._tasks[key] = self._bars.add_task(event.name, total=event.total, route=event.route, unit=event.unit)
        self._bars.update(self._tasks[key], completed=event.done, total=event.total)
        if event.finished:
            self._bars.remove_task(self._tasks.pop(key))
            if not self._tasks:
                self._bars.stop()

    def _progress_line(self, event: Progress) -> None:
        """A line every ten seconds for each file; those in between are for who debugs."""
        key = (event.route, event.name, event.unit)
        if event.finished:
            self._told.pop(key, None)
            return
        now = monotonic()
        due = now - self._told.setdefault(key, now) >= _QUIET
        if due:
            self._told[key] = now
        total = f" of {event.total:,}" if event.total is not None else ""
        line = f"{event.route}: {event.name}: {event.done:,}{total} {event.unit}"
        self._log.log(logging.INFO if due else logging.DEBUG, "%s", line)


def line_of(event: Event) -> tuple[int, str]:
    """The level and the line of an event."""
    match event:
        case Logged(route, level, text):
            return _LEVELS[level], f"{route}: {text}"
        case RouteStarted(route):
            return logging.INFO, f"{route}: running"
        case RouteDegraded(route, error, wait):
            return logging.WARNING, f"{route}: degraded, again in {wait:.1f} s: {_short(error)}"
        case RouteStopped(route, counts, unfinished):
            left = f", {unfinished} unfinished will be redelivered" if unfinished else ""
            return logging.INFO, (
                f"{route}: stopped after {counts.received:,} messages: {counts.done:,} done, {counts.ended:,} ended "
                f"early, {counts.dead:,} dead letters, {counts.refused:,} refused{left}"
            )
        case Retrying(route, message_id, attempt, wait, error):
            tried = f"{route}: {message_id}: try {attempt} failed, again in {wait:.1f} s"
            return logging.WARNING, f"{tried}: {_short(error)}"
        case DeadLettered(route, message_id, step, error):
            return logging.WARNING, f"{route}: {message_id}: dead letter at {step}: {_short(error)}"
        case Refused(route, message_id, step, error):
            return logging.ERROR, f"{route}: {message_id}: refused at {step}: {_short(error)}"
        case Progress(route, name, done):
            return logging.INFO, f"{route}: {name}: {done:,}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
