"""`routekit simulate`: crash-test the routes of a folder, in virtual time.

The simulator is loaded when it is needed: it takes as long to load as all other commands together.
"""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..errors import BadOption
from ..options import masked
from ..plugins import Catalog
from ..route import Route
from ..settings import Settings
from ..simulate.schedule import FAULTS, Schedule, kinds_of
from ..units import seconds
from .app import (
    FAILED,
    AsJson,
    Routes,
    answering,
    app,
    catalog_of,
    err,
    new_table,
    out,
    print_json,
    settings,
    show_table,
)
from .running import Only, checked, chosen

if TYPE_CHECKING:
    from ..simulate.report import Report
    from ..simulate.running import Scene
    from ..simulate.simulation import Simulation


@app.command()
def simulate(
    routes: Routes = Path("routes"),
    only: Only = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="runs of each route")] = 100,
    time: Annotated[str, typer.Option("--time", metavar="TIME", help="virtual time of a run at most: 90s, 24h")] = "1h",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="only this run")] = None,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="TEXT", help="with --seed: the faults that were printed, no others"),
    ] = None,
    faults: Annotated[
        str, typer.Option("--faults", metavar="LIST", help=f"those that may strike: {','.join(FAULTS)}")
    ] = ",".join(FAULTS),
    messages: Annotated[int, typer.Option(min=1, help="messages from each source")] = 6,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE", help="JSON of bodies by route: {'leads.web': [...]}")
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="stop at the first run that fails")] = False,
    as_json_: AsJson = False,
) -> None:
    """Crash-test routes: run them again and again on twins in memory, in virtual time, while things go wrong.

    What fails is shrunk to the fewest faults and messages that show it, and printed with the way to run it again. Exit
    code 1 if an invariant is violated. No real endpoint is touched, and no store.
    """
    from ..simulate.simulation import Simulation

    with answering():
        if schedule is not None and seed is None:
            raise BadOption("--schedule needs the run that it belongs to", hint="give --seed as it was printed")
        given = settings(routes)
        those = checked(routes, None, given)
        catalog = catalog_of(given)
        scenes = _scenes(_wanted(those, only, catalog), given, catalog, _seconds(time), messages, _inputs(inputs))
        kinds = kinds_of([name.strip() for name in faults.split(",") if name.strip()])
        runs = range(seeds) if seed is None else range(seed, seed + 1)
        with _progress(len(scenes) * len(runs), quiet=as_json_) as step:
            reports = [_report(Simulation(scene, kinds, step), runs, schedule, fail_fast=fail_fast) for scene in scenes]
    if as_json_:
        print_json({"ok": all(report.ok for report in reports), "units": [report.as_json() for report in reports]})
    else:
        _show(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(FAILED)


def _report(simulation: "Simulation", runs: range, schedule: str | None, *, fail_fast: bool) -> "Report":
    if schedule is None:
        return simulation.run(runs, fail_fast=fail_fast)
    return simulation.replay(Schedule.read(runs[0], schedule))


def _wanted(routes: list[Route], only: list[str] | None, catalog: Catalog) -> list[list[Route]]:
    """The units in which the wanted routes are."""
    from ..simulate.units import units_of

    names = {route.name for route in chosen(routes, only)}
    return [unit for unit in units_of(routes, catalog) if names & {route.name for route in unit}]


def _scenes(
    units: list[list[Route]], given: Settings, catalog: Catalog, time: float, messages: int, inputs: dict[str, Any]
) -> "list[Scene]":
    from ..simulate.running import Scene

    return [
        Scene(
            unit,
            catalog,
            time=time,
            messages=messages,
            inputs=inputs,
            policy=given.policy(),
            settings=given.table,
            data=given.options.data,
        )
        for unit in units
    ]


def _seconds(text: str) -> float:
    try:
        found = seconds(text)
        return float(cast("float", found))
    except (ValueError, TypeError):
        raise BadOption(f"--time is '{text}'", hint="write seconds, or a time such as 90s, 15m, 24h") from None


def _inputs(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadOption(f"--inputs cannot be read: {error}", hint="give a file of JSON") from None
    if not isinstance(found, dict) or not all(isinstance(one, list) for one in cast("dict[str, Any]", found).values()):
        raise BadOption(f"--inputs: '{file}' is no object of lists", hint='write {"module.route": [body, body]}')
    return cast("dict[str, Any]", found)


@contextmanager
def _progress(total: int, *, quiet: bool) -> Generator[Callable[[int], None]]:
    """A bar on a terminal, and nothing elsewhere."""
    if quiet or not err.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"))
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.advance(task)


def _show(reports: "Sequence[Report]") -> None:
    short = _short()
    yes, no = ("✓", "✗") if out.encoding.lower().startswith("utf") else ("ok", "FAIL")
    table = new_table("route", "messages", "crashes", "faults", "simulated", *short.values())
    for report in reports:
        marks = [yes if report.holds(name) else no for name in short]
        others = sum(report.faults.values()) - report.crashes
        virtual = str(timedelta(seconds=round(report.simulated)))
        counts = (f"{report.messages:,}", f"{report.crashes:,}", f"{others:,}", virtual)
        table.add_row(", ".join(report.routes), *counts, *marks)
    show_table(table)
    for report in reports:
        if report.silent:
            out.print(f"\n{', '.join(report.routes)}: no message reached a sink, even where nothing went wrong")
            out.print("    give bodies that do: --inputs FILE")
        for violation in report.violations:
            out.print(f"\n{masked(str(violation))}")
    runs = sum(len(report.seeds) for report in reports)
    broken = sum(len(report.violations) for report in reports)
    virtual = timedelta(seconds=round(sum(report.simulated for report in reports)))
    told = f"{runs} runs, {virtual} simulated in {sum(report.spent for report in reports):.1f} s"
    out.print(f"\n{told}: {'every invariant holds' if not broken else f'{broken} violated'}")


def _short() -> dict[str, str]:
    """The invariants, each with the head of its column."""
    from ..simulate.judging import INVARIANTS

    return dict(zip(INVARIANTS, ("lost", "told", "once", "order", "bounds", "rest"), strict=True))
