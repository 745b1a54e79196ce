"""`routekit get`: what a running daemon tells of its parts, kind by kind."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from time import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import one_line
from .app import AsJson, app, new_table, out, print_json, show_table
from .asking import Token, Url, daemon
from .units import ago, duration, moment, rate
from .watching import OfRoute

if TYPE_CHECKING:
    from ..control.client import Client


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
