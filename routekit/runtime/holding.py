"""Holding: messages that steps keep in memory stay unacknowledged until what they are kept for is done.

A ledger belongs to one message that the intake has taken. It travels with the message into its parts, branches and
the routes that it calls, in a context variable; it costs nothing where no step holds.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import anyio


class Ledger:
    """The holds of one message."""

    __slots__ = ("_ended", "_error", "open")

    def __init__(self) -> None:
        self.open = 0
        self._error: Exception | None = None
        self._ended = anyio.Event()

    def ended(self, error: Exception | None) -> None:
        """One hold has ended."""
        self.open -= 1
        self._error = self._error or error
        if not self.open:
            self._ended.set()

    async def settled(self) -> None:
        """Wait until all holds have ended; raises the first failure."""
        while self.open:
            await self._ended.wait()
            self._ended = anyio.Event()
        if self._error is not None:
            raise self._error


class Holding:
    """One hold on a message; implements `Hold`. Ending it twice is ending it once."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        if ledger is not None:
            ledger.open += 1

    def done(self) -> None:
        """What the message was kept for is done."""
        self._end(None)

    def failed(self, error: Exception) -> None:
        """It could not be done."""
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.ended(error)


_current: ContextVar[Ledger | None] = ContextVar("routekit_ledger", default=None)


def hold() -> Holding:
    """Hold the message that is being handled here."""
    return Holding(_current.get())


def current() -> Ledger | None:
    """The ledger of the message that is being handled here."""
    return _current.get()


@contextmanager
def ledger() -> Generator[Ledger]:
    """A ledger for the message that is handled inside it."""
    opened = Ledger()
    token = _current.set(opened)
    try:
        yield opened
    finally:
        _current.reset(token)
