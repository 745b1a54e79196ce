"""Leash: what holds a worker to its supervisor. Orders come by the standard input, and its end is an order, too."""

import logging
import os
import select
from collections.abc import Callable
from threading import Thread
from time import sleep

import anyio

_log = logging.getLogger("routekit")

STOP = b"s"
FORCE = b"f"

OVER = 64
"""The exit code of a worker whose sources are all exhausted; the supervisor turns it into 0."""

_STDIN = 0
_GRACE = 10.0
"""Seconds beyond the drain time that a worker gets which has lost its supervisor."""


class Leash:
    """Obeys the supervisor."""

    def __init__(self, stop: Callable[[], None], force: Callable[[], None], drain: float) -> None:
        self._stop = stop
        self._force = force
        self._drain = drain

    async def hold(self) -> None:
        """Obey until cancelled; without a supervisor the worker stops orderly."""
        Thread(target=self._end_without, daemon=True).start()
        while True:
            await anyio.wait_readable(_STDIN)
            order = os.read(_STDIN, 64)
            if FORCE in order:
                return self._force()
            if not order:
                _log.warning("the supervisor is gone: stopping")
                self._stop()
                return None
            self._stop()

    def _end_without(self) -> None:
        """End the process if the supervisor is gone and the event loop does not see to it, whatever keeps it."""
        poll = select.poll()
        poll.register(_STDIN, 0)  # nothing but the end
        poll.poll()
        sleep(self._drain + _GRACE)
        os._exit(1)
