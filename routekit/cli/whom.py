"""Who does it: the name that the audit gets of what an operator did."""

from getpass import getuser
from typing import Annotated

import typer

from ..errors import UnknownName

As = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="who does it, for the audit; else who is logged in")
]


def name_of(who: str | None) -> str:
    """Who does it; raises UnknownName for a user that the system has no name for, if none is given."""
    try:
        return who or getuser()
    except (KeyError, OSError) as error:
        raise UnknownName("who you are is not known", hint="say it: --as NAME") from error
