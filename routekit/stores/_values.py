"""Values that users keep, in memory."""

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest

from ..store import Value, ValueChange


class MemoryValues:
    """Texts by key that several messages may change at once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rows: dict[str, tuple[Value, float | None]] = {}

    async def get(self, key: str) -> Value | None:
        """The value, if it is there and not to be forgotten yet."""
        return self._current(key)

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        """Write a value; with `version` only if that is the current one (0: there is none yet)."""
        known = self._current(key)
        current = 0 if known is None else known.version
        if version is not None and version != current:
            return None
        value = Value(text, current + 1, self._now())
        self._rows[key] = value, until
        return value

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Forget a value; false if there was none, or another version."""
        known = self._current(key)
        if known is None or version not in (None, known.version):
            return False
        del self._rows[key]
        return True

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        """Keys above `after` with their values, sorted by key."""
        self._forget()
        keys = nsmallest(max(limit, 0), (key for key in self._rows if key > after))
        return [(key, self._rows[key][0]) for key in keys]

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """The values of those keys that have one."""
        return {key: value for key in keys if (value := self._current(key)) is not None}

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] = {}) -> bool:
        """Make all changes, or none if a version is another one."""
        wanted = {**given, **{one.key: one.version for one in changes if one.version is not None}}
        if any(self._version(key) != version for key, version in wanted.items()):
            return False
        for one in changes:
            if one.text is None:
                self._rows.pop(one.key, None)
            else:
                self._rows[one.key] = Value(one.text, self._version(one.key) + 1, self._now()), one.until
        return True

    def _version(self, key: str) -> int:
        known = self._current(key)
        return 0 if known is None else known.version

    def held(self) -> list[float]:
        """When the values were written."""
        self._forget()
        return [value.at for value, _ in self._rows.values()]

    def _current(self, key: str) -> Value | None:
        value, until = self._rows.get(key, (None, None))
        if until is not None and until <= self._now():
            del self._rows[key]
            return None
        return value

    def _forget(self) -> None:
        for key in list(self._rows):
            self._current(key)
