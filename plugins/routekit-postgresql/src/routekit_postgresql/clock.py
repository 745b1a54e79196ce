"""Time: that of the database, so that processes on several machines agree."""

from collections.abc import Callable
from time import monotonic, time


class DatabaseTime:
    """Seconds since 1970 by the database's clock, carried on by this machine's monotonic one between two looks."""

    def __init__(self) -> None:
        self._ahead = time() - monotonic()

    def set(self, now: float) -> None:
        """It is `now` there."""
        self._ahead = now - monotonic()

    def __call__(self) -> float:
        return monotonic() + self._ahead


def clock_of(now: Callable[[], float], database: DatabaseTime) -> Callable[[], float]:
    """What tells the time in the store: the database, but where a test has a clock of its own."""
    return database if now is time else now
