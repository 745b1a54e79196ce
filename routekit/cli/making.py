"""`routekit new`: begins something from templates."""

from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Annotated

import typer

from ..errors import BadOption
from ..plugins import Offer
from ..scaffold.beginning import Beginning, check_name
from ..scaffold.plan import KINDS, LICENCES, Plan, kinds_of
from ..scaffold.rendering import add, listed, project_files, rendered, route_files, write
from .app import answering, app, catalog_of, out, settings

new = typer.Typer(name="new", help="Begin something from templates.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(new)

_KINDS = "what it holds, with commas between: " + ", ".join(f"{kind} ({what})" for kind, what in KINDS.items())


@new.callback()
def begin() -> None:
    """Begin something from templates."""


@new.command()
def plugin(
    name: Annotated[str, typer.Argument(help="the scheme of its endpoints, the name of its codec: acme")],
    kind: Annotated[str, typer.Option(metavar="KIND,...", help=_KINDS)] = "source,sink",
    folder: Annotated[Path | None, typer.Option(metavar="PATH", help="where; else ./routekit-NAME")] = None,
    license_: Annotated[str, typer.Option("--license", metavar="NAME", help=", ".join(LICENCES))] = LICENCES[0],
    author: Annotated[str, typer.Option(metavar="NAME", help="who writes it")] = "",
    email: Annotated[str, typer.Option(metavar="ADDRESS", help="where the author is reached")] = "",
    force: Annotated[bool, typer.Option("--force", help="also if an installed plugin offers that name")] = False,
) -> None:
    """Make the distribution of a plugin: code that works, its tests, docs and CI, to be made your own."""
    with answering():
        plan = Plan(name, kinds_of(kind), license_, author.strip(), email.strip())
        if not force:
            _check_free(plan, catalog_of(settings()).offers())
        place = folder or Path(plan.distribution)
        texts = rendered(plan, year=datetime.now(UTC).year, version=version("routekit-eip"))
        write(place, texts)
    out.print(f"{place}: {len(texts)} files of {plan.distribution}")
    for path in texts:
        out.print(f"  {path}")
    out.print("next:")
    out.print(f"  cd {place} && python -m pip install -e '.[dev]' && pytest")


From = Annotated[
    str, typer.Option("--from", metavar="SCHEME", help="what it reads from: a scheme, or a whole URI in quotes")
]
To = Annotated[str, typer.Option("--to", metavar="SCHEME", help="what it sends to: a scheme, or a whole URI in quotes")]


@new.command()
def route(
    name: Annotated[str, typer.Argument(help="the name of the module: orders")],
    source: From = "timer",
    sink: To = "log",
    folder: Annotated[Path, typer.Option(metavar="PATH", help="the project, which has routes/ and tests/")] = Path(),
) -> None:
    """Make a route module with its model, and a test of it that needs nothing outside; nothing is written over."""
    with answering():
        beginning = Beginning(name, source, sink, catalog_of(settings()))
        texts = route_files(beginning)
        add(folder, texts)
        known = listed(folder, beginning.line)
    for path in (*texts, *(["README.md"] if known else [])):
        out.print(str(folder / path))
    out.print("next:")
    out.print(f"  pytest {folder / f'tests/test_{beginning.module}.py'} && routekit check {folder / 'routes'}")


@new.command()
def project(
    name: Annotated[str, typer.Argument(help="the name of the project, and of its folder")],
    source: From = "timer",
    sink: To = "log",
    first: Annotated[str, typer.Option("--route", metavar="NAME", help="the name of its first route")] = "hello",
    folder: Annotated[Path | None, typer.Option(metavar="PATH", help="where; else ./NAME")] = None,
) -> None:
    """Make a project: settings, a route with its test, and what pytest, pyright and ruff have to know."""
    with answering():
        check_name(name, "a project")
        beginning = Beginning(first, source, sink, catalog_of(settings()))
        place = folder or Path(name)
        texts = project_files(name, beginning, version=version("routekit-eip"))
        write(place, texts)
    out.print(f"{place}: {len(texts)} files")
    for path in texts:
        out.print(f"  {path}")
    out.print("next:")
    out.print(f"  cd {place} && pip install -e . --group dev && pytest && routekit run")


def _check_free(plan: Plan, offers: list[Offer]) -> None:
    """Raises BadOption if somebody has the name already: two that offer the same cannot be used together."""
    hint = "choose another name; --force, if yours is to take its place"
    for offer in offers:
        if offer.name in plan.offers:
            raise BadOption(
                f"'{offer.name}' is offered by {offer.distribution} {offer.version}, which is installed", hint=hint
            )
    for distribution in distributions():
        if distribution.name.lower().replace("_", "-") == plan.distribution:
            raise BadOption(f"{plan.distribution} {distribution.version} is installed", hint=hint)
