"""The console and control API of a supervisor, which asks its workers."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from ..errors import DefinitionError, RouteKitError, Unavailable
from ..extras import library
from ..loader import load
from ..operating.fleet_desk import FleetDesk
from ..operating.letter_desk import LetterDesk
from ..operating.service_desk import installed
from ..plugins import Catalog
from ..settings import Settings
from .app import setup_of
from .reaching import console_of

if TYPE_CHECKING:
    from ..control.branch import Branches

_log = logging.getLogger("routekit")

_AGAIN = 5.0
"""Seconds until it is tried again to open the store, or the port."""


def place_of(given: Settings, worker: str) -> Path:
    """Where a worker says how it can be asked."""
    return given.options.data / "workers" / worker


class Overseeing:
    """Answers for workers of these names. The supervisor goes on, whatever becomes of that."""

    def __init__(self, given: Settings, catalog: Catalog, workers: Sequence[str], folder: Path) -> None:
        from ..control.settings import access_of  # here, as no other command needs it, and it takes time to load

        self._given = given
        self._catalog = catalog
        self._workers = workers
        self._folder = folder
        self._access = access_of(given)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Until cancelled. Raises Unavailable for a port that is taken, and was asked for."""
        if not self._access.listen or not self._there():
            return task_status.started()
        told = False

        def started() -> None:
            nonlocal told
            if not told:
                told = True
                task_status.started()

        while True:
            try:
                await self._serve(started)
            except RouteKitError as error:
                if not told and self._access.asked_for and isinstance(error, Unavailable):
                    raise
                _log.warning("no console and no control API for now: %s", error)
                started()
                await anyio.sleep(_AGAIN)

    async def _serve(self, started: Callable[[], None]) -> None:
        from ..control.branch import Branches
        from ..control.reaching import reachable

        options = self._given.options
        branches = Branches({worker: place_of(self._given, worker) for worker in self._workers})
        desk = FleetDesk(self._workers, branches, time())
        found = load(self._folder).routes
        async with self._catalog.open_store(options.store, time) as store:
            tool = setup_of(self._given, self._catalog, store=store)
            letters = LetterDesk(lambda: store, lambda: found, lambda: tool)
            console = console_of(desk, letters, tool)
            async with reachable(
                desk,
                letters,
                self._access,
                options.data,
                version=installed(),
                console=console,
                metrics=_metrics(branches),
            ):
                started()
                await anyio.sleep_forever()

    def _there(self) -> bool:
        """Whether the server's libraries are installed."""
        try:
            for module in ("starlette", "uvicorn"):
                library(module, extra="serve", asked="the control server")
        except DefinitionError as missing:
            if self._access.asked_for:
                raise
            _log.info("no console and no control API: %s", missing)
            return False
        return True


def _metrics(branches: "Branches") -> Callable[[], Awaitable[str]]:
    """The figures of all workers, each with the label `worker`."""

    async def metrics() -> str:
        texts: dict[str, str] = {}
        for worker, branch in branches.branches().items():
            try:
                texts[worker] = await branch.metrics()
            except RouteKitError:  # it ends or starts: it is missing, as a target that is away would be
                continue
        return labelled(texts)

    return metrics


def labelled(texts: Mapping[str, str]) -> str:
    r"""The metrics of several processes in one text for Prometheus: each family once, each sample with its worker.

    >>> print(labelled({"a": "# TYPE x counter\nx_total 1.0\n", "b": '# TYPE x counter\nx_total{r="s"} 2.0\n'}))
    # TYPE x counter
    x_total{worker="a"} 1.0
    x_total{worker="b",r="s"} 2.0
    <BLANKLINE>
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts.items():
        family = ""
        for line in text.splitlines():
            if line.startswith("#"):
                family = line.split()[2] if len(line.split()) > 2 else family
                if line not in heads.setdefault(family, []):
                    heads[family].append(line)
            elif line:
                name, brace, rest = line.partition("{")
                if not brace or " " in name:
                    name, _, value = line.partition(" ")
                    labels = f'{{worker="{worker}"}} {value}'
                else:
                    labels = f'{{worker="{worker}",{rest}'
                samples.setdefault(family, []).append(name + labels)
    lines = [line for family in heads for line in (*heads[family], *samples.get(family, ()))]
    return "\n".join([*lines, ""])
