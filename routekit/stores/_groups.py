"""Groups of messages in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..store import Adding, Group


@dataclass(eq=False, slots=True)
class _Row:
    number: int
    key: str
    first: float
    last: float
    size: int = 0
    owner: str = ""
    until: float | None = None
    """Until when it is remembered, once it was released."""
    messages: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """By id; None for those that are no longer kept."""

    @property
    def state(self) -> Adding:
        """What a message that is in it already is told."""
        if self.until is not None:
            return Adding.RELEASED
        return Adding.CLOSED if self.owner else Adding.AGAIN

    def group(self) -> Group:
        """The group as it is now."""
        return Group(self.number, self.key, self.size, self.first, self.last, self.owner)


class MemoryGroups:
    """Messages that wait to go on together, under one name."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._count = 0
        self._rows: dict[int, _Row] = {}
        self._keys: dict[str, list[_Row]] = {}
        self._gone: dict[int, float] = {}

    async def add(
        self,
        key: str,
        id: str,
        message: str,
        *,
        owner: str,
        full: int | None = None,
        reopen: bool = True,
        latest: bool = False,
    ) -> tuple[Adding, Group]:
        """Keep a message in the open group of `key`."""
        now = self._now()
        rows = [row for row in self._keys.get(key, ()) if row.until is None or row.until > now]
        for row in reversed(rows):
            if id in row.messages:
                return row.state, row.group()
        last = rows[-1] if rows else None
        if last is not None and last.state is not Adding.AGAIN and not reopen:
            return Adding.LATE, last.group()
        if last is None or last.state is not Adding.AGAIN:
            last = self._opened(key, now)
        if latest:
            last.messages.clear()
        last.messages[id] = message
        last.size += 1
        last.last = now
        if full is not None and last.size >= full:
            last.owner = owner
        return Adding.NEW, last.group()

    async def close(self, number: int, *, owner: str) -> bool:
        """Let the group take no more; true if it is the caller's to release."""
        row = self._rows.get(number)
        if row is None or row.until is not None or row.owner not in ("", owner):
            return False
        row.owner = owner
        return True

    async def all(self) -> Sequence[Group]:
        """The open and the closed groups, oldest first."""
        return [row.group() for row in self._rows.values() if row.until is None]

    async def messages(self, number: int) -> Sequence[str]:
        """The messages of a group, in the order in which they were kept."""
        row = self._rows.get(number)
        return [] if row is None else [text for text in row.messages.values() if text is not None]

    async def remove(self, number: int, *, remember: float = 0.0) -> None:
        """Forget a group, and those that have been remembered long enough."""
        now, row = self._now(), self._rows.get(number)
        if row is not None and row.until is None:
            row.until = self._gone[number] = now + remember
            row.messages = dict.fromkeys(row.messages) if remember > 0 else {}
        for old in [number for number, until in self._gone.items() if until <= now]:
            self._forget(old)

    def held(self) -> list[float]:
        """When the groups began in which the messages are that are kept."""
        rows = [row for row in self._rows.values() if row.until is None]
        return [row.first for row in rows for message in row.messages.values() if message is not None]

    def _opened(self, key: str, now: float) -> _Row:
        self._count += 1
        row = self._rows[self._count] = _Row(self._count, key, now, now)
        self._keys.setdefault(key, []).append(row)
        return row

    def _forget(self, number: int) -> None:
        del self._gone[number]
        row = self._rows.pop(number)
        rows = self._keys[row.key]
        rows.remove(row)
        if not rows:
            del self._keys[row.key]
