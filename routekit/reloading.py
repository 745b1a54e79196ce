"""Reloading: a running service follows the files of its routes.

A changed module is exchanged alone, with those that import it. One that cannot be read, or whose routes `check`
refuses, leaves the old version running; that is said in the log, once for each change.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from .check import check
from .errors import RouteKitError, Unavailable
from .extras import library
from .options import masked
from .plugins import Catalog
from .problem import Problem
from .renewing import Renewed, Renewing
from .route import Route
from .runtime.service import Service
from .settings import Settings

_log = logging.getLogger("routekit.reloading")

QUIET_FOR = 0.1
"""Seconds without a further change after which the files are read: editors write several at once."""

AT_MOST = 3.0
"""Seconds after which they are read all the same."""

Check = Callable[[Sequence[Route]], Sequence[Problem]]
Choose = Callable[[Sequence[Route]], Sequence[Route]]
Prepare = Callable[[Sequence[Route]], Awaitable[None]]


class Reloading:
    """Reloads the routes of a path; make it before they are read for the first time.

    `check` says what is wrong with routes, `choose` gives those of all that are to run. `config` are the files of the
    settings: they are read at the start only, and a change of them is told. `prepare` is awaited before routes are
    exchanged.
    """

    def __init__(
        self,
        path: Path,
        check: Check,
        choose: Choose = list,
        config: Sequence[Path] = (),
        prepare: Prepare | None = None,
    ) -> None:
        self._renewing = Renewing(path)
        self._check = check
        self._choose = choose
        self._prepare = prepare
        self._config = {file.resolve(): _content(file) for file in config}
        self._routes: Sequence[Route] = ()
        self._told: Collection[tuple[str, str]] = ()
        self._service: Service | None = None
        self._turn: anyio.Lock | None = None

    def found(self, routes: Sequence[Route]) -> None:
        """Say which routes were read at the start, also those that are not to run."""
        self._routes = routes

    def serves(self, service: Service) -> None:
        """Say which service runs them."""
        self._service = service

    async def reload(self) -> Sequence[str]:
        """Bring the service in line with the files; a line for each route that was touched, and for each problem.

        Raises Unavailable while the service does not run.
        """
        if self._turn is None:
            self._turn = anyio.Lock()  # made in the event loop
        async with self._turn:
            told = self._unread()
            lines, replaced = await self._begin()
        done: Sequence[str] = [] if replaced is None else await replaced  # meanwhile others may begin: it can take long
        for line in done:
            _log.info("reloaded %s", line)
        return [*told, *lines, *done]

    async def _begin(self) -> tuple[Sequence[str], Awaitable[Sequence[str]] | None]:
        """What could not be reloaded, and the end of what is, if anything."""
        if self._service is None:
            raise Unavailable("the service does not run yet", hint="routes are reloaded while it runs")
        try:
            renewed = await anyio.to_thread.run_sync(self._renewing.renew)
            if renewed is None:
                return [], None
            routes, problems = await anyio.to_thread.run_sync(self._sound, renewed)
            told = self._tell(problems)
            chosen = self._choose(routes)
            if self._prepare is not None:
                await self._prepare(chosen)
            replaced = self._service.replace(chosen)
        except RouteKitError as error:
            _log.error("nothing was reloaded, all runs on as before: %s", _said(error.message, error.hint))
            raise
        self._routes = routes
        return told, replaced

    def _sound(self, renewed: Renewed) -> tuple[Sequence[Route], Sequence[Problem]]:
        """The routes that can run, of which those with problems are what they were; and these problems."""
        found = list(renewed.problems)
        olds = {*renewed.failed}
        while True:
            routes = self._mixed(renewed, olds)
            wrong = self._check(routes)
            blamed = {_module(problem.route) for problem in wrong}
            found += [problem for problem in wrong if problem not in found]
            if not wrong:
                return routes, found
            if blamed <= olds:  # what has changed does not fit to what has not
                return self._routes, found
            olds |= blamed

    def _mixed(self, renewed: Renewed, olds: Collection[str]) -> Sequence[Route]:
        new = [route for route in renewed.routes if _module(route.name) not in olds]
        return sorted(
            [*new, *(route for route in self._routes if _module(route.name) in olds)], key=lambda route: route.name
        )

    def _tell(self, problems: Sequence[Problem]) -> list[str]:
        """Log what keeps modules from being reloaded, unless it was said already and they have not changed since."""
        known, self._told = self._told, {self._sign(problem) for problem in problems}
        lines: list[str] = []
        for problem in problems:
            route = f"{problem.route}: " if problem.route else ""
            said = f"{problem.place}: {route}{_said(problem.message, problem.hint)}"
            lines.append(f"not reloaded, the version before runs on: {said}")
            if self._sign(problem) not in known:
                _log.error("%s", lines[-1])
        return lines

    def _sign(self, problem: Problem) -> tuple[str, str]:
        return problem.message, self._renewing.digest(problem.place.file)

    def _unread(self) -> list[str]:
        """A line for each file of the settings that has changed since it was read."""
        now = {file: _content(file) for file in self._config}
        changed = [file for file, content in self._config.items() if content != now[file]]
        self._config = now
        lines = [f"{file.name} has changed: settings are read at the start, so restart for them" for file in changed]
        for line in lines:
            _log.warning("%s", line)
        return lines

    async def watch(self) -> None:
        """Reload whenever a file changes, until cancelled; raises DefinitionError if the library for it is missing."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, self._renewing.folder, True, _is_module)
            for folder in {file.parent for file in self._config}:
                tasks.start_soon(self._watch, folder, False, self._is_config)

    async def _watch(self, folder: Path, inside: bool, wanted: Callable[[Any, str], bool]) -> None:
        watchfiles: Any = library("watchfiles", extra="serve", asked="reloading on a change")
        stop = anyio.Event()
        options = {"debounce": int(AT_MOST * 1000), "step": int(QUIET_FOR * 1000), "recursive": inside}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_set_at_end, stop)
            try:
                async with aclosing(watchfiles.awatch(folder, watch_filter=wanted, stop_event=stop, **options)) as news:
                    async for _ in news:
                        tasks.start_soon(self._changed)
            except (OSError, RuntimeError) as error:  # such as no more watches: what runs is not to end for it
                _log.error("%s is not watched any more, reload by hand: %s", folder, error)

    async def _changed(self) -> None:
        try:
            await self.reload()
        except RouteKitError:  # told in the log
            return

    def _is_config(self, change: Any, path: str) -> bool:
        return Path(path) in self._config


def reloading(
    path: Path, settings: Settings, catalog: Catalog, choose: Choose = list, prepare: Prepare | None = None
) -> Reloading:
    """What reloads the routes of a path, checked as they are at the start."""
    durable = not settings.options.store.startswith("memory:")
    checked = partial(check, catalog=catalog, policy=settings.policy(), durable=durable)
    return Reloading(path, checked, choose, [] if settings.file is None else [settings.file], prepare)


async def _set_at_end(stop: anyio.Event) -> None:
    """The watching thread ends only when it is told, and who is cancelled waits for it."""
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()


def _is_module(change: Any, path: str) -> bool:
    return path.endswith(".py")


def _module(route: str) -> str:
    """The module that a route is written in, below the folder of routes."""
    return route.rpartition(".")[0]


def _said(message: str, hint: str) -> str:
    return masked(f"{message} ({hint})" if hint else message)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
