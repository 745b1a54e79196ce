"""What has been observed of routes: the figures of each route and step, as plain values."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias

from .figures import Figure

Became: TypeAlias = Literal["retried", "dead", "refused", "rescued"]
"""What was done about a failure."""

BOUNDS: Sequence[float] = tuple(
    float(f"{digits}e{decade}") for decade in range(-6, 3) for digits in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
)
"""Seconds, from a microsecond to 800 s: ten buckets in each decade, so that a quantile is off by a tenth at most."""


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds: how many were at most as long as each of `BOUNDS`, and the rest, in `buckets`."""

    count: int
    total: float
    buckets: Sequence[int]

    def quantile(self, share: float) -> float | None:
        """The duration that this share, such as 0.95, did not take longer than; None if there are none.

        >>> buckets = [0] * (len(BOUNDS) + 1)
        >>> buckets[30] = 100
        >>> Times(100, 0.09, buckets).quantile(0.5), BOUNDS[29:31]
        (0.0009, (0.0008, 0.001))
        """
        if not self.count:
            return None
        wanted = share * self.count
        sums = list(accumulate(self.buckets))
        number = bisect_left(sums, wanted)
        if number == len(BOUNDS):
            return BOUNDS[-1]
        above = BOUNDS[number - 1] if number else 0.0
        within = (wanted - (sums[number - 1] if number else 0)) / self.buckets[number]
        return round(above + within * (BOUNDS[number] - above), 9)


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One step since the start of its route: `count` is how often messages and parts entered it, again at each try.

    `failures` are the errors that began in it, `retries` how often it made for another try. `times` is how long it took
    by itself, without the steps that follow it, of a sample of messages; None before there was one. `path` gives the
    order of the steps; two of them may have one label. `rate` and `errors` are what went well and failed in a second,
    over the last ten seconds.
    """

    label: str
    place: str
    path: tuple[int, ...]
    count: int = 0
    failures: int = 0
    retries: int = 0
    times: Times | None = None
    rate: float = 0.0
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class FailureFigures:
    """One of the latest failures of a route: `reason` is masked, `when` seconds since 1970."""

    when: float
    message: str
    step: str
    error: str
    reason: str
    outcome: Became


@dataclass(frozen=True, slots=True)
class BreakerFigures:
    """A circuit breaker, as it stands; several routes may share it by its name."""

    name: str
    state: Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class LimitFigures:
    """A limiter that has a name: how many messages it has let in, and how many wait for it; of all its keys."""

    name: str
    inside: int
    waiting: int


@dataclass(frozen=True, slots=True)
class RouteFigures:
    """One route since it was defined, over all its starts; see `Counts` for what is counted.

    `rate` are messages done or ended in a second, `errors` those that failed for good, both over the last ten seconds.
    `oldest` is the age in seconds of the oldest message in flight. `times` is how long each message took, with its
    retries; None without metrics. `failures` are the latest, the newest first. `endpoints` is what endpoints count.
    """

    name: str
    state: str
    received: int = 0
    brought: int = 0
    done: int = 0
    ended: int = 0
    retried: int = 0
    dead: int = 0
    refused: int = 0
    in_flight: int = 0
    held: int = 0
    rate: float = 0.0
    errors: float = 0.0
    oldest: float | None = None
    times: Times | None = None
    steps: Sequence[StepFigures] = ()
    failures: Sequence[FailureFigures] = ()
    breakers: Sequence[BreakerFigures] = ()
    limits: Sequence[LimitFigures] = ()
    endpoints: Sequence[Figure] = ()
