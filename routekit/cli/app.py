"""The application `routekit`, and what its commands share: settings, routes, errors and exit codes."""

import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypedDict

import typer
from rich.console import Console
from rich.table import Table

from ..errors import DefinitionError, RouteKitError
from ..loader import Loaded, load
from ..logs import log_to
from ..options import masked
from ..plugins import Catalog
from ..problem import Problem
from ..route import Policy
from ..runtime.service import Setup
from ..settings import FILE, Settings, load_settings
from .commands import Commands

app = typer.Typer(
    name="routekit",
    cls=Commands,
    help="Enterprise integration patterns in typed Python: run, check and look at routes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)

Routes = Annotated[Path, typer.Argument(help="folder of route modules, or one module")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]

WRONG = 2
FAILED = 1
LEFT = 3
AWAY = 4


@dataclass
class Given:
    """The options before the command."""

    config: Path | None = None
    sets: list[str] = field(default_factory=list[str])
    profile: str = ""


_given = Given()


def _use_profile(name: str | None) -> str | None:
    """Take the profile, wherever it is written: before the command or after it."""
    if name:
        _given.profile = name
    return name


def _use_format(name: str | None) -> str | None:
    if name:
        _given.sets.append(f"log_format={name}")
    return name


Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="with routekit.NAME.toml over routekit.toml", callback=_use_profile),
]
LogFormat = Annotated[
    str | None,
    typer.Option("--log-format", metavar="FORM", help="lines as pretty, plain or json", callback=_use_format),
]


@app.callback()
def given(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"settings file; else ./{FILE} if there is one")
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="a setting, may be repeated")
    ] = None,
    profile: Profile = None,
) -> None:
    """Take the options that hold for every command."""
    _given.config = config
    _given.sets = sets or []
    _given.profile = profile or ""


def settings(near: Path | None = None) -> Settings:
    """The settings: of `--config`, of the working directory, or of the folder above the routes."""
    candidates = [Path(FILE)] + ([near.resolve().parent / FILE] if near is not None else [])
    file = _given.config or next((candidate for candidate in candidates if candidate.exists()), None)
    return load_settings(file, _given.sets, os.environ, _given.profile)


def begin_log(given_settings: Settings) -> None:
    """Write the log to the error output, as the settings say; from here on, so that nothing of it comes otherwise."""
    options = given_settings.options
    log_to(
        err,
        options.log,
        form=options.log_format,
        levels=given_settings.levels,
        bodies=options.log_bodies,
        keys=given_settings.privacy.keys,
    )


def catalog_of(given_settings: Settings) -> Catalog:
    """What can be used in routes, with placeholders from the settings."""
    return Catalog(given_settings.lookup)


class Promised(TypedDict):
    """What of the settings counts for the promises of routes."""

    policy: Policy
    durable: bool
    workers: int


def promised_by(given_settings: Settings) -> Promised:
    """What `check` and `guarantees` have to know of the settings."""
    options = given_settings.options
    durable = not options.store.startswith("memory:")
    return {"policy": given_settings.policy(), "durable": durable, "workers": options.workers}


def setup_of(given_settings: Settings, catalog: Catalog, **changes: Any) -> Setup:
    """What a service needs, as the settings say."""
    options = given_settings.options
    values: dict[str, Any] = {
        "catalog": catalog,
        "store": options.store,
        "data": options.data,
        "policy": given_settings.policy(),
        "settings": given_settings.table,
        "drain": options.drain,
        "retention": given_settings.retention,
        "private": given_settings.privacy.keys,
    }
    return Setup(**{**values, **changes})


def loaded(path: Path) -> Loaded:
    """The routes of a path, whatever is wrong with them."""
    return load(path)


@contextmanager
def answering() -> Generator[None]:
    """Turn errors into one clear message and an exit code."""
    try:
        yield
    except DefinitionError as error:
        fail(error, WRONG)
    except RouteKitError as error:
        fail(error, FAILED)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit from None


def fail(error: RouteKitError, code: int) -> NoReturn:
    """Print an error as what is wrong and what to do, and leave."""
    err.print(f"error: {masked(error.message)}", style="red")
    if error.hint:
        err.print(f"  {masked(error.hint)}")
    raise typer.Exit(code)


def show_problems(problems: list[Problem]) -> None:
    """Print problems, one paragraph each."""
    for problem in problems:
        where = f"{problem.place}: " + (f"{problem.route}: " if problem.route else "")
        err.print(f"{where}{masked(problem.message)}")
        if problem.hint:
            err.print(f"    {masked(problem.hint)}")


def new_table(*columns: str, whole: Sequence[str] = ()) -> Table:
    """A table to fill; the first column and those in `whole` are never folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0 or column in whole, overflow="fold")
    return table


def show_table(table: Table) -> None:
    """Print a table: folded to the width of a terminal, else one line for each row."""
    if not out.is_terminal:
        out.width = 10_000
    out.print(table)


def print_json(data: Any) -> None:
    """Print plain data as JSON, not folded to the terminal's width."""
    typer.echo(json.dumps(data, indent=2, default=str))
