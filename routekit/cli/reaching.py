"""How `routekit serve` is asked and steered while it runs: its desk, its letters, console and control API."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anyio import to_thread

from ..access import Access
from ..errors import DefinitionError, Unavailable
from ..events import Event
from ..extras import library
from ..logs import also_to
from ..observed import RouteFigures
from ..operating.desk import Desk
from ..operating.letter_desk import LetterDesk
from ..operating.letter_way import way_of
from ..operating.log_lines import LogLines
from ..operating.seen import Seen
from ..operating.service_desk import Around, ServiceDesk, installed
from ..operating.sights import sights_of
from ..operating.traces import StoredTraces
from ..runtime.service import Service, Setup
from ..settings import Settings

_log = logging.getLogger("routekit")


class Reaching:
    """What hears of a service from its start, so that who looks later knows since when it is as it is."""

    def __init__(
        self,
        given: Settings,
        access: Access,
        folder: Path,
        reload: Callable[[], Awaitable[Sequence[str]]] | None = None,
        *,
        place: Path | None = None,
    ) -> None:
        """`folder` is that of the routes; in `place` tools find the daemon, else in the data folder."""
        self._given = given
        self._access = access
        self._folder = folder
        self._reload = reload
        self._place = place or given.options.data
        self._lines = LogLines()
        self.seen = Seen()

    @asynccontextmanager
    async def around(self, service: Service, setup: Setup) -> AsyncGenerator[None]:
        """The daemon can be reached while the block lasts, if the settings want it so.

        Raises Unavailable for a port that is taken, and DefinitionError where somebody asked for the server and its
        libraries are not installed.
        """
        if not self._access.listen or not self._there():
            yield
            return
        also_to(self._lines)
        from ..control.reaching import reachable

        desk = self._desk(service, setup)
        tool = replace(setup, watch=_quiet)  # for what runs beside the service: nobody watches that
        letters = LetterDesk(
            lambda: service.store,
            lambda: [one.route for one in service.runners],
            lambda: tool,
            lambda letter: way_of(letter, service),
        )
        async with AsyncExitStack() as stack:
            server = reachable(
                desk,
                letters,
                self._access,
                self._place,
                version=installed(),
                console=console_of(desk, letters, setup),
                metrics=_metrics(service),
            )
            try:
                await stack.enter_async_context(server)
            except Unavailable as error:
                if self._access.asked_for:
                    raise
                _log.warning("no console and no control API: %s", error)
            yield

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

    def _desk(self, service: Service, setup: Setup) -> ServiceDesk:
        around = Around(
            routes=str(self._folder),
            profile=self._given.profile,
            settings=lambda: sights_of(self._given),
            log=self._lines,
            reload=self._reload,
            traced=StoredTraces(lambda: service.store),
        )
        return ServiceDesk(service, setup, self.seen, around)


def console_of(desk: Desk, letters: LetterDesk, setup: Setup) -> Callable[[Any], Any] | None:
    """The console's application, where its libraries are installed."""
    try:
        from ..web.app import console
    except ModuleNotFoundError as missing:
        _log.info("no console: %s is not installed", missing.name)
        return None
    from ..reference import describe

    documented = partial(describe, catalog=setup.catalog)
    return lambda door: console(desk, letters, admit=door.admitted, documented=documented)


def _metrics(service: Service) -> Callable[[], Awaitable[str]] | None:
    """The text for Prometheus, where its library is installed; it is made in a thread, as it takes time to."""
    if find_spec("prometheus_client") is None:
        _log.info("no metrics: prometheus_client is not installed")
        return None

    def text(routes: Sequence[RouteFigures]) -> str:
        from ..operating.metrics import text_of  # not before somebody asks: it takes a third of a second to load

        return text_of(routes).decode()

    async def metrics() -> str:
        return await to_thread.run_sync(text, service.observed())

    return metrics


def _quiet(event: Event) -> None:
    pass
