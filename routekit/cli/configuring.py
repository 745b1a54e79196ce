"""`routekit config`: what is set, where it came from, and what is wrong with it."""

from typing import Annotated

import typer

from ..errors import DefinitionError, did_you_mean
from ..layers import profiles_of
from ..place import Place
from ..problem import Problem
from ..settings import FILE, OWN, Settings
from .app import (
    WRONG,
    AsJson,
    Profile,
    answering,
    app,
    catalog_of,
    new_table,
    out,
    print_json,
    settings,
    show_problems,
    show_table,
)

config = typer.Typer(name="config", help="What is set, and where.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config)


@config.command()
def show(
    names: Annotated[list[str] | None, typer.Argument(help="only settings that begin so: routekit, sql.crm")] = None,
    origin: Annotated[bool, typer.Option("--origin", help="also say where each came from")] = False,
    profile: Profile = None,
    as_json_: AsJson = False,
) -> None:
    """Show every setting, secrets masked. None of the secrets is asked for."""
    with answering():
        given = settings()
        from ..operating.sights import sights_of  # no other command needs it, and it takes time to load

        sights = [one for one in sights_of(given) if not names or _named(one.name, names)]
    if as_json_:
        print_json([one.model_dump() for one in sights])
        return
    table = new_table("setting", "value", *(["origin"] if origin else []))
    for one in sights:
        table.add_row(one.name, one.value, *([one.origin] if origin else []))
    show_table(table)


@config.command()
def check(profile: Profile = None, as_json_: AsJson = False) -> None:
    """Find what is wrong with the settings: values, placeholders, secrets that cannot be had, tables nobody reads.

    Exit code 2 if anything is.
    """
    with answering():
        given = settings()
        problems = [*given.missing(), *_unread(given), *_closed(given)]
    if as_json_:
        print_json(
            {"files": [str(file) for file in given.layers.files], "problems": [one.as_json() for one in problems]}
        )
    elif problems:
        show_problems(problems)
    else:
        files = ", ".join(str(file) for file in given.layers.files) or "no file"
        others = [] if given.file is None else [name for name in profiles_of(given.file) if name != given.profile]
        out.print(f"{files}: no problems" + (f"; other profiles: {', '.join(others)}" if others else ""))
    if problems:
        raise typer.Exit(WRONG)


def _named(name: str, begins: list[str]) -> bool:
    return any(name == begin or name.startswith(f"{begin}.") for begin in begins)


def _closed(given: Settings) -> list[Problem]:
    """A problem if a daemon would not listen as the table for that says."""
    from ..control.settings import TABLE, access_of  # here, as other commands do without, and it takes time to load

    try:
        access_of(given)
    except DefinitionError as error:
        origin = given.layers.under(TABLE)
        return [Problem(Place(origin.name or FILE, origin.line), "", error.message, error.hint)]
    return []


def _unread(given: Settings) -> list[Problem]:
    """A problem for each table that belongs to no installed plugin."""
    known = [*catalog_of(given).schemes(), *OWN]
    found: list[Problem] = []
    for name in given.tables:
        if name not in known:
            origin = given.layers.under(name)
            place = Place(origin.name or FILE, origin.line)
            found.append(Problem(place, "", f"nobody reads the table [{name}]", did_you_mean(name, known)))
    return found
