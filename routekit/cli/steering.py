"""`routekit start`, `stop`, `pause`, `resume` and others: what changes a running daemon."""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Unanswered, UnknownName, did_you_mean
from .app import FAILED, AsJson, app, fail, out, print_json
from .asking import Token, Url, daemon
from .completing import breaker_names, group_names, running_routes
from .watching import STATES
from .whom import As

if TYPE_CHECKING:
    from ..control.client import Client
    from ..operating.desk import Order
    from ..operating.sights import RouteSight

Route = Annotated[str, typer.Argument(help="a route, or a pattern with *: 'shop.*'", autocompletion=running_routes)]
Wait = Annotated[float | None, typer.Option("--wait", min=0.0, metavar="SECONDS", help="wait so long until it is so")]
_LOOK = 0.2
"""Seconds between two looks whether it is so."""


@app.command()
def start(
    route: Route, wait: Wait = None, who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False
) -> None:
    """Start a route of the running daemon that was stopped, has ended, or waits to be started by hand."""
    _order("start", ("running",), route, wait, who, url, token, as_json_)


@app.command()
def stop(
    route: Route, wait: Wait = None, who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False
) -> None:
    """Stop a route: it takes no more messages, and closes when those in flight are done."""
    _order("stop", ("stopped",), route, wait, who, url, token, as_json_)


@app.command()
def pause(
    route: Route, wait: Wait = None, who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False
) -> None:
    """Pause a route: it takes no more messages, and all stays open but its source."""
    _order("pause", ("paused", "stopped"), route, wait, who, url, token, as_json_)


@app.command()
def resume(
    route: Route, wait: Wait = None, who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False
) -> None:
    """Let a route that was paused take messages again."""
    _order("resume", ("running",), route, wait, who, url, token, as_json_)


@app.command()
def concurrency(
    route: Annotated[str, typer.Argument(help="the route", autocompletion=running_routes)],
    messages: Annotated[int, typer.Argument(min=1, help="messages in flight at most")],
    who: As = None,
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """Change how many messages of a route may be in flight, until the daemon is started anew."""
    with daemon(url, token, who) as client:
        sight = client.concurrency(route, messages)
    if as_json_:
        print_json(sight.model_dump())
    else:
        out.print(f"{sight.name}: {sight.concurrency} in flight at most")


@app.command()
def flush(
    name: Annotated[
        str, typer.Argument(help="the name of an aggregate, a delay or another state", autocompletion=group_names)
    ],
    key: Annotated[str | None, typer.Option("--key", help="only the group of this key")] = None,
    who: As = None,
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """Let the groups that a step keeps go on now, as they are."""
    with daemon(url, token, who) as client:
        count = client.flush(name, key)
    if as_json_:
        print_json({"groups": count})
    else:
        out.print(f"{name}: {count:,} group{'s' if count != 1 else ''} let go")


breaker = typer.Typer(help="Open or close a circuit breaker of the running daemon.", no_args_is_help=True)
app.add_typer(breaker, name="breaker")

Breaker = Annotated[str, typer.Argument(help="the name of the circuit breaker", autocompletion=breaker_names)]


@breaker.command("open")
def open_(name: Breaker, who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False) -> None:
    """Make no more calls by it, until it is closed."""
    with daemon(url, token, who) as client:
        client.breaker("open", name)
        _show_breaker(client, name, as_json_)


@breaker.command()
def close(name: Breaker, who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False) -> None:
    """Let calls through again, whatever failed before."""
    with daemon(url, token, who) as client:
        client.breaker("close", name)
        _show_breaker(client, name, as_json_)


@app.command()
def reload(who: As = None, url: Url = None, token: Token = None, as_json_: AsJson = False) -> None:
    """Let the daemon load changed route modules anew; messages in flight finish on the version they began with."""
    with daemon(url, token, who) as client:
        lines = client.reload()
    if as_json_:
        print_json(list(lines))
    else:
        for line in lines or ["nothing has changed"]:
            out.print(line)


def _order(
    action: "Order",
    reached: Sequence[str],
    route: str,
    wait: float | None,
    who: str | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    with daemon(url, token, who) as client:
        those = client.order(action, route)
        if not those:
            raise UnknownName(
                f"no route fits '{route}'", hint=did_you_mean(route, [one.name for one in client.routes()])
            )
        if wait is not None:
            those = _waited(client, [one.name for one in those], reached, wait)
    if as_json:
        print_json([sight.model_dump() for sight in those])
    else:
        for one in those:
            out.print(f"{one.name}: ", end="")
            out.print(one.state, style=STATES[one.state], end="")
            out.print(f", {one.in_flight:,} in flight" if one.in_flight and one.state != "running" else "")
    late = [one.name for one in those if one.state not in reached]
    if wait is not None and late:
        fail(Unanswered(f"not {reached[0]} within {wait:g} s: {', '.join(late)}", hint="routekit get inflight"), FAILED)


def _waited(client: "Client", names: Sequence[str], reached: Sequence[str], patience: float) -> "Sequence[RouteSight]":
    """The routes when all of them are in one of these states, or when the patience has ended."""
    end = monotonic() + patience
    while True:
        those = [sight for sight in client.routes() if sight.name in names]
        if all(sight.state in reached for sight in those) or monotonic() >= end:
            return those
        sleep(_LOOK)


def _show_breaker(client: "Client", name: str, as_json: bool) -> None:
    those = [sight for sight in client.breakers() if sight.name == name]
    if as_json:
        print_json([sight.model_dump() for sight in those])
    else:
        for sight in those:
            out.print(f"{sight.name} of {sight.route}: {sight.state}")
