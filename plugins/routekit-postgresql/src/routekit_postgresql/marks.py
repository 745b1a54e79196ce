"""Small texts by key: files seen, cursors of a poll."""

from collections.abc import Callable, Sequence

from .asking import Ask, Row, brief, each, nothing
from .lanes import Lanes

_GET = "SELECT value FROM marks WHERE name = %(name)s AND brief = %(brief)s"
_PUT = each("name text, brief text, key text, value text, at float8", "put_mark(r.name, r.brief, r.key, r.value, r.at)")
_DELETE = "DELETE FROM marks WHERE name = %(name)s AND brief = %(brief)s"
_ITEMS = "SELECT key, value FROM marks WHERE name = %(name)s"


class PostgresqlMarks:
    """Small texts under one name."""

    def __init__(self, lanes: Lanes, name: str, now: Callable[[], float]) -> None:
        self._lanes = lanes
        self._name = name
        self._now = now

    async def get(self, key: str) -> str | None:
        """The value of that key."""
        return await self._lanes.do(Ask(_GET, {"name": self._name, "brief": brief(key)}, _value, writes=False))

    async def put(self, key: str, value: str) -> None:
        """Write a value."""
        known = brief(key)
        row = {"name": self._name, "brief": known, "key": key, "value": value, "at": self._now()}
        await self._lanes.do(Ask(_PUT, row, nothing, ("marks", self._name, known), folds=True))

    async def delete(self, key: str) -> None:
        """Forget a value."""
        known = brief(key)
        await self._lanes.do(Ask(_DELETE, {"name": self._name, "brief": known}, nothing, ("marks", self._name, known)))

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        return await self._lanes.do(Ask(_ITEMS, {"name": self._name}, _items, writes=False))


def _value(rows: list[Row]) -> str | None:
    return rows[0][0] if rows else None


def _items(rows: list[Row]) -> list[tuple[str, str]]:
    return sorted((key, value) for key, value in rows)
