"""`routekit ps` and `log`: what a running daemon does."""

import json
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from fnmatch import fnmatchcase
from time import sleep, time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..console import one_line
from .app import AsJson, app, new_table, out, print_json, show_table
from .asking import Token, Url, daemon
from .completing import running_routes
from .units import ago, duration, moment, rate

if TYPE_CHECKING:
    from ..operating.sights import LineSight, RouteSight

OfRoute = Annotated[
    str | None,
    typer.Option("--route", help="only of this route, or of those that fit a pattern", autocompletion=running_routes),
]

STATES = {
    "running": "green",
    "starting": "cyan",
    "paused": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
    "degraded": "bold red",
}
"""How a route's state is shown."""


class Level(StrEnum):
    """The levels of the log, the mildest first."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"
    critical = "critical"


_LEVELS = [level.value for level in Level]

_COLOURS = {"debug": "dim", "info": "", "warning": "yellow", "error": "red", "critical": "bold red"}

_AGAIN = 0.5
"""Seconds between two looks at the log."""


@app.command()
def ps(
    pattern: Annotated[
        str, typer.Argument(metavar="[ROUTE]", help="a route, or a pattern with *", autocompletion=running_routes)
    ] = "*",
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """List the routes of the running daemon: their state, why it is so, and what flows.

    `rate` is messages done in a second, over the last ten seconds; `p95` the time that 95 of 100 take.
    """
    with daemon(url, token) as client:
        those = fitting(client.routes(), pattern)
    if as_json_:
        print_json([sight.model_dump() for sight in those])
        return
    show_routes(those)


def fitting(sights: "Sequence[RouteSight]", pattern: str) -> "Sequence[RouteSight]":
    """The routes whose names fit a pattern."""
    return [sight for sight in sights if fnmatchcase(sight.name, pattern)]


def show_routes(those: "Sequence[RouteSight]") -> None:
    """Print a line for each route."""
    if not those:
        out.print("no route")
        return
    now = time()
    table = new_table(
        "route", "state", "rate", "in flight", "done", "dead", "p95", "since", "why", whole=("state", "since")
    )
    for one in those:
        state = Text(one.state, style=STATES[one.state])
        figures = (rate(one.rate), f"{one.in_flight:,}", f"{one.done:,}", f"{one.dead:,}", duration(one.p95))
        table.add_row(one.name, state, *figures, ago(now - one.since), one_line(one.why))
    show_table(table)


@app.command()
def log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what comes, until Ctrl-C")] = False,
    route: OfRoute = None,
    level: Annotated[Level, typer.Option("--level", help="this one and what is worse")] = Level.debug,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="so many of the last lines")] = 100,
    url: Url = None,
    token: Token = None,
    as_json_: Annotated[bool, typer.Option("--json", help="print a line of JSON for each")] = False,
) -> None:
    """Print the log of the running daemon, as far as it has it in memory."""

    def wanted(line: "LineSight") -> bool:
        fits = route is None or fnmatchcase(line.route, route)
        return fits and _LEVELS.index(line.level if line.level in _LEVELS else "info") >= _LEVELS.index(level)

    with daemon(url, token) as client, suppress(KeyboardInterrupt):  # that is how following ends
        found = client.log(limit=5000)
        last = found[-1].number if found else 0
        those = [line for line in found if wanted(line)]
        _print_lines(those[len(those) - min(lines, len(those)) :], as_json_)
        while follow:
            sleep(_AGAIN)
            found = client.log(after=last)
            last = found[-1].number if found else last
            _print_lines([line for line in found if wanted(line)], as_json_)


def _print_lines(lines: "Sequence[LineSight]", as_json: bool) -> None:
    for line in lines:
        if as_json:
            typer.echo(json.dumps(line.model_dump(), ensure_ascii=False))
        else:
            typer.echo(f"{moment(line.when)} {_level(line.level)} {line.text}")


def _level(level: str) -> str:
    text = f"{level.upper():<7}"
    colour = _COLOURS.get(level, "")
    return text if not (colour and out.is_terminal and not out.no_color) else _coloured(text, colour)


def _coloured(text: str, colour: str) -> str:
    with out.capture() as captured:
        out.print(text, style=colour, end="")
    return captured.get()
