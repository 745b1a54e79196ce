"""`routekit doctor`: looks at all that a daemon needs, and says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import typer

from ..errors import DefinitionError, RouteKitError
from ..options import masked
from ..plugins import Catalog
from ..runtime.service import Setup
from ..settings import Settings
from .app import FAILED, AsJson, Routes, app, catalog_of, out, print_json, settings, setup_of

if TYPE_CHECKING:
    from ..operating.doctor.finding import Finding
    from ..operating.doctor.running import Running

_STYLE = {"ok": "green", "warn": "yellow", "fail": "red"}


@app.command()
def doctor(routes: Routes = Path("routes"), as_json_: AsJson = False) -> None:
    """Look at all that a daemon needs, and say what is wrong and what to do.

    Python and plugins, settings, the data folder and the store, disk, clock and limits, the routes, and whether the
    other side of each endpoint is there. Nothing is run, taken or sent. Exit code 1 if something fails.
    """
    from ..operating.doctor.examination import examined  # no other command needs it, and it takes time to load
    from ..operating.doctor.finding import Finding
    from ..operating.doctor.finding import fail as failing

    found: list[Finding] = []

    async def work(given: Settings, setup: Setup) -> None:
        async for finding in examined(given, setup, routes, running):
            tell(finding)

    def tell(finding: Finding) -> None:
        found.append(finding)
        if not as_json_:
            _show(finding)

    given = Settings()
    try:
        given = settings(routes)
    except DefinitionError as error:  # all else can be looked at still
        tell(failing("settings", masked(error.message), masked(error.hint)))
    running = _running(given, tell)
    catalog: Catalog = catalog_of(given)
    anyio.run(work, given, setup_of(given, catalog))
    if as_json_:
        print_json([finding.model_dump() for finding in found])
    else:
        _sum_up(found)
    if any(finding.verdict == "fail" for finding in found):
        raise typer.Exit(FAILED)


def _running(given: Settings, tell: "Callable[[Finding], None]") -> "Running | None":
    """The daemon of these settings, if one runs; one that does not answer is told of."""
    from ..control.client import Away, Client
    from ..control.daemon_file import found
    from ..operating.doctor.finding import fail as failing
    from ..operating.doctor.running import Running

    known = found(given.options.data)
    if known is None:
        return None
    try:
        with Client.found(given, patience=10.0) as client:
            return Running(client.url, client.about(), client.health(), client.endpoints())
    except Away as error:
        hint = f"look into its log; if it stays so, end process {known.pid}"
        tell(failing("daemon", f"process {known.pid} runs, and does not answer: {error.message}", hint))
    except RouteKitError as error:
        tell(failing("daemon", masked(error.message), masked(error.hint)))
    return None


def _show(finding: "Finding") -> None:
    out.print(f"{finding.verdict:<4}", style=_STYLE[finding.verdict], end=" ")
    out.print(f"{finding.what}: {finding.found}")
    if finding.hint:
        out.print(f"     {finding.hint}")


def _sum_up(found: "list[Finding]") -> None:
    failed = sum(finding.verdict == "fail" for finding in found)
    warned = sum(finding.verdict == "warn" for finding in found)
    told = [f"{failed} failed"] if failed else []
    told += [f"{warned} warning{'s' if warned > 1 else ''}"] if warned else []
    out.print(f"{len(found)} things looked at: {', '.join(told) or 'all is well'}")
