"""Ripening: files are taken once their size and time have not changed for a while."""

from collections.abc import Sequence

from .found import Found


class Ripening:
    """Remembers since when each file looks as it does.

    All files ripen side by side: one look at the directory is one look at each of them. Times are those of the
    event loop's clock, in seconds.
    """

    def __init__(self, stable: float) -> None:
        self._stable = stable
        self._since: dict[str, tuple[str, float]] = {}
        self.soonest: float | None = None
        """Seconds until the next file may be ripe, or None when none is waiting."""

    def ripe(self, found: Sequence[Found], now: float) -> list[Found]:
        """Those that have looked the same for long enough; files that are gone are forgotten."""
        if not self._stable:
            return list(found)
        before, self._since = self._since, {}
        for file in found:
            known = before.get(file.relative)
            same = known is not None and known[0] == file.signature
            self._since[file.relative] = known if known is not None and same else (file.signature, now)
        waits = {file.relative: self._since[file.relative][1] + self._stable - now for file in found}
        self.soonest = min((wait for wait in waits.values() if wait > 0), default=None)
        return [file for file in found if waits[file.relative] <= 0]
