"""`routekit sync profile check`: which guarantees a system really gives, tried on the system itself."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from routekit import BadOption, Runtime
from routekit.commanding import FAILED, ROUTES, AsJson, err, new_table, out, print_json, show_table
from routekit.remotes import Remote

from ..profiling import CLAIMS, Guarantee, Sample, Verdict, broken
from ..profiling import check as checks
from ..units import Side
from .app import AnyPair, Routes, found, sync
from .steering import Of

profile = typer.Typer(help="Try what the systems of pairs guarantee.", no_args_is_help=True)
sync.add_typer(profile, name="profile")


@profile.callback()
def profiles() -> None:
    """Try what the systems of pairs guarantee."""


@profile.command()
def check(
    pair: AnyPair = None,
    side: Annotated[Of | None, typer.Option("--side", help="only this side")] = None,
    sample: Annotated[
        Path | None,
        typer.Option("--sample", metavar="FILE", help="JSON of a record that may be made there; without it none is"),
    ] = None,
    edit: Annotated[
        str, typer.Option("--edit", metavar="FIELD", help="the field of the sample with {marker}, which is changed")
    ] = "name",
    clear: Annotated[str, typer.Option("--clear", metavar="FIELD", help="a field that may be empty")] = "",
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="only this guarantee")] = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """Say which guarantees hold, which cannot be had, and which do not hold.

    Without --sample nothing is written, and little can be tried. With it records are made, changed and deleted, only
    such as were made here: {marker} in a text of the sample becomes a word that no other record has. Give --side with
    it: the fields are those of one system. Exit code 1 if something that is claimed does not hold.
    """
    here = found(routes, pair)
    given = None if sample is None else Sample(_record(sample), edit, clear)
    wrong = sorted(set(only or ()) - {claim.name for claim in CLAIMS})
    if wrong:
        raise BadOption(f"there is no guarantee '{wrong[0]}'", hint=f"known: {', '.join(one.name for one in CLAIMS)}")
    if given is not None and (side is None or len(here.pairs) > 1):
        raise BadOption("--sample has the fields of one system", hint="name the pair, and give --side a or --side b")
    sides: tuple[Side, ...] = ("a", "b") if side is None else ("a" if side is Of.a else "b",)
    remotes = {one.remote(which).name: one.remote(which) for one in here.pairs for which in sides}

    async def work(runtime: Runtime) -> list[tuple[Remote, list[Guarantee]]]:
        tried: list[tuple[Remote, list[Guarantee]]] = []
        for remote in remotes.values():
            report = _telling(remote, quiet=as_json)
            tried.append((remote, [*await checks(remote, runtime, given, only=only or (), report=report)]))
        return tried

    tried = here.run(work)
    if as_json:
        print_json([{"remote": remote.name, **_plain(one)} for remote, those in tried for one in those])
    else:
        for remote, those in tried:
            _show(remote, those)
    if any(broken(those) for _, those in tried):
        raise typer.Exit(FAILED)


def _show(remote: Remote, those: list[Guarantee]) -> None:
    out.print(f"{remote.name}", style="bold")
    table = new_table("guarantee", "verdict", "seen")
    for one in those:
        table.add_row(one.name, one.verdict.value, one.seen or one.says)
    show_table(table)
    count = {verdict: sum(one.verdict is verdict for one in those) for verdict in Verdict}
    out.print(", ".join(f"{number} {verdict.value}" for verdict, number in count.items() if number))


def _telling(remote: Remote, *, quiet: bool) -> Any:
    """One word on the error output for each guarantee that is tried: some take their time."""

    def report(one: Guarantee) -> None:
        if not quiet and err.is_terminal:
            err.print(f"{remote.name}: {one.name}: {one.verdict.value}", style="dim")

    return report


def _plain(one: Guarantee) -> dict[str, Any]:
    return {"guarantee": one.name, "says": one.says, "verdict": one.verdict.value, "seen": one.seen}


def _record(file: Path) -> dict[str, Any]:
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadOption(f"--sample {file} cannot be read: {error}", hint="give a file with a JSON object") from error
    if not isinstance(fields, dict) or "{marker}" not in json.dumps(fields):
        hint = 'write {marker} into the field that is changed: {"name": "test {marker}"}'
        raise BadOption(f"--sample {file} is no record with a marker", hint=hint)
    return fields  # pyright: ignore[reportUnknownVariableType]  # JSON
