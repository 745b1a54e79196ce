"""An outbox in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..store import Parcel


@dataclass(eq=False, slots=True)
class _Row:
    parcel: Parcel
    owner: str = ""
    until: float = 0.0


class MemoryOutbox:
    """Messages under one name that are still to be sent, in the order in which they were put in."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._number = 0
        self._rows: dict[int, _Row] = {}
        self._ids: set[str] = set()

    async def add(self, parcels: Sequence[tuple[str, str]]) -> None:
        """Put in messages, each with its id; one whose id is there already is left out."""
        for known_as, message in parcels:
            if known_as not in self._ids:
                self._number += 1
                self._ids.add(known_as)
                self._rows[self._number] = _Row(Parcel(self._number, known_as, message, self._now()))

    async def take(self, *, owner: str, lease: float, limit: int) -> Sequence[Parcel]:
        """The oldest ones, for `lease` seconds the caller's own; those that another owner has now are left out."""
        now = self._now()
        free = [row for row in self._rows.values() if row.owner in ("", owner) or row.until <= now][: max(limit, 0)]
        for row in free:
            row.owner, row.until = owner, now + lease
        return [row.parcel for row in free]

    async def sent(self, numbers: Sequence[int], *, owner: str) -> None:
        """Forget those, as far as they are still the owner's."""
        for row in self._owned(numbers, owner):
            del self._rows[row.parcel.number]
            self._ids.discard(row.parcel.id)

    async def back(self, numbers: Sequence[int], *, owner: str) -> None:
        """Give them back, so that they may be taken at once."""
        for row in self._owned(numbers, owner):
            row.owner, row.until = "", 0.0

    async def count(self) -> int:
        """How many are still to be sent."""
        return len(self._rows)

    def held(self) -> list[float]:
        """When those were put in that are still to be sent."""
        return [row.parcel.at for row in self._rows.values()]

    def _owned(self, numbers: Sequence[int], owner: str) -> list[_Row]:
        rows = [self._rows[number] for number in dict.fromkeys(numbers) if number in self._rows]
        return [row for row in rows if row.owner == owner]
