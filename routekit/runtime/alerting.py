"""Alerting: a new kind of failure is told once, and again when there is ten times as much of it."""

from collections import OrderedDict
from dataclasses import dataclass

from ..errors import StoreError
from ..events import ClusterGrew, Logged
from ..letter import Letter
from ..likeness import alike
from ..step import Runtime

FOLLOWED = 1000
"""Clusters of a route that are followed at a time."""

COUNTED = 60.0
"""Seconds for which a count of the store is believed: what operators take away is seen after that."""

MOST = 10
"""Alerts of a route in `PERIOD` seconds; those beyond are told with the next letter after that."""

PERIOD = 60.0


@dataclass(slots=True)
class _Known:
    """A cluster: how many letters it had when they were counted, how many came since, and what was told of it."""

    count: int
    at: float
    told: int


class Alerts:
    """What one route tells of the letters that it keeps; nothing is asked of the store for messages that succeed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._times: list[float] = []

    async def kept(self, letter: Letter) -> None:
        """Tell of a letter's cluster if it is new, or has grown tenfold; a store that cannot count is logged."""
        known = self._known.get(letter.cluster)
        now = self._runtime.now()
        if known is None or now - known.at >= COUNTED:
            try:
                count = await self._runtime.store.letters.count(cluster=letter.cluster)
            except StoreError as error:
                text = f"letters of cluster {letter.cluster} cannot be counted: {error}"
                self._runtime.emit(Logged(self._runtime.route, "warning", text))
                return
            told = _step(count - 1)  # by whoever kept those before this one
            known = _Known(count, now, told if known is None else min(told, known.told))
            self._known[letter.cluster] = known
        else:
            known.count += 1
        self._known.move_to_end(letter.cluster)
        while len(self._known) > FOLLOWED:
            self._known.popitem(last=False)
        if _step(known.count) > known.told and self._may(now):
            known.told = _step(known.count)
            text, route = alike(letter.reason), self._runtime.route
            self._runtime.emit(
                ClusterGrew(route, letter.cluster, letter.step, letter.error, text, known.count, known.count == 1)
            )

    def _may(self, now: float) -> bool:
        self._times = [time for time in self._times if now - time < PERIOD]
        if len(self._times) >= MOST:
            return False
        self._times.append(now)
        return True


def _step(count: int) -> int:
    """The greatest of 1, 10, 100, ... that a count has reached; 0 for none."""
    return 10 ** (len(str(count)) - 1) if count > 0 else 0
