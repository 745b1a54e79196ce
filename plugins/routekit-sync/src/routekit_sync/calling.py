"""Calls to one side: counted, within its budget, and its clock measured on the way."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from routekit.remotes import Abilities, Busy, Fields, Page, Record, RemoteError, Session, Unclear, Unsent

from .units import Side

T = TypeVar("T")

FAILURES = 5
"""So many calls in a row that get no answer, and the side counts as down."""

_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Offset:
    """A clock compared with ours: it is `ahead` seconds before ours, or `uncertainty` more or less."""

    ahead: float
    uncertainty: float


@dataclass(eq=False)
class Calls:
    """One side while it is open: the only way to its session."""

    side: Side
    session: Session
    abilities: Abilities
    now: Callable[[], float]
    count: int = 0
    """Calls since the side was opened."""
    trouble: RemoteError | None = None
    """Why nothing more should be asked of the side in this cycle: it is busy, or down."""
    _failures: int = 0
    _recent: deque[float] = field(default_factory=deque[float])
    _offsets: deque[Offset] = field(default_factory=lambda: deque[Offset](maxlen=_SAMPLES))

    @property
    def offset(self) -> Offset | None:
        """How far its clock is ahead, by the call that took the least time of the last ones; None: it tells no time."""
        return min(self._offsets, key=lambda each: each.uncertainty, default=None)

    @property
    def left(self) -> int | None:
        """How many calls may still be made in the window of its budget; None: there is no limit."""
        budget = self.abilities.budget
        if budget is None:
            return None
        since = self.now() - budget.seconds
        return max(0, budget.calls - sum(at > since for at in self._recent))

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        """See `Session.changes`."""
        return await self._timed(lambda: self.session.changes(since, page))

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        """See `Session.scan`."""
        return await self._timed(lambda: self.session.scan(page, fields=fields))

    async def get(self, id: str) -> Record | None:
        """See `Session.get`."""
        return await self._called(lambda: self.session.get(id))

    async def many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Those of any number of records that there are, by id, in as few calls as can be."""
        size = max(self.abilities.batch, 1)
        found: dict[str, Record] = {}
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            records = await self._part(part)
            found |= {record.id: record for record in records}
        return found

    async def _part(self, ids: Sequence[str]) -> Sequence[Record]:
        if len(ids) == 1:
            record = await self.get(ids[0])
            return [] if record is None else [record]
        return await self._called(lambda: self.session.many(ids))

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        """See `Session.find`."""
        return await self._called(lambda: self.session.find(name, value))

    async def create(self, fields: Fields, *, key: str) -> Record:
        """See `Session.create`."""
        return await self._called(lambda: self.session.create(fields, key=key))

    async def update(self, id: str, fields: Fields, *, version: str | None, key: str) -> Record:
        """See `Session.update`."""
        return await self._called(lambda: self.session.update(id, fields, version=version, key=key))

    async def delete(self, id: str, *, version: str | None) -> None:
        """See `Session.delete`."""
        await self._called(lambda: self.session.delete(id, version=version))

    async def _timed(self, call: Callable[[], Awaitable[Page]]) -> Page:
        sent = self.now()
        page = await self._called(call)
        if page.now is not None:
            self._measure(sent, page.now, self.now())
        return page

    async def _called(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            self._spend()
            self.count += 1
            answer = await call()
        except RemoteError as error:
            self._note(error)
            raise
        self._failures = 0
        return answer

    def _note(self, error: RemoteError) -> None:
        self._failures = self._failures + 1 if isinstance(error, Unsent | Unclear) else 0
        if isinstance(error, Busy) or self._failures >= FAILURES:
            self.trouble = error
            self._failures = 0

    def _spend(self) -> None:
        """Count a call into its window; raises Busy, without a call, for one that would be too many."""
        budget = self.abilities.budget
        if budget is None:
            return
        now = self.now()
        while self._recent and self._recent[0] <= now - budget.seconds:
            self._recent.popleft()
        if len(self._recent) >= budget.calls:
            after = self._recent[0] + budget.seconds - now
            raise Busy(f"the budget of {budget.calls} calls in {budget.seconds:g} s is spent", after=after)
        self._recent.append(now)

    def _measure(self, sent: float, told: float, received: float) -> None:
        """Take a sample as NTP does: the answer was made in the middle, or at most half the way's time beside it."""
        half = (received - sent) / 2
        coarse = 0.5 if told == int(told) else 0.0  # a clock that tells whole seconds is half of one behind on average
        self._offsets.append(Offset(told + coarse - (sent + half), half + coarse))
