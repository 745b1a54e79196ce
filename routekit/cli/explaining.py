"""`routekit explain-errors`: what would become of errors, as text of 80 columns or as JSON."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer

from ..explain import Section, explained
from ..options import masked
from ..remedy import Remedy
from .app import answering, app, catalog_of, loaded, print_json, settings, show_problems
from .completing import written_routes

WIDTH = 80


class Form(StrEnum):
    """How it is told."""

    text = "text"
    json = "json"


@app.command("explain-errors")
def explain_errors(
    route: Annotated[str, typer.Argument(help="the name of a route", autocompletion=written_routes)],
    step: Annotated[str | None, typer.Argument(help="a step: its number, or its label; else all steps")] = None,
    routes: Annotated[Path, typer.Option("--routes", help="folder of route modules, or one module")] = Path("routes"),
    error: Annotated[str | None, typer.Option(metavar="NAME", help="one class of errors, else all that matter")] = None,
    form: Annotated[Form, typer.Option("--as", help="how to tell it")] = Form.text,
) -> None:
    """Tell what would become of errors at each step: retries, clauses, where it ends, what the source sees."""
    with answering():
        found = loaded(routes)
        show_problems(list(found.problems))
        given = settings(routes)
        sections = explained(route, found.routes, catalog_of(given), given.policy(), step=step, error=error)
    if form is Form.json:
        print_json([_plain_section(section) for section in sections])
    else:
        typer.echo(_text(sections))


def _plain_section(section: Section) -> dict[str, Any]:
    """A section as plain data."""
    return {
        "route": section.route,
        "place": str(section.place),
        "caller": section.caller,
        "steps": [{"number": number, "label": label, "place": str(place)} for number, label, place in section.steps],
        "errors": [
            {
                "errors": list(told.errors),
                "remedies": [_plain(remedy) for remedy in told.remedies],
                "source": told.source,
            }
            for told in section.told
        ],
    }


def _plain(remedy: Remedy) -> dict[str, str]:
    data = {"kind": remedy.kind, "scope": remedy.scope, "clause": remedy.clause, "when": remedy.when}
    return {**data, "place": str(remedy.place or ""), "text": masked(remedy.text)}


def _text(sections: Sequence[Section]) -> str:
    """Sections as text of 80 columns: the steps, below them the classes of errors, below them what is done."""
    lines: list[str] = []
    before = None
    for section in sections:
        head = f"{section.route}  ({section.place})" + (f", called by {section.caller}" if section.caller else "")
        if head != before:
            lines += ["", *wrap(head, WIDTH, subsequent_indent="  ")]
        before = head
        lines += ["", *(f"{number} {label}" for number, label, _ in section.steps)]
        for told in section.told:
            lines += wrap(", ".join(told.errors), WIDTH, initial_indent="  ", subsequent_indent="  ")
            for remedy in told.remedies:
                lines += _row(remedy.kind, _said(remedy))
            lines += _row("source", told.source)
    return "\n".join(lines[1:])


def _row(head: str, text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=f"    {head:<8}", subsequent_indent=" " * 12, break_on_hyphens=False)


def _said(remedy: Remedy) -> str:
    clause = f", {remedy.clause}" if remedy.clause else ""
    when = f" if {remedy.when}" if remedy.when else ""
    place = f" ({remedy.place})" if remedy.place else ""
    who = f"{remedy.scope}{clause}{when}{place}"
    return masked(f"{who}: {remedy.text}" if who else remedy.text)
