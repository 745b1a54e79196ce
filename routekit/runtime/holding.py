"""Holding: messages that steps keep in memory stay unacknowledged until what they are kept for is done.

A ledger belongs to one message that the intake has taken. It travels with the message into its parts, branches and
the routes that it calls, in a context variable; it costs nothing where no step holds.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar


class Ledger:
    """The holds of one message, or of what a step has behind it; implements `Kept`."""

    __slots__ = ("_error", "_open", "_outer", "_settled", "used")

    def __init__(self, outer: "Ledger | None" = None) -> None:
        self._outer = outer
        self.used = False
        """Whether anything was held."""
        self._error: Exception | None = None
        self._open = 0
        self._settled: Callable[[Exception | None], None] | None = None

    def hold(self) -> "Holding":
        """Hold the message in the ledger around this one."""
        return Holding(self._outer)

    def opened(self) -> None:
        """One hold more."""
        self._open += 1
        self.used = True

    def ended(self, error: Exception | None) -> None:
        """One hold has ended."""
        self._open -= 1
        self._error = self._error or error
        self._tell()

    def when_settled(self, settled: Callable[[Exception | None], None]) -> None:
        """Call it, with the first failure, once no hold is open: now, or as soon as the last one ends."""
        self._settled = settled
        self._tell()

    def _tell(self) -> None:
        if not self._open and self._settled is not None:
            settled, self._settled = self._settled, None
            settled(self._error)


class Holding:
    """One hold on a message; implements `Hold`. Ending it twice is ending it once."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        if ledger is not None:
            ledger.opened()

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
    opened = Ledger(_current.get())
    token = _current.set(opened)
    try:
        yield opened
    finally:
        _current.reset(token)
