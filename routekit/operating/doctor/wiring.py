"""The routes and what they are connected to."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...check import check
from ...errors import RouteKitError
from ...loader import Loaded, load
from ...options import masked
from ...problem import Problem
from ...runtime.service import Service, Setup
from .finding import Finding, fail, ok
from .running import Running

_MOST = 20
"""Problems that are told at most."""


def loaded(path: Path) -> Loaded | Finding:
    """The routes of a folder, or why there are none."""
    try:
        return load(path)
    except RouteKitError as error:
        return fail("routes", error.message, error.hint)


def problems(found: Loaded, setup: Setup) -> Sequence[Finding]:
    """What `routekit check` finds."""
    durable = not (isinstance(setup.store, str) and setup.store.startswith("memory:"))
    wrong = [*found.problems, *check(found.routes, setup.catalog, policy=setup.policy, durable=durable)]
    if wrong:
        more = len(wrong) - _MOST
        told = [fail("routes", _line(problem), masked(problem.hint)) for problem in wrong[:_MOST]]
        return [*told, *([fail("routes", f"{more} more problems", "routekit check")] if more > 0 else [])]
    return [ok("routes", f"{len(found.routes)} route{'s' if len(found.routes) != 1 else ''}, no problems")]


async def endpoints(found: Loaded, setup: Setup, running: Running | None = None) -> AsyncIterator[Finding]:
    """What each endpoint finds on its other side: servers, folders, tables, and ports that are to be served.

    What a daemon that runs reads from is taken, and well so.
    """
    try:
        probes = await Service(found.routes, replace(setup, store="memory:")).probed()
    except RouteKitError as error:
        yield fail("endpoints", masked(error.message), masked(error.hint))
        return
    for probe in probes:
        what = f"{probe.route}: {probe.endpoint}"
        if not probe.there and running is not None and running.has(probe.route, probe.endpoint):
            yield ok(what, "the daemon that runs here has it")
        else:
            yield ok(what, probe.found) if probe.there else fail(what, probe.found, probe.hint)


def _line(problem: Problem) -> str:
    route = f"{problem.route}: " if problem.route else ""
    return f"{problem.place}: {route}{masked(problem.message)}"
