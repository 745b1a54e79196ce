"""Rehearsing: a ledger that may be written to, of which nothing gets into the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from routekit import Value, ValueChange, Values


@dataclass(frozen=True, slots=True)
class _Laid:
    value: Value | None


class Overlay:
    """The values of a store, with changes laid over them in memory; a `Values` itself."""

    def __init__(self, below: Values, now: Callable[[], float]) -> None:
        self._below = below
        self._now = now
        self._laid: dict[str, _Laid] = {}

    async def get(self, key: str) -> Value | None:
        """The value, as it is laid over, or as it is below."""
        return (await self.many([key])).get(key)

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        """Lay a value over."""
        done = await self.write([ValueChange(key, text, version, until)])
        return await self.get(key) if done else None

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Lay over that there is none."""
        if await self.get(key) is None:
            return False
        return await self.write([ValueChange(key, None, version)])

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """The values of those keys that have one."""
        rest = [key for key in keys if key not in self._laid]
        found = dict(await self._below.many(rest)) if rest else dict[str, Value]()
        laid = {key: self._laid[key].value for key in keys if key in self._laid}
        return found | {key: value for key, value in laid.items() if value is not None}

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] = {}) -> bool:
        """Lay changes over, all or none."""
        wanted = {**given, **{one.key: one.version for one in changes if one.version is not None}}
        now = await self.many(list({*wanted, *(one.key for one in changes)}))
        current = {key: value.version for key, value in now.items()}
        if any(current.get(key, 0) != version for key, version in wanted.items()):
            return False
        for one in changes:
            text = one.text
            value = None if text is None else Value(text, current.get(one.key, 0) + 1, self._now())
            self._laid[one.key] = _Laid(value)
        return True

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        """Keys above `after` with their values, sorted by key."""
        below = await self._below.items(after=after, limit=limit)
        last = below[-1][0] if len(below) == limit else None
        rows = {key: value for key, value in below if key not in self._laid}
        for key, laid in self._laid.items():
            if key > after and (last is None or key <= last) and laid.value is not None:
                rows[key] = laid.value
        if not rows and last is not None:
            return await self.items(after=last, limit=limit)
        return sorted(rows.items())[:limit]
