"""Tallies: what is counted of a route's messages and steps while they run, in as little time as can be."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from ..message import Meta
from ..observed import BOUNDS, FailureFigures, StepFigures, Times
from ..observing import Spot

WINDOW: Final = 10.0
"""Seconds over which a rate is taken."""

RECENT: Final = 50
"""Failures of a route that are remembered."""

EDGES: Final = tuple(BOUNDS)


class Stopwatch:
    """Durations in seconds, by buckets: `buckets[bisect_left(EDGES, seconds)]` counts them."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.total = 0.0
        self.buckets = [0] * (len(EDGES) + 1)

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.total += seconds
        self.buckets[bisect_left(EDGES, seconds)] += 1

    def read(self) -> Times:
        """As it is now."""
        return Times(sum(self.buckets), self.total, tuple(self.buckets))


def _never(following: bool) -> None:
    pass


class Cell:
    """What is counted of one step. `follow` lets it look for the traces of its messages, or not."""

    __slots__ = ("count", "failures", "follow", "retries", "spot", "times")

    def __init__(self, spot: Spot) -> None:
        self.spot = spot
        self.count = 0
        self.failures = 0
        self.retries = 0
        self.follow: Callable[[bool], None] = _never
        self.times: Stopwatch | None = None  # most steps of most routes are never measured

    def took(self, seconds: float) -> None:
        """It took so long by itself; a clock that was put back makes that nothing."""
        if self.times is None:
            self.times = Stopwatch()
        self.times.add(max(0.0, seconds))

    def read(self, rates: tuple[float, float]) -> StepFigures:
        """As it is now; `rates` are what its route's tally knows."""
        spot = self.spot
        times = None if self.times is None else self.times.read()
        counts = self.count, self.failures, self.retries
        return StepFigures(spot.label, str(spot.place), spot.path, *counts, times, *rates)


class Tally(Stopwatch):
    """What is counted of the messages of one route: how long each took that ended, and how fast they come to an end.

    `flying` are those at work, in the order of their coming. What happened is marked at most once in a second, at
    `turn`, before it is counted; `cells` are the steps, which are marked too.
    """

    __slots__ = ("_began", "_marks", "cells", "failed", "failures", "flying", "turn")

    def __init__(self, now: float) -> None:
        super().__init__()
        self.cells: Mapping[tuple[int, ...], Cell] = {}
        self.flying: dict[Meta, None] = {}
        self.failures: deque[FailureFigures] = deque(maxlen=RECENT)
        self.failed = 0
        self.turn = now
        self._began = now
        self._marks: deque[_Mark] = deque(maxlen=int(WINDOW) + 2)

    def mark(self, now: float) -> None:
        """Remember how it stands."""
        self._marks.append(_Mark(now, sum(self.buckets), self.failed, [*map(_counts, self.cells.values())]))
        self.turn = now + 1.0

    def left(self, meta: Meta, now: float, *, counts: bool, failed: bool) -> None:
        """A message is not at work any more; one that `counts` has ended."""
        del self.flying[meta]
        if not counts:
            return
        if now >= self.turn:
            self.mark(now)
        self.failed += failed
        self.add(max(0.0, now - meta.received))

    def rates(self, now: float) -> tuple[float, float]:
        """Messages that ended well, and that failed for good, in a second: over ten seconds, or since the beginning."""
        mark, seconds = self._before(now - WINDOW), self._window(now)
        ended, failed = (sum(self.buckets), self.failed) if mark is None else (mark.ended, mark.failed)
        failures = self.failed - failed
        return (sum(self.buckets) - ended - failures) / seconds, failures / seconds

    def steps(self, now: float) -> Mapping[Cell, tuple[float, float]]:
        """The same of each step: what entered it and did not fail there, and what did."""
        mark, seconds = self._before(now - WINDOW), self._window(now)
        before = {} if mark is None else {cell: (count, failures) for cell, count, failures in mark.steps}
        found: dict[Cell, tuple[float, float]] = {}
        for cell in self.cells.values():
            count, failures = before.get(cell, (0, 0) if mark is not None else (cell.count, cell.failures))
            failed = cell.failures - failures
            found[cell] = max(0, cell.count - count - failed) / seconds, failed / seconds
        return found

    def oldest(self, now: float) -> float | None:
        """The age in seconds of the message that came first, of those at work."""
        return next((max(0.0, now - meta.received) for meta in self.flying), None)

    def _window(self, now: float) -> float:
        return min(WINDOW, max(1.0, now - self._began))

    def _before(self, when: float) -> "_Mark | None":
        """How it stood then: whatever is between two marks happened in the second after the first of them."""
        return next((mark for mark in self._marks if mark.at + 1.0 > when), None)


class _Mark(NamedTuple):
    """How a route stood at a time; of its steps each with what entered it and what failed there."""

    at: float
    ended: int
    failed: int
    steps: Sequence[tuple[Cell, int, int]]


def _counts(cell: Cell) -> tuple[Cell, int, int]:
    return cell, cell.count, cell.failures
