"""The door for commands that plugins bring: the project they are called in, what they may open, and how they print.

A command is a typer application that a plugin gives by the hook `register_commands`. It raises errors as all of
RouteKit does: they are told in one clear line with what to do, and make the exit code: 2 for what cannot be done as it
is written, 1 for what was tried and failed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TypeVar

import anyio

from .cli.app import AWAY as AWAY
from .cli.app import FAILED as FAILED
from .cli.app import LEFT as LEFT
from .cli.app import WRONG as WRONG
from .cli.app import AsJson as AsJson
from .cli.app import begin_log, catalog_of, setup_of, show_problems
from .cli.app import err as err
from .cli.app import new_table as new_table
from .cli.app import out as out
from .cli.app import print_json as print_json
from .cli.app import settings as settings_of
from .cli.app import show_table as show_table
from .cli.whom import As as As
from .cli.whom import name_of as name_of
from .console import Watcher
from .endpoint import parse_uri
from .errors import UnknownName, did_you_mean
from .events import Event, Logged, Progress
from .loader import values
from .logs import one_line as one_line
from .operating.aside import aside
from .options import masked
from .placeholders import filled
from .plugins import Catalog
from .settings import Settings
from .step import Runtime
from .store import Deed

R = TypeVar("R")
V = TypeVar("V")

ROUTES = Path("routes")
"""Where route modules are, if nobody says otherwise."""


def project(routes: Path = ROUTES) -> "Project":
    """The project that a command is called in: its settings, and its route modules in `routes`.

    Raises DefinitionError for settings that are wrong.
    """
    return Project(routes, settings_of(routes))


@dataclass(frozen=True)
class Project:
    """The settings and the route modules of one project."""

    routes: Path
    _settings: Settings = field(repr=False)

    def values(self, kind: type[V]) -> Mapping[str, V]:
        """The module-level values of a class in the route modules, by `module.variable`; modules run once for it.

        What cannot be imported is told on the error stream, and the others are read all the same. Raises LoadError if
        there is no such folder or module.
        """
        found, problems = values(self.routes, kind)
        show_problems(list(problems))
        return found

    def run(self, work: Callable[[Runtime], Awaitable[R]], name: str, *, keeps: bool = False) -> R:
        """What `work` gives, run with a runtime outside of a service: `await work(runtime)`.

        Connections, settings, the store and shared resources are those of the project. `name` is what the runtime calls
        its route. Progress is drawn on a terminal. `keeps`: whether it is going to write to the store; else one that is
        not there yet, as no route has run, is not made, and looks empty.
        """
        begin_log(self._settings)
        catalog = catalog_of(self._settings)

        async def opened() -> R:
            with Watcher(err) as watcher:

                def watch(event: Event) -> None:
                    if isinstance(event, Logged | Progress):  # the others tell of a route, and here is none
                        watcher(event)

                uri = self._settings.options.store if keeps or self._kept() else "memory:"
                async with catalog.open_store(uri, time) as store:
                    return await self._work(work, catalog, name, store=store, watch=watch)

        return anyio.run(opened)

    async def _work(self, work: Callable[[Runtime], Awaitable[R]], catalog: Catalog, name: str, **changes: object) -> R:
        async with aside(setup_of(self._settings, catalog, **changes), name) as runtime:
            return await work(runtime)

    def _kept(self) -> bool:
        """Whether there is a store; to look at something makes none."""
        uri = parse_uri(filled(self._settings.options.store, self._settings.lookup))
        return uri.scheme != "sqlite" or Path(uri.path).exists()


async def deed(runtime: Runtime, who: str, action: str, what: str, details: str = "") -> None:
    """Write into the audit what somebody did: `who` from `name_of`, an action such as `sync.resolve`, and to what.

    `details` say why, or with what result; secrets in them are masked.
    """
    await runtime.store.audit.add(Deed(runtime.now(), who, action, masked(what), one_line(masked(details))))


def chosen(name: str, known: Mapping[str, V], what: str) -> V:
    """The one of that name; raises UnknownName with the nearest that there is. `what` is what it is called: `pair`."""
    if name in known:
        return known[name]
    if not known:
        raise UnknownName(f"there is no {what} '{name}', and no other", hint="is this the right folder of routes?")
    raise UnknownName(f"there is no {what} '{name}'", hint=did_you_mean(name, known))
