"""`routekit check`, `show`, `list`, `plugins` and `describe`: they run nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from ..check import check as checked
from ..errors import StoreError, UnknownName, did_you_mean
from ..guarantees import guarantees
from ..loader import Template, templates
from ..options import masked
from ..pages import page
from ..plugins import Catalog
from ..problem import Problem
from ..reference import Entry, Meaning, Option, steps, table_entry, template_entry
from ..reference import describe as described
from ..route import Route
from ..runtime.probing import Probed
from ..runtime.service import Service, Setup
from ..settings import Options
from ..show import as_json, as_mermaid, as_text
from .app import (
    FAILED,
    WRONG,
    AsJson,
    Routes,
    answering,
    app,
    catalog_of,
    loaded,
    new_table,
    out,
    print_json,
    promised_by,
    settings,
    setup_of,
    show_problems,
    show_table,
)
from .promising import promises
from .running import Only, chosen


class Form(StrEnum):
    """How `show` draws."""

    text = "text"
    mermaid = "mermaid"
    json = "json"


@app.command()
def check(
    routes: Routes = Path("routes"),
    connect: Annotated[
        bool, typer.Option("--connect", help="also ask each endpoint whether its other side is there")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="also say why each route promises what it does")] = (
        False
    ),
    as_json_: AsJson = False,
) -> None:
    """Find everything that is wrong, at once; and say what each route promises for each of its sinks.

    Exit code 2 if anything is wrong; with --connect 1 if only some other side is not there. Nothing is run.
    """
    with answering():
        found = loaded(routes)
        given = settings(routes)
        catalog = catalog_of(given)
        said = promised_by(given)
        problems = [*given.missing(), *found.problems, *checked(found.routes, catalog, **said)]
        promised = guarantees(found.routes, catalog, **said)
        probes: Sequence[Probed] = ()
        if connect and not problems:
            probes = _probed(found.routes, setup_of(given, catalog))
    if as_json_:
        names = [route.name for route in found.routes]
        told: dict[str, Any] = {"routes": names, "problems": [_problem(problem) for problem in problems]}
        told["guarantees"] = [asdict(one) for one in promised]
        print_json({**told, "endpoints": [asdict(probe) for probe in probes]} if connect else told)
    elif problems:
        show_problems(problems)
    else:
        out.print(f"{len(found.routes)} route{'s' if len(found.routes) != 1 else ''}, no problems")
        if not connect:
            for line in promises(promised, out.width if out.is_terminal else None, reasons=verbose):
                out.print(line)
        _show_probes(probes)
    if problems:
        raise typer.Exit(WRONG)
    if not all(probe.there for probe in probes):
        raise typer.Exit(FAILED)


@app.command()
def show(
    routes: Routes = Path("routes"),
    only: Only = None,
    form: Annotated[Form, typer.Option("--as", help="how to draw")] = Form.text,
    numbers: Annotated[bool, typer.Option("--numbers", help="number the steps of a text tree")] = False,
) -> None:
    """Draw routes: a text tree, a Mermaid flowchart, or JSON."""
    with answering():
        those = chosen(_readable(routes), only)
        if form is Form.text:
            typer.echo("\n\n".join(as_text(route, numbers=numbers) for route in those))
        elif form is Form.mermaid:
            typer.echo(as_mermaid(those))
        else:
            print_json([as_json(route) for route in those])


@app.command("list")
def list_(routes: Routes = Path("routes"), as_json_: AsJson = False) -> None:
    """List routes: name, source and where they are written."""
    with answering():
        those = _readable(routes)
    if as_json_:
        print_json(
            [{"name": r.name, "source": masked(str(r.source)), "place": str(r.place), "doc": r.doc} for r in those]
        )
        return
    table = new_table("route", "source", "written at")
    for route in those:
        table.add_row(route.name, masked(str(route.source)), str(route.place))
    show_table(table)


@app.command()
def plugins(as_json_: AsJson = False) -> None:
    """List what the installed plugins offer; none is imported."""
    with answering():
        offers = catalog_of(settings()).offers()
    if as_json_:
        print_json([{**asdict(offer), "kind": offer.kind} for offer in offers])
        return
    table = new_table("offers", "kind", "distribution", "version")
    for offer in offers:
        table.add_row(offer.name, offer.kind, offer.distribution, offer.version)
    show_table(table)


@app.command()
def describe(
    name: Annotated[
        str | None,
        typer.Argument(help="a scheme, a step, codec.NAME, a template, or routekit: the settings; else all names"),
    ] = None,
    routes: Routes = Path("routes"),
    as_json_: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="print a page of a reference")] = False,
) -> None:
    """Explain an endpoint, codec, step, route template or the settings.

    Its options with types, defaults and meaning, from the code itself. Templates are the functions of the route modules
    that give a Flow.
    """
    with answering():
        catalog = catalog_of(settings())
        if name is None:
            codecs = [offer.name for offer in catalog.offers() if offer.kind == "codec"]
            listed = {
                "endpoints": catalog.schemes(),
                "steps": steps(),
                "codecs": codecs,
                "templates": _templates(routes),
            }
            typer.echo("\n".join(f"{kind}: {', '.join(names)}" for kind, names in listed.items() if names))
            return
        entries = [table_entry(name, Options)] if name == "routekit" else _described(name, catalog, routes)
    if as_json_:
        print_json([asdict(entry) for entry in entries])
    elif markdown:
        typer.echo(page(name, entries), nl=False)
    else:
        for entry in entries:
            _show_entry(entry)


def _probed(routes: Sequence[Route], setup: Setup) -> Sequence[Probed]:
    """What the store and the endpoints find; a store in a file, which a daemon may hold, is left alone."""
    return [*anyio.run(_store_probed, setup), *anyio.run(Service(routes, replace(setup, store="memory:")).probed)]


async def _store_probed(setup: Setup) -> Sequence[Probed]:
    if not isinstance(setup.store, str) or not setup.store.partition(":")[2].startswith("//"):
        return []
    uri = masked(setup.store)
    try:
        async with setup.opened_store() as store:
            return [Probed("the store", uri, there=True, found=f"it would be open to {store.owner}")]
    except StoreError as error:
        return [Probed("the store", uri, there=False, found=error.message, hint=error.hint)]


def _show_probes(probes: Sequence[Probed]) -> None:
    for probe in probes:
        out.print(f"{'ok  ' if probe.there else 'away'} {probe.route}: {probe.endpoint}: {probe.found}")
        if probe.hint:
            out.print(f"     {probe.hint}")


def _described(name: str, catalog: Catalog, routes: Path) -> Sequence[Entry]:
    """What is known by that name; the route modules are only imported if nothing else is."""
    try:
        return described(name, catalog)
    except UnknownName as error:
        found = _templates(routes)
        if name in found:
            return [template_entry(name, found[name].function, fragment=found[name].fragment)]
        if not found or name.startswith("codec."):
            raise
        known = {*catalog.schemes(), *steps(), *found}
        raise UnknownName(error.message, hint=did_you_mean(name, known)) from None


def _templates(routes: Path) -> Mapping[str, Template]:
    return {template.name: template for template in templates(routes)} if routes.exists() else {}


def _readable(path: Path) -> Sequence[Route]:
    """The routes that can be read; modules that cannot are told on the error stream."""
    found = loaded(path)
    show_problems(list(found.problems))
    return found.routes


def _show_entry(entry: Entry) -> None:
    out.print(f"{entry.name}, a {entry.kind}", style="bold")
    out.print(f"  {entry.usage}\n")
    out.print(entry.doc)
    if entry.options:
        table = new_table("option", "type", "default", "meaning")
        for option in entry.options:
            table.add_row(option.name, option.type, _default(option), option.doc)
        out.print()
        show_table(table)
    if entry.promises:
        out.print("\npromises:")
        for promise in entry.promises:
            out.print(f"  {promise}")
    _show_meanings("headers that it gives", entry.headers)
    _show_meanings("headers that it looks at", entry.reads)
    _show_meanings("errors", entry.raises)
    _show_meanings("figures", entry.figures)
    out.print()
    for settings_ in entry.settings:
        _show_entry(settings_)


def _show_meanings(title: str, meanings: Sequence[Meaning]) -> None:
    if meanings:
        out.print(f"\n{title}:")
    for each in meanings:
        out.print(f"  {each.name}: {each.doc}")


def _default(option: Option) -> str:
    return "required" if option.required else option.default


def _problem(problem: Problem) -> dict[str, Any]:
    return {name: masked(value) for name, value in problem.as_json().items()}
