"""Console: what a person sees while routes run, on a terminal and in a log file."""

import logging
import re
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from rich.console import Console

from routekit import Progress, Unavailable
from routekit.console import Watcher, line_of, log_to, one_line
from routekit.events import (
    CircuitChanged,
    ClusterGrew,
    Counts,
    DeadLettered,
    Draining,
    Event,
    Flight,
    GapSkipped,
    Logged,
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


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """The log goes where it went before."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    logging.captureWarnings(False)


class Screen:
    """A console that remembers, with a watcher whose clock is turned by hand."""

    def __init__(self, *, terminal: bool, level: str = "info") -> None:
        self.text = StringIO()
        self.now = 100.0
        self.console = Console(file=self.text, force_terminal=terminal, width=100, no_color=True, highlight=False)
        log_to(self.console, level)
        self.watcher = Watcher(self.console, lambda: self.now)

    def show(self, *events: Event) -> list[str]:
        """The lines that these events make."""
        before = len(self.text.getvalue())
        for event in events:
            self.watcher(event)
        return self.text.getvalue()[before:].splitlines()


@pytest.fixture
def file() -> Screen:
    return Screen(terminal=False)


@pytest.fixture
def terminal() -> Iterator[Screen]:
    screen = Screen(terminal=True)
    with screen.watcher:
        yield screen


def bars(screen: Screen) -> list[str]:
    """The names of the bars that are there now."""
    return [str(task.description) for task in screen.watcher._bars.tasks]  # only there they can be seen without a race


ERROR = Unavailable("amqp://me:hunter2@host is away", hint="start it")


@pytest.mark.parametrize(
    ("event", "level", "line"),
    [
        (RouteStarted("r"), "INFO", "r: running"),
        (RoutePaused("r", "outside 08:00-18:00 UTC"), "INFO", "r: paused: outside 08:00-18:00 UTC"),
        (RouteResumed("r"), "INFO", "r: running again"),
        (
            CircuitChanged("r", "erp", "open", "5 of 9 calls failed", 60),
            "WARNING",
            "r: circuit breaker 'erp' is open, again in 60.0 s: 5 of 9 calls failed",
        ),
        (
            CircuitChanged("r", "erp", "closed", "its probes succeeded"),
            "INFO",
            "r: circuit breaker 'erp' is closed: its probes succeeded",
        ),
        (Logged("r", "warning", "hello"), "WARNING", "r: hello"),
        (
            RouteDegraded("r", ERROR, 1.25),
            "WARNING",
            "r: degraded, again in 1.2 s: Unavailable: amqp://me:***@host is away; start it",
        ),
        (
            Retrying("r", "m1", 2, 0.5, ValueError("no")),
            "WARNING",
            "r: m1: try 2 failed, again in 0.5 s: ValueError: no",
        ),
        (
            DeadLettered("r", "m1", "to mock:x", ValueError("no")),
            "WARNING",
            "r: m1: dead letter at to mock:x: ValueError: no",
        ),
        (
            Refused("r", "m1", "to mock:x", ValueError("no")),
            "ERROR",
            "r: m1: refused at to mock:x: ValueError: no",
        ),
        (
            RouteStopped("r", Counts(received=1200, done=1000, ended=100, dead=60, refused=39), 1),
            "INFO",
            "r: stopped after 1,200 messages: 1,000 done, 100 ended early, 60 dead letters, 39 refused, "
            "1 unfinished will be redelivered",
        ),
        (
            RouteStopped("r", Counts(done=9, brought=9), 2, (Flight("r", "m1", "to log:x", 61.04),), durable=True),
            "INFO",
            "r: stopped after 0 messages and 9 of its own: 9 done, 0 ended early, 0 dead letters, 0 refused, "
            "2 unfinished stay in the journal: m1 at to log:x for 61.0 s",
        ),
        (
            Draining("r", 3, (Flight("r", "m1", "to log:x", 2.5), Flight("r", "m2", "source", 0.0)), 29.6),
            "INFO",
            "r: waiting up to 30 s for 3 in flight: m1 at to log:x for 2.5 s, m2 at source for 0.0 s",
        ),
        (StateLeft("r", "journal", "r", 3), "INFO", "r: 3 messages in the journal go on at the next start"),
        (StateLeft("r", "groups", "four", 1234), "INFO", "r: 1,234 messages kept by four go on at the next start"),
    ],
)
def test_line_of_each_event(file: Screen, event: Event, level: str, line: str) -> None:
    """Each event is one line with time and level, that says what happened and what comes now, without secrets."""
    (shown,) = file.show(event)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) +(.*)", shown)
    assert shown.split(maxsplit=3)[2:] == [level, line]


def test_not_all_of_very_many_are_named() -> None:
    """Twenty messages in flight, and how many more."""
    flights = tuple(Flight("r", f"m{number}", "to log:x", 1.0) for number in range(25))
    line = line_of(Draining("r", 25, flights, 5.0))[1]
    assert line.endswith("m19 at to log:x for 1.0 s, and 5 more")


def test_every_event_has_a_line() -> None:
    """No kind of event is forgotten: each has a line that begins with its route."""
    counts = Counts()
    samples: dict[type, Event] = {
        type(event): event
        for event in (
            RouteStarted("r"),
            RouteDegraded("r", ERROR, 1),
            RoutePaused("r", "asked"),
            RouteResumed("r"),
            CircuitChanged("r", "erp", "half-open", "it was open for 60 s"),
            RouteStopped("r", counts),
            Draining("r", 1, (), 3.0),
            StateLeft("r", "groups", "four", 1),
            Retrying("r", "m", 1, 1, ERROR),
            Rescued("r", "m", "rescue ValueError of the route", ERROR),
            GapSkipped("r", "orders", "ann", 3, 5),
            DeadLettered("r", "m", "s", ERROR),
            ClusterGrew("r", "c", "s", "KeyError", "*", 1, True),
            Refused("r", "m", "s", ERROR),
            Logged("r", "info", "x"),
            Progress("r", "f", 1, None, "rows"),
        )
    }
    assert set(samples) == set(Event.__args__)
    for event in samples.values():
        assert line_of(event)[1].startswith("r: ")


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_level_of_the_log(level: str) -> None:
    """Only lines of the chosen level and above are written."""
    levels = ["debug", "info", "warning", "error"]
    shown = Screen(terminal=False, level=level).show(*(Logged("r", one, one) for one in levels))
    assert [line.rpartition(" ")[2] for line in shown] == levels[levels.index(level) :]


def test_text_from_outside_stays_in_its_line(file: Screen) -> None:
    """A body or reason cannot begin a line of its own, nor steer the terminal."""
    (shown,) = file.show(Logged("r", "info", "a\n2026-01-01 INFO all is well\r\x1b[2J\x9b2J\x07"))
    assert shown.endswith(r"r: a\n2026-01-01 INFO all is well\r\x1b[2J\x9b2J\x07")


def test_one_line_leaves_other_signs_alone() -> None:
    """Letters of all languages, tabs and backslashes stay as they are."""
    assert one_line("Grüße\t日本 \\n 😀") == "Grüße\t日本 \\n 😀"


@pytest.mark.parametrize("make", [lambda: Screen(terminal=False), lambda: Screen(terminal=True)])
def test_texts_are_no_markup(make: Callable[[], Screen]) -> None:
    """Brackets and colons of a text are shown, and not taken for styles or emoji."""
    shown = " ".join(make().show(Logged("r", "info", "[bold]x[/nope] :key:")))
    assert "[bold]x[/nope] :key:" in re.sub(r"\x1b\[[\d;]*m", "", shown)


def test_lines_are_not_doubled() -> None:
    """A log that is set up twice writes each line once, to the last stream."""
    first, second = Screen(terminal=False), Screen(terminal=False)
    assert len(second.show(RouteStarted("r"))) == 1
    assert first.text.getvalue() == ""


def test_progress_without_a_terminal(file: Screen) -> None:
    """Without a terminal, progress is a line every ten seconds for each file, and none for what is quick."""
    assert file.show(*(Progress("r", "a.csv", n, 5000, "rows") for n in range(1000))) == []
    file.now += 10
    shown = file.show(*(Progress("r", "a.csv", n, 5000, "rows") for n in range(1000, 2000)))
    assert [line.partition("r: ")[2] for line in shown] == ["a.csv: 1,000 of 5,000 rows"]
    file.now += 9
    assert file.show(Progress("r", "a.csv", 2000, 5000, "rows")) == []
    file.now += 1
    assert len(file.show(Progress("r", "a.csv", 2001, None, "rows"))) == 1
    assert file.show(Progress("r", "a.csv", 5000, 5000, "rows", finished=True)) == []


def test_unknown_total(file: Screen) -> None:
    """Where the total is not known, none is made up."""
    file.show(Progress("r", "a.csv", 1, None, "rows"))
    file.now += 10
    assert file.show(Progress("r", "a.csv", 1000, None, "rows"))[0].endswith("r: a.csv: 1,000 rows")


def test_progress_is_a_bar_on_a_terminal(terminal: Screen) -> None:
    """On a terminal there is one bar for each file, that moves and is gone at the end; no lines are written."""
    terminal.show(Progress("r", "a.csv", 1, 10, "rows"), Progress("r", "b.csv", 1, None, "rows"))
    terminal.show(Progress("r", "a.csv", 5, 10, "rows"))
    assert bars(terminal) == ["a.csv", "b.csv"]
    assert terminal.watcher._bars.tasks[0].completed == 5
    terminal.show(Progress("r", "a.csv", 10, 10, "rows", finished=True))
    assert bars(terminal) == ["b.csv"]
    terminal.show(Progress("r", "b.csv", 10, 10, "rows", finished=True))
    assert bars(terminal) == []
    assert not terminal.watcher._bars.live.is_started


def test_bar_of_what_failed_is_removed(terminal: Screen) -> None:
    """The bars of a route that stops or is degraded go with it; those of others stay."""
    for ending in (RouteStopped("r", Counts()), RouteDegraded("r", ERROR, 1)):
        terminal.show(Progress("r", "a.csv", 1, 10, "rows"), Progress("other", "b.csv", 1, 10, "rows"), ending)
        assert bars(terminal) == ["b.csv"]


def test_storm_of_files_is_bounded(terminal: Screen) -> None:
    """However many files begin and never end, twenty bars are kept: those that moved last."""
    for number in range(100):
        terminal.show(Progress("r", "steady", number, 1000, "rows"), Progress("r", f"f{number}", 1, 10, "rows"))
    assert len(bars(terminal)) == 20
    assert {"steady", "f99", "f81"} <= set(bars(terminal))


def test_few_files_all_have_bars(terminal: Screen) -> None:
    """Up to twenty files at once, each has its bar."""
    terminal.show(*(Progress("r", f"f{number}", 1, 10, "rows") for number in range(20)))
    assert len(bars(terminal)) == 20


def test_storm_without_a_terminal_is_bounded(file: Screen) -> None:
    """Without a terminal, a storm of files that never end is forgotten too."""
    for number in range(1000):
        file.show(Progress("r", f"f{number}", 1, 10, "rows"))
    assert len(file.watcher._told) == 20


def test_names_of_files_are_no_markup(terminal: Screen) -> None:
    """A file may be named like a style or hold control characters: the bar shows it as it is."""
    terminal.show(Progress("r", "[/red]\x1b[2J.csv", 1, 10, "rows"))
    terminal.watcher._bars.refresh()
    assert "[/red]\\x1b[2J.csv" in terminal.text.getvalue()


def test_leaving_removes_all_bars() -> None:
    """Whatever is left when the run ends is removed from the screen."""
    screen = Screen(terminal=True)
    with screen.watcher:
        screen.show(Progress("r", "a.csv", 1, 10, "rows"))
    assert not screen.watcher._bars.live.is_started
    assert screen.text.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
