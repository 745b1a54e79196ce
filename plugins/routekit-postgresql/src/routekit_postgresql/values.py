"""Texts by key that users keep, and several messages and processes may change at once."""

from collections.abc import Callable, Mapping, Sequence

from routekit import Value, ValueChange

from .asking import Ask, Row, brief, counted, each, seconds
from .lanes import Lanes

_GET = """
    SELECT text, version, at FROM user_values WHERE name = %(name)s AND brief = %(brief)s
    AND (until IS NULL OR until > %(now)s)
"""
_PUT = each(
    "name text, key text, brief text, text text, version bigint, until float8, now float8",
    "put_value(r.name, r.key, r.brief, r.text, r.version, r.until, r.now)",
)
_DELETE = """
    WITH gone AS (
        DELETE FROM user_values WHERE name = %(name)s AND brief = %(brief)s AND (until IS NULL OR until > %(now)s)
        AND (%(version)s::bigint IS NULL OR version = %(version)s::bigint) RETURNING 1
    )
    SELECT count(*) FROM gone
"""
_ITEMS = """
    SELECT key, text, version, at FROM user_values WHERE name = %(name)s AND brief > %(after)s
    AND (until IS NULL OR until > %(now)s) ORDER BY brief LIMIT %(limit)s
"""
_MANY = """
    SELECT key, text, version, at FROM user_values WHERE name = %(name)s AND brief = ANY (%(briefs)s)
    AND (until IS NULL OR until > %(now)s)
"""
_WRITE = each("name text, changes json, given json, now float8", "write_values(r.name, r.changes, r.given, r.now)")


class PostgresqlValues:
    """Values under one name."""

    def __init__(self, lanes: Lanes, name: str, now: Callable[[], float]) -> None:
        self._lanes = lanes
        self._name = name
        self._now = now

    async def get(self, key: str) -> Value | None:
        """The value, if it is there and not to be forgotten yet."""
        row = {"name": self._name, "brief": brief(key), "now": self._now()}
        return await self._lanes.do(Ask(_GET, row, _value, writes=False))

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        """Write a value; with `version` only if that is the current one (0: there is none yet)."""
        now, known = self._now(), brief(key)
        row = {"name": self._name, "key": key, "brief": known, "text": text, "version": version, "now": now}
        end = None if until is None else seconds(until)
        ask = Ask(_PUT, {**row, "until": end}, _version, ("values", self._name, known), folds=True)
        written = await self._lanes.do(ask)
        return None if written is None else Value(text, written, now)

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Forget a value; false if there was none, or another version."""
        known = brief(key)
        row = {"name": self._name, "brief": known, "version": version, "now": self._now()}
        return await self._lanes.do(Ask(_DELETE, row, counted, ("values", self._name, known))) > 0

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        """Keys above `after` with their values, sorted by key; of keys over 1,000 bytes by their first 200."""
        row = {"name": self._name, "after": brief(after), "limit": max(limit, 0), "now": self._now()}
        return await self._lanes.do(Ask(_ITEMS, row, _items, writes=False))

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """The values of those keys that have one."""
        row = {"name": self._name, "briefs": [brief(key) for key in keys], "now": self._now()}
        return dict(await self._lanes.do(Ask(_MANY, row, _items, writes=False)))

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] = {}) -> bool:
        """Make all changes, or none if a version is another one; who writes to one name waits for the others."""
        row = {
            "name": self._name,
            "changes": [_change(one) for one in changes],
            "given": [{"brief": brief(key), "version": version} for key, version in given.items()],
            "now": self._now(),
        }
        weight = sum(len(one.text or "") for one in changes)
        ask = Ask(_WRITE, row, _written, ("values", self._name, ""), folds=True, weight=weight)
        return await self._lanes.do(ask)


def _change(one: ValueChange) -> dict[str, str | float | None]:
    until = None if one.until is None else seconds(one.until)
    return {"key": one.key, "brief": brief(one.key), "text": one.text, "version": one.version, "until": until}


def _written(rows: list[Row]) -> bool:
    return rows[0][0]


def _value(rows: list[Row]) -> Value | None:
    return Value(*rows[0]) if rows else None


def _version(rows: list[Row]) -> int | None:
    return rows[0][0]


def _items(rows: list[Row]) -> list[tuple[str, Value]]:
    return [(key, Value(*rest)) for key, *rest in rows]
