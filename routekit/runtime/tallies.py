"""Tallies: what is counted of a route's messages and steps while they run, in as little time as can be."""

from bisect import bisect_left
from collections import deque
from typing import Final

from ..observed import BOUNDS, StepFigures, Times
from ..observing import Spot

WINDOW: Final = 10.0
"""Seconds over which a rate is taken."""

_SIZE = len(BOUNDS) + 1
_BOUNDS = tuple(BOUNDS)


class Stopwatch:
    """Durations, by buckets."""

    __slots__ = ("buckets", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.buckets = [0] * _SIZE

    def add(self, seconds: float) -> None:
        """Count a duration; a clock that was put back makes none below nothing."""
        if seconds < 0.0:
            seconds = 0.0
        self.count += 1
        self.total += seconds
        self.buckets[bisect_left(_BOUNDS, seconds)] += 1

    def read(self) -> Times:
        """As it is now."""
        return Times(self.count, self.total, tuple(self.buckets))


class Cell:
    """What is counted of one step."""

    __slots__ = ("count", "failures", "retries", "spot", "times")

    def __init__(self, spot: Spot) -> None:
        self.spot = spot
        self.count = 0
        self.failures = 0
        self.retries = 0
        self.times: Stopwatch | None = None  # most steps of most routes are never measured

    def took(self, seconds: float) -> None:
        """It took so long by itself."""
        if self.times is None:
            self.times = Stopwatch()
        self.times.add(seconds)

    def read(self) -> StepFigures:
        """As it is now."""
        spot = self.spot
        times = None if self.times is None else self.times.read()
        return StepFigures(spot.label, str(spot.place), spot.path, self.count, self.failures, self.retries, times)


class Pace:
    """How many messages ended well, and failed for good, in a second; a mark is made at most once in a second."""

    __slots__ = ("_began", "_marks", "failed", "finished", "turn")

    def __init__(self, now: float) -> None:
        self.finished = 0
        self.failed = 0
        self.turn = now
        """When the next mark is due: before what happens from then on is counted."""
        self._began = now
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=int(WINDOW) + 2)

    def mark(self, now: float) -> None:
        """Remember how it stands."""
        self._marks.append((now, self.finished, self.failed))
        self.turn = now + 1.0

    def read(self, now: float) -> tuple[float, float]:
        """Both rates, over the last ten seconds or since the beginning."""
        finished, failed = self._before(now - WINDOW)
        seconds = min(WINDOW, max(1.0, now - self._began))
        return (self.finished - finished) / seconds, (self.failed - failed) / seconds

    def _before(self, when: float) -> tuple[int, int]:
        """How it stood then: whatever is between two marks happened in the second after the first of them."""
        for at, finished, failed in self._marks:
            if at + 1.0 > when:
                return finished, failed
        return self.finished, self.failed
