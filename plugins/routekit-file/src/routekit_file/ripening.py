"""Ripening: files are taken once their size and time have not changed for a while."""

from .found import Found


class Ripening:
    """Remembers since when each file looks as it does.

    All files ripen side by side: one look at the directory is one look at each of them. Times are those of the
    event loop's clock, in seconds.
    """

    def __init__(self, stable: float) -> None:
        self._stable = stable
        self._before: dict[str, tuple[str, float]] = {}
        self._since: dict[str, tuple[str, float]] = {}
        self._now = 0.0
        self.soonest: float | None = None
        """Seconds until the next file may be ripe, or None when none is waiting."""
        self.waiting = 0
        """The files of the last look that were not ripe."""

    def look(self, now: float) -> None:
        """A look at the directory begins."""
        self._before, self._since = self._since, {}
        self._now = now
        self.soonest = None
        self.waiting = 0

    def is_ripe(self, file: Found) -> bool:
        """Whether a file has looked the same for long enough."""
        if not self._stable:
            return True
        known = self._before.get(file.relative)
        if known is None or known[0] != file.signature:
            known = (file.signature, self._now)
        self._since[file.relative] = known
        wait = known[1] + self._stable - self._now
        if wait <= 0:
            return True
        self.waiting += 1
        self.soonest = wait if self.soonest is None else min(wait, self.soonest)
        return False

    def looked(self, *, at_all: bool) -> None:
        """The look is over; if it was at all files, those that it did not meet are gone, and forgotten."""
        if not at_all:
            self._since = {**self._before, **self._since}
        self._before = {}
