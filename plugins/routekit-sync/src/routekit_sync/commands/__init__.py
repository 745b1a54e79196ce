"""`routekit sync`: plan, run and look after pairs by hand; the daemon may run at the same time."""

from collections.abc import Mapping

from typer import Typer

from routekit import hookimpl

from .app import sync as sync
from .checking import profile as profile
from .confirming import confirm as confirm
from .disputing import conflicts as conflicts
from .erasing import erase as erase
from .linking import links as links
from .planning import plan as plan
from .quarantining import quarantine as quarantine
from .reconciling import reconcile as reconcile
from .running import run as run
from .steering import cursor as cursor

routekit_interface = 1


@hookimpl
def register_commands() -> Mapping[str, Typer]:
    """`sync`."""
    return {"sync": sync}
