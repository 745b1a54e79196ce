"""`routekit completion`: the script for a shell, and what the shell is offered: names of routes and others."""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import RouteKitError
from .app import app, catalog_of, loaded, settings

VARIABLE = "_ROUTEKIT_COMPLETE"
"""What the scripts set when they ask what could come next."""


class Shell(StrEnum):
    """The shells that there is a script for."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="the shell")]) -> None:
    """Print the script that lets a shell complete commands, options and names of routes.

    bash: add to ~/.bashrc:     eval "$(routekit completion bash)"
    zsh:  add to ~/.zshrc:      eval "$(routekit completion zsh)"
    fish: write it once:        routekit completion fish > ~/.config/fish/completions/routekit.fish
    """
    from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]  # typer's own door

    typer.echo(get_completion_script(prog_name="routekit", complete_var=VARIABLE, shell=shell.value))


def answer_shells() -> None:
    """Make ready for the question of a shell, if this is one."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # pyright: ignore[reportPrivateImportUsage]  # typer's own door

        completion_init()


def written_routes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the routes in the folder that the command line names, or in `routes`."""
    typed = [Path(word) for word in ctx.args if Path(word).exists()]  # not read yet, as an option has no value so far
    folder = typed[0] if typed else ctx.params.get("routes") or Path("routes")
    with _quiet():
        return _beginning(incomplete, (route.name for route in loaded(folder).routes))
    return []


def running_routes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the routes of the running daemon, or of those in the folder `routes` if none runs."""
    with _quiet(), _client(ctx) as client:
        return _beginning(incomplete, (sight.name for sight in client.routes()))
    return written_routes(ctx, incomplete)


def group_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the states of the running daemon that have groups."""
    with _quiet(), _client(ctx) as client:
        return _beginning(incomplete, (sight.name for sight in client.groups()))
    return []


def breaker_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the circuit breakers of the running daemon."""
    with _quiet(), _client(ctx) as client:
        return _beginning(incomplete, (sight.name for sight in client.breakers()))
    return []


def schemes(incomplete: str) -> list[str]:
    """The beginnings of URIs."""
    with _quiet():
        return _beginning(incomplete, (f"{scheme}:" for scheme in catalog_of(settings()).schemes()))
    return []


@contextmanager
def _client(ctx: typer.Context) -> Generator[Any]:
    """The daemon that the command line names; it is given a moment, since a person waits."""
    from ..control.client import Client

    url, token = ctx.params.get("url"), ctx.params.get("token")
    client = Client(url, token, patience=2.0) if url else Client.found(settings(), patience=2.0)
    with client:
        yield client


@contextmanager
def _quiet() -> Generator[None]:
    """A shell that asks for names gets names or none, and never an error or what a module prints."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            yield
        except (RouteKitError, OSError):
            return


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
