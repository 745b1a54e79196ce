"""Reaching: a daemon that can be asked and steered, from before its routes start until after they have ended."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from os import getpid
from pathlib import Path
from time import time

from pydantic import SecretStr

from ..access import Access
from ..operating.desk import Desk
from ..operating.door import Door
from ..operating.letter_desk import LetterDesk
from .app import application
from .daemon_file import Found, found, written
from .flood import App
from .listening import listening, url_of
from .server import served

_log = logging.getLogger("routekit")


@asynccontextmanager
async def reachable(
    desk: Desk,
    letters: LetterDesk,
    access: Access,
    data: Path,
    *,
    version: str = "0",
    console: Callable[[Door], App] | None = None,
    metrics: Callable[[], Awaitable[str]] | None = None,
) -> AsyncGenerator[str]:
    """The daemon can be reached while the block lasts, at the URL that is given; `daemon.json` in `data` tells tools.

    Raises Unavailable if the address that was asked for cannot be had.
    """
    other = found(data)
    bound = listening(access, "" if other is None else f"the daemon of process {other.pid} is at {other.url}")
    url, door = url_of(bound), Door(access)
    made = _made(console, door)
    app = application(desk, letters, door, access, version=version, console=made, metrics=metrics)
    daemon = Found(pid=getpid(), url=url, token=SecretStr(door.own), started=time())
    async with letters.opened(), served(app, bound, access.connections):
        with written(data, daemon):
            _log.info("console and control API: %s", url)
            yield url


def _made(console: Callable[[Door], App] | None, door: Door) -> App | None:
    """The console; without it, the API is there all the same."""
    try:
        return None if console is None else console(door)
    except Exception:  # of whatever kind: the routes must not stay away for it
        _log.exception("there is no console: it cannot be made")
        return None
