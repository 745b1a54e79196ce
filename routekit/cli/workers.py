"""`routekit serve --workers N`: the supervisor's side, and what a worker does other than a daemon by itself."""

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import time

import anyio

from ..access import Access
from ..errors import BadOption
from ..plugins import Catalog
from ..runtime.service import Service
from ..settings import Settings
from ..store import Shared
from ..supervising.leash import OVER, Leash
from ..supervising.supervisor import Supervisor
from ..tasks import together
from .overseeing import Overseeing, place_of

_log = logging.getLogger("routekit")


def supervised(given: Settings, catalog: Catalog, workers: int, folder: Path) -> int:
    """Run this command in so many processes until they have ended; gives the worst exit code.

    Meanwhile the supervisor answers for all of them, at the address of `[control]`. `folder` is that of the routes.
    Raises BadOption if the store is for one process, and StoreError if it cannot be opened.
    """
    return anyio.run(_supervised, given, catalog, workers, folder)


class Post:
    """The place of a worker: its name in the log, who tells it to stop, and where it can be asked by its supervisor."""

    def __init__(self, worker: str, workers: int, given: Settings) -> None:
        """One of so many workers."""
        self.workers = workers
        self.place = place_of(given, worker)
        self._drain = given.options.drain
        self._asked = False
        _name_lines(worker)

    @property
    def code(self) -> int:
        """The exit code of a worker that has left nothing."""
        return 0 if self._asked else OVER

    def access(self, access: Access) -> Access:
        """Any free port of the loopback, for the supervisor."""
        return Access(listen="127.0.0.1:0" if access.listen else "")

    async def obey(self, service: Service) -> None:
        """Stop when the supervisor says so or is gone, or a signal comes; who forces is the supervisor alone.

        Some send a signal to all processes of a service at once, so that a worker has two orders to stop.
        """

        def stop() -> None:
            if not self._asked:
                in_flight = sum(counts.in_flight for counts in service.counts().values())
                _log.info("stopping, %d in flight", in_flight)
            self._asked = True
            service.stop()

        async with together() as tasks:
            tasks.start_soon(Leash(stop, service.force, self._drain).hold)
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    stop()


def _name_lines(worker: str) -> None:
    """Let each line of this process's log begin with the name of the worker."""
    make = logging.getLogRecordFactory()

    def named(*given: object, **more: object) -> logging.LogRecord:
        record = make(*given, **more)
        record.worker = worker
        record.msg = f"[{worker}] {record.msg}"
        return record

    logging.setLogRecordFactory(named)


async def _supervised(given: Settings, catalog: Catalog, workers: int, folder: Path) -> int:
    await _shared(given.options.store, catalog, workers)
    supervisor = Supervisor(_command, workers)
    async with together() as tasks:
        tasks.start_soon(_obey_signals, supervisor)
        overseeing = Overseeing(given, catalog, [worker.name for worker in supervisor.workers], folder)
        await tasks.start(overseeing.run)
        code = await supervisor.run()
        tasks.cancel_scope.cancel()
    return code


async def _shared(uri: str, catalog: Catalog, workers: int) -> None:
    """Refuse a store that is for one process; raises StoreError for one that cannot be opened."""
    kind = uri.partition(":")[0]
    async with catalog.open_store(uri, time) as store:
        if not isinstance(store, Shared):
            raise BadOption(
                f"{workers} workers need a store that several processes share, and '{kind}:' is for one",
                hint='give it one: store = "postgresql://host/database" (see Workers in the docs); '
                "or leave --workers out",
            )


def _command(worker: str) -> Sequence[str]:
    return [sys.executable, *sys.argv, "--worker", worker]


async def _obey_signals(supervisor: Supervisor) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        asked = False
        async for number in signals:
            name = signal.Signals(number).name
            if asked:
                _log.warning("%s again: the workers stop at once", name)
                await supervisor.force()
            else:
                _log.info("%s: the workers stop, and finish what is in flight; once more to stop at once", name)
                await supervisor.stop()
            asked = True
