"""What `timer` and `cron` share: which of their times were missed, what becomes of those, and which are done.

The last time that is done, with all before it, is kept in a durable store; so a time that was at work at a crash is one
that was missed. Where several processes share the store, one of them leads, and a time is kept before it is fired, too:
what a former leader has begun is known to the next one, and one that was held for dead cannot begin anything.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal, TypeAlias, TypeVar

from .events import Logged
from .message import Delivery, Message
from .step import Runtime

T = TypeVar("T")

Missed: TypeAlias = Literal["skip", "once", "all"]
"""What becomes of times that have passed while nobody was there, or while the route was busy: nothing, one message for
all of them, or one for each."""

STATE = "schedules"
"""The name under which the store keeps what was done last."""


def made_up(passed: Sequence[T], missed: Missed | None, most: int) -> Sequence[T]:
    """Of the times that have passed, oldest first, those that are fired all the same.

    >>> [made_up([1, 2, 3], missed, 2) for missed in ("skip", "once", "all")]
    [[], [3], [2, 3]]
    """
    keep = {"once": 1, "all": most}.get(missed or "skip", 0)
    return passed[max(0, len(passed) - keep) :]


_BEGUN = " begun"
"""Behind the name of a schedule: what its leader fired last, done or not."""


class Schedule:
    """The times of one source of one route, and what is done of them."""

    def __init__(self, runtime: Runtime, name: str, *, keeps: bool) -> None:
        self._runtime = runtime
        self._name = name
        self._marks = runtime.store.marks(STATE) if keeps and runtime.store.durable else None
        self._open: dict[float, int] = {}
        self._done: tuple[float, int] | None = None
        self._office = None if self._marks is None else runtime.office
        self._begun = -inf

    async def last(self) -> tuple[float, int] | None:
        """When it was last done, in seconds since 1970, and how often by then; None if that is not known."""
        text = None if self._marks is None else await self._marks.get(self._name)
        if self._marks is not None and self._office is not None:
            self._begun = float(await self._marks.get(self._name + _BEGUN) or -inf)
        if text is None:
            return None
        due, number = text.split()
        return float(due), int(number)

    def made_up(self, passed: Sequence[T], at: Callable[[T], float], missed: Missed | None, most: int) -> Sequence[T]:
        """Of the times that have passed while this process did not lead or run, those that are fired all the same.

        As the function of that name says; with `skip`, what a change of the leader alone has missed is fired too, but
        what the former leader had begun.
        """
        since = None if self._office is None else self._office.since
        if since is None or missed in ("once", "all"):
            return made_up(passed, missed, most)
        return [time for time in passed if at(time) > max(since, self._begun)][-most:]

    async def begins(self, due: float) -> None:
        """Note that a time is fired now; raises StoreError if this process was held for dead, and does not lead."""
        if self._marks is not None and self._office is not None:
            await self._marks.put(self._name + _BEGUN, repr(due))

    async def begin(self, due: float, number: int = 0) -> None:
        """From now on times after this one count as missed."""
        await self._keep(due, number)

    def fired(self, due: float, number: int, message: Message[Any]) -> Delivery[Any]:
        """The message of a time; it is done when it is acknowledged, or given back."""
        if self._marks is None:
            return Delivery(message)
        self._open[due] = number

        async def ack(reply: Message[Any] | None) -> None:
            await self._ended(due)

        async def nack(error: Exception) -> None:
            await self._ended(due)

        return Delivery(message, ack, nack)

    def tell(self, missed: int, fired: int, since: float) -> None:
        """Say what was missed while nobody was there, and how many of them are fired now."""
        if not missed:
            return
        last = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        times = "1 time" if missed == 1 else f"{missed:,} times"
        text = f"{self._name}: missed {times} since {last}, {fired or 'none'} of them fired now"
        self._runtime.emit(Logged(self._runtime.route, "warning", text))

    async def _ended(self, due: float) -> None:
        """Keep the last time before which nothing is at work any more."""
        number = self._open.pop(due, 0)
        if self._done is None or due > self._done[0]:
            self._done = (due, number)
        if not self._open or min(self._open) > self._done[0]:
            await self._keep(*self._done)

    async def _keep(self, due: float, number: int) -> None:
        if self._marks is not None:
            await self._marks.put(self._name, f"{due!r} {number}")
