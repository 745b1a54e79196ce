"""The whole examination, in the order in which one thing rests on another."""

from collections.abc import AsyncGenerator
from pathlib import Path

from ...loader import Loaded
from ...runtime.service import Setup
from ...settings import Settings
from . import keeping, machine, plugins, wiring
from .finding import Finding
from .running import Running, daemon


async def examined(
    given: Settings, setup: Setup, routes: Path, running: Running | None = None
) -> AsyncGenerator[Finding]:
    """Each finding as soon as it is made. Nothing is run, taken or sent; the store is opened, and not changed.

    `running` is the daemon of these settings, if there is one.
    """
    found = wiring.loaded(routes)
    for finding in (*machine.environment(), *plugins.installed(), *keeping.settings(given)):
        yield finding
    for finding in (*keeping.data(setup.data), machine.disk(setup.data)):
        yield finding
    async for finding in keeping.store(given, setup.catalog):
        yield finding
    for finding in daemon(running, plugins.version()) if running is not None else ():
        yield finding
    yield await machine.clock()
    if not isinstance(found, Loaded):
        yield found
        return
    checked = wiring.problems(found, setup)
    for finding in (*machine.limits(len(found.routes)), *checked):
        yield finding
    if not any(finding.verdict == "fail" for finding in checked):
        async for finding in wiring.endpoints(found, setup, running):
            yield finding
