"""`routekit top`: the routes of a running daemon, live."""

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic, time
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live

from ..errors import RouteKitError
from ..options import masked
from .app import AsJson, app, out, print_json
from .asking import Token, Url, daemon
from .completing import running_routes
from .watching import fitting, show_routes

if TYPE_CHECKING:
    from ..control.client import Client
    from .board import Board


@app.command()
def top(
    pattern: Annotated[
        str, typer.Argument(metavar="[ROUTE]", help="a route, or a pattern with *", autocompletion=running_routes)
    ] = "*",
    every: Annotated[float, typer.Option("--every", min=0.1, metavar="SECONDS", help="look so often")] = 1.0,
    url: Url = None,
    token: Token = None,
    as_json_: AsJson = False,
) -> None:
    """Watch the routes of the running daemon, and pause, resume, stop or start one.

    Keys: q quits; up and down select; p pauses or resumes the selected route, s stops or starts it; / filters; < and >
    choose the column to sort by, r turns the order round. Where there is no terminal, it prints how it is now.
    """
    with daemon(url, token) as client:
        if as_json_:
            print_json([sight.model_dump() for sight in fitting(client.routes(), pattern)])
        elif out.is_terminal and sys.stdin.isatty():
            _live(client, pattern, every)
        else:
            show_routes(fitting(client.routes(), pattern))


def _live(client: "Client", pattern: str, every: float) -> None:
    from .board import Board  # no other command needs it, and it takes time to load
    from .keyboard import keys_one_by_one

    board = Board()
    board.title = client.url
    board.update(
        fitting(client.routes(), pattern), time()
    )  # before the screen changes: an error is told on the old one
    with _ending(), keys_one_by_one(), Live(board, console=out, screen=True, auto_refresh=False) as live:
        _watch(client, pattern, every, board, live)


def _watch(client: "Client", pattern: str, every: float, board: "Board", live: Live) -> None:
    from .keyboard import pressed

    due = monotonic() + every
    while not board.quit:
        live.update(board, refresh=True)
        for key in pressed(due - monotonic()):
            _obey(client, board, key)
        if board.quit:
            return
        if monotonic() >= due:
            board.update(fitting(client.routes(), pattern), time())
            due = monotonic() + every


def _obey(client: "Client", board: "Board", key: str) -> None:
    from ..control.client import Away

    wish = board.key(key)
    if wish is None:
        return
    action, route = wish
    try:
        client.order(action, route)
    except Away:
        raise
    except RouteKitError as error:
        board.said = f"{masked(error.message)}; {masked(error.hint)}" if error.hint else masked(error.message)
    else:
        board.said = f"{action}: {route}"
        names = {one.name for one in board.routes}
        board.update([one for one in client.routes() if one.name in names], time())


@contextmanager
def _ending() -> Generator[None]:
    """Ctrl-C ends it as `q` does; so does a signal to end, after which the terminal is as it was."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise typer.Exit

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
