"""The journal of a durable route, in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import StoreError
from ..store import Arrival, Entry


@dataclass(eq=False, slots=True)
class _Row:
    number: int
    id: str
    message: str
    at: float
    owner: str
    place: str = ""
    effects: dict[str, str] = field(default_factory=dict[str, str])
    until: float | None = None
    """Until when its id is remembered, once it is finished."""

    def entry(self) -> Entry:
        """The entry as it is now."""
        return Entry(self.number, self.id, self.message, self.place, self.at)


class MemoryJournal:
    """The messages of one durable route, from their arrival until they are finished; nobody else shares them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._number = 0
        self._open: dict[str, _Row] = {}
        self._finished: dict[str, _Row] = {}

    async def add(self, id: str, message: str, *, owner: str) -> Arrival:
        """Keep a message that has arrived; it is `owner`'s."""
        now, finished = self._now(), self._finished.get(id)
        if id in self._open:
            return Arrival.OPEN
        if finished is not None and finished.until is not None and finished.until > now:
            return Arrival.FINISHED
        self._finished.pop(id, None)
        self._number += 1
        self._open[id] = _Row(self._number, id, message, now, owner)
        return Arrival.NEW

    async def checkpoint(self, id: str, place: str, message: str, *, owner: str) -> None:
        """From now on the message goes on at `place`; effects recorded before are forgotten."""
        row = self._owned(id, owner)
        row.place, row.message = place, message
        row.effects.clear()

    async def record(self, id: str, effect: str, result: str, *, owner: str) -> None:
        """Remember that an effect of this message has happened, and what it gave."""
        self._owned(id, owner).effects[effect] = result

    async def effects(self, id: str) -> Mapping[str, str]:
        """What was recorded for the message since its last checkpoint."""
        row = self._open.get(id)
        return {} if row is None else dict(row.effects)

    async def finish(self, id: str, *, owner: str, remember: float = 0.0) -> None:
        """Forget the message and its effects; its id is remembered for some seconds."""
        if id not in self._open:
            return
        row = self._owned(id, owner)
        del self._open[id]
        if remember > 0:
            row.message, row.until = "", self._now() + remember
            row.effects.clear()
            self._finished[id] = row

    async def take(self, *, owner: str, limit: int, after: int = 0) -> Sequence[Entry]:
        """Unfinished messages as the caller's own, oldest first: all, as no other process can have one."""
        found = [row for row in self._open.values() if row.number > after][: max(limit, 0)]
        for row in found:
            row.owner = owner
        return [row.entry() for row in found]

    async def adopt(self, id: str, *, owner: str) -> None:
        """Make an unfinished message the caller's own, whoever has it: the caller owns what brings it, as a group."""
        row = self._open.get(id)
        if row is not None:
            row.owner = owner

    async def count(self) -> int:
        """How many are not finished."""
        return len(self._open)

    async def prune(self, *, before: float) -> int:
        """Forget the ids that need not be remembered any more at that time; returns how many."""
        old = [known for known, row in self._finished.items() if row.until is not None and row.until <= before]
        for known in old:
            del self._finished[known]
        return len(old)

    def held(self) -> tuple[list[float], list[float]]:
        """When those came that are not finished, and when those that are."""
        return [row.at for row in self._open.values()], [row.at for row in self._finished.values()]

    def _owned(self, id: str, owner: str) -> _Row:
        row = self._open.get(id)
        if row is None or row.owner != owner:
            raise lost(id, owner, None if row is None else row.owner)
        return row


def lost(id: str, owner: str, holder: str | None) -> StoreError:
    """What a process is told that writes to an entry which is not its own."""
    found = "is not in the journal" if holder is None else f"is in the hands of '{holder}', not of '{owner}'"
    return StoreError(f"message {id} {found}", hint="another process has taken it over, or has finished it")
