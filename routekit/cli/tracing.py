"""`routekit trace` and `explain`: the messages that were traced, and why one of them went where it went."""

from collections.abc import Callable, Sequence
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..console import one_line
from ..errors import UnknownName
from ..settings import Settings
from ..store import Store
from .app import AsJson, answering, app, new_table, out, print_json, settings, show_table
from .asking import Token, Url, daemon
from .completing import running_routes
from .lettering import with_store
from .units import duration, moment

if TYPE_CHECKING:
    from ..operating.sights import TraceSight

MOST = 10_000
"""Traces that are looked through."""

_AGAIN = 0.5
"""Seconds between two looks for new traces."""

_FAILED = ("dead letter", "refused", "broken off")


@app.command("trace")
def trace_(
    route: Annotated[str | None, typer.Argument(help="only of this route", autocompletion=running_routes)] = None,
    limit: Annotated[int, typer.Option(min=1, help="traces at most")] = 20,
    failed: Annotated[bool, typer.Option("--failed", help="only messages that failed")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with new ones, until Ctrl-C")] = False,
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """List the newest messages that were traced: what became of each, in how long, and why.

    A route is traced if its policy says so, or the settings do: `Policy(trace=True)`, `trace = 0.01`. Traces are read
    from the store; from the daemon if --url names it, or the store is in its memory. `explain` shows one of them whole.
    """
    with answering():
        look = _Looking(settings(), url, token)
        found = look.newest(route, limit, failed=failed)
        if not follow:
            _show(found, as_json=as_json_)
            return
        _follow(look, route, found, failed=failed, as_json=as_json_)


@app.command()
def explain(
    message: Annotated[str, typer.Argument(help="the message's id, or the first characters of it")],
    route: Annotated[
        str | None, typer.Option("--route", help="only in this route", autocompletion=running_routes)
    ] = None,
    bodies: Annotated[bool, typer.Option("--bodies", help="show the body in front of each step and behind it")] = False,
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """Tell why a traced message went where it went: each step, what it decided and by which values, and the end.

    What it caused in routes that it called stands where they were called; where its id went on by a queue or a broker,
    the routes follow. Sensitive values are masked.
    """
    from .ways import Ways  # not before it is needed: the sights take time to load

    with answering():
        found = _Looking(settings(), url, token).whole(message, route)
    if as_json_:
        print_json([one.model_dump(mode="json") for one in found])
        return
    for text, style in Ways(found, bodies=bodies).lines():
        out.print(Text(text, style=style))


class _Looking:
    """Where traces are read: the store, or the daemon that has it in its memory."""

    def __init__(self, given: Settings, url: str | None, token: str | None) -> None:
        self._given = given
        self._url = url
        self._token = token
        self._asks = url is not None or given.options.store.startswith("memory:")

    def newest(self, route: str | None, limit: int, *, failed: bool) -> "list[TraceSight]":
        """The newest traces, without their hops."""
        found = self._all(route, MOST if failed else limit)
        return [one for one in found if not failed or one.ended in _FAILED][:limit]

    def whole(self, message: str, route: str | None) -> "Sequence[TraceSight]":
        """The ways of a message; raises UnknownName if there is none, or several begin so."""
        found = self._of(message, route)
        if found:
            return found
        near = sorted({one.message for one in self._all(route, MOST) if one.message.startswith(message)})
        if len(near) == 1:
            return self._of(near[0], route)
        hint = "it was not sampled, is forgotten by now, or its route is not traced: Policy(trace=True)"
        if near:
            hint = f"several begin so: {', '.join(near[:5])}"
        raise UnknownName(f"there is no trace of a message '{message}'", hint=hint)

    def _all(self, route: str | None, limit: int) -> "Sequence[TraceSight]":
        from ..operating.traces import traces

        if not self._asks:
            return self._stored(lambda store: traces(store, route, limit))
        with daemon(self._url, self._token) as client:
            return client.traces(route=route, limit=min(limit, 1000))

    def _of(self, message: str, route: str | None) -> "Sequence[TraceSight]":
        from ..operating.traces import trace

        if not self._asks:
            return self._stored(lambda store: trace(store, message, route))
        with daemon(self._url, self._token) as client:
            try:
                return client.trace(message, route=route)
            except UnknownName:
                return ()

    def _stored(self, work: Callable[[Store], Any]) -> Any:
        return with_store(work, self._given)


def _follow(look: _Looking, route: str | None, found: "list[TraceSight]", *, failed: bool, as_json: bool) -> None:
    """Print what there is, the oldest first, then what comes."""
    known: dict[tuple[str, str, float], None] = {}
    try:
        while True:
            for one in reversed(found):
                key = one.route, one.message, one.began
                if key not in known:
                    known[key] = None
                    typer.echo(one.model_dump_json(exclude={"hops"}) if as_json else "  ".join(_cells(one)))
            for old in list(known)[: -2 * MOST]:
                del known[old]
            sleep(_AGAIN)
            found = look.newest(route, 1000, failed=failed)
    except KeyboardInterrupt:
        return


def _show(found: "Sequence[TraceSight]", *, as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json", exclude={"hops"}) for one in found])
        return
    if not found:
        out.print("no traces; a route is traced by Policy(trace=True), or by trace = 0.01 in the settings")
        return
    table = new_table(
        "message", "when", "route", "ended", "took", "tries", "steps", "why", whole=("when", "route", "ended")
    )
    for one in found:
        table.add_row(*_cells(one))
    show_table(table)


def _cells(one: "TraceSight") -> tuple[str, ...]:
    return (
        one_line(one.message),
        moment(one.began),
        one.route,
        one.ended,
        duration(one.seconds),
        str(one.attempt),
        str(one.steps),
        one_line(one.error) or (f"by {one.parent}" if one.parent else ""),
    )
