"""`routekit sync`: plan, run and look after pairs by hand; the daemon may run at the same time."""

from collections.abc import Mapping

from typer import Typer

from routekit import hookimpl

from . import checking, disputing, linking, planning, quarantining, running, steering  # each puts its commands there
from .app import sync

routekit_interface = 1

__all__ = [
    "checking",
    "disputing",
    "linking",
    "planning",
    "quarantining",
    "register_commands",
    "running",
    "steering",
    "sync",
]


@hookimpl
def register_commands() -> Mapping[str, Typer]:
    """`sync`."""
    return {"sync": sync}
