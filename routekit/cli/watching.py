"""`routekit ps`, `get` and `log`: what a running daemon does."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from time import sleep, time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..console import one_line
from .app import AsJson, app, new_table, out, print_json, show_table
from .asking import Token, Url, daemon
from .completing import running_routes
from .units import ago, duration, rate

if TYPE_CHECKING:
    from ..control.client import Client
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


class What(StrEnum):
    """What there is to get."""

    routes = "routes"
    endpoints = "endpoints"
    inflight = "inflight"
    groups = "groups"
    breakers = "breakers"
    store = "store"
    health = "health"
    settings = "settings"
    audit = "audit"


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
def get(
    what: Annotated[What, typer.Argument(help="what to get")],
    route: OfRoute = None,
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """Print what the running daemon tells of its parts, in full."""
    with daemon(url, token) as client:
        those = _got(client, what, route)
    if as_json_:
        print_json(those)
        return
    if not those:
        out.print({What.inflight: "nothing in flight", What.audit: "nothing was done"}.get(what, f"no {what.value}"))
        return
    columns = _COLUMNS[what]
    table = new_table(*columns, whole=tuple(columns))
    for one in those:
        table.add_row(*(show(one) for show in columns.values()))
    show_table(table)


def _got(client: "Client", what: What, route: str | None) -> list[dict[str, Any]]:
    """The sights as plain data, of one route or of those that fit a pattern."""
    asked: Mapping[What, Callable[[], Sequence[Any]]] = {
        What.routes: client.routes,
        What.endpoints: client.endpoints,
        What.inflight: client.flights,
        What.groups: client.groups,
        What.breakers: client.breakers,
        What.store: client.store,
        What.health: lambda: client.health().parts,
        What.settings: client.settings,
        What.audit: client.audit,
    }
    those = [sight.model_dump() for sight in asked[what]()]
    if route is None:
        return those
    return [one for one in those if fnmatchcase(str(one.get("route", one.get("name", ""))), route)]


def _text(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: one_line(str(one[name]))


def _number(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: f"{one[name]:,}"


def _since(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: "" if one[name] is None else ago(time() - one[name])


def _at(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: moment(one[name])


def _took(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: duration(one[name])


def _figures(one: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in one["figures"].items())


_COLUMNS: Mapping[What, Mapping[str, Callable[[dict[str, Any]], str]]] = {
    What.routes: {
        "route": _text("name"),
        "state": _text("state"),
        "since": _since("since"),
        "source": _text("source"),
        "rate": lambda one: rate(one["rate"]),
        "in flight": _number("in_flight"),
        "slots": _number("concurrency"),
        "received": _number("received"),
        "done": _number("done"),
        "ended": _number("ended"),
        "retried": _number("retried"),
        "dead": _number("dead"),
        "refused": _number("refused"),
        "held": _number("held"),
        "oldest": _took("oldest"),
        "p50": _took("p50"),
        "p95": _took("p95"),
        "p99": _took("p99"),
        "why": _text("why"),
    },
    What.endpoints: {
        "route": _text("route"),
        "endpoint": _text("uri"),
        "role": _text("role"),
        "health": _text("health"),
        "since": _since("since"),
        "figures": _figures,
        "reason": _text("reason"),
    },
    What.inflight: {
        "route": _text("route"),
        "message": _text("message"),
        "for": _took("seconds"),
        "step": _text("step"),
    },
    What.groups: {
        "name": _text("name"),
        "route": _text("route"),
        "key": _text("key"),
        "size": _number("size"),
        "first": _since("first"),
        "last": _since("last"),
        "state": lambda one: "closed" if one["closed"] else "open",
    },
    What.breakers: {
        "name": _text("name"),
        "route": _text("route"),
        "state": _text("state"),
        "since": _since("since"),
        "why": _text("why"),
    },
    What.store: {
        "kind": _text("kind"),
        "name": _text("name"),
        "count": _number("count"),
        "oldest": _since("oldest"),
    },
    What.health: {
        "name": _text("name"),
        "kind": _text("kind"),
        "ok": lambda one: "ok" if one["ok"] else "ill",
        "state": _text("state"),
        "since": _since("since"),
        "reason": _text("reason"),
    },
    What.settings: {"name": _text("name"), "value": _text("value"), "origin": _text("origin")},
    What.audit: {
        "when": _at("when"),
        "who": _text("who"),
        "action": _text("action"),
        "what": _text("what"),
        "details": _text("details"),
    },
}
"""The columns of each table, and what stands in them."""


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

    with daemon(url, token) as client:
        found = client.log(limit=5000)
        last = found[-1].number if found else 0
        those = [line for line in found if wanted(line)]
        _print_lines(those[len(those) - min(lines, len(those)) :], as_json_)
        while follow:
            try:
                sleep(_AGAIN)
            except KeyboardInterrupt:
                raise typer.Exit from None
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


def moment(when: float) -> str:
    """A time of this machine's zone, to the second."""
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M:%S")
