"""How commands find the daemon that they ask, and what they say if there is none."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Rejected
from .app import AWAY, FAILED, answering, fail, settings
from .whom import name_of

if TYPE_CHECKING:
    from ..control.client import Client

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="ROUTEKIT_URL", help="the daemon, if it is elsewhere: https://host:7180"),
]
Token = Annotated[
    str | None, typer.Option("--token", envvar="ROUTEKIT_TOKEN", help="what that daemon wants to be shown")
]


@contextmanager
def daemon(url: str | None, token: str | None, who: str | None = None) -> "Generator[Client]":
    """The daemon at the URL, or that of the settings; leaves with one clear line if it is not there, or no more.

    `who` is whom its audit names for what is changed: the user, if nobody is given.
    """
    from ..control.client import Away, Client  # no command that asks no daemon needs it, and it takes time to load

    with answering():
        try:
            name = name_of(who)
            with Client(url, token, name=name) if url else Client.found(settings(), name=name) as client:
                yield client
        except Away as error:
            fail(error, AWAY)
        except Rejected as error:
            if "Authorization" not in error.hint:  # which people do not send
                raise
            hint = "give it by --token or ROUTEKIT_TOKEN; the daemon has it in [control] of its settings"
            fail(Rejected(error.message, hint=hint), FAILED)
