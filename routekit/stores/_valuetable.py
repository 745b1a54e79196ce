"""Values that users keep, as a table of a SQLite database."""

import sqlite3
from collections.abc import Callable, Sequence

from ..store import Value
from ._commits import Commits

_GET = """
    SELECT text, version, at FROM routekit_values WHERE name = ? AND key = ? AND (until IS NULL OR until > ?)
"""
_PUT = """
    INSERT OR REPLACE INTO routekit_values (name, key, text, version, at, until) VALUES (?, ?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM routekit_values WHERE name = ? AND key = ?"
_ITEMS = """
    SELECT key, text, version, at FROM routekit_values
    WHERE name = ? AND key > ? AND (until IS NULL OR until > ?) ORDER BY key LIMIT ?
"""
_FORGET = "DELETE FROM routekit_values WHERE name = ? AND until <= ?"


class SqliteValues:
    """Texts by key that several messages, and processes, may change at once."""

    def __init__(self, commits: Commits, name: str, now: Callable[[], float]) -> None:
        self._commits = commits
        self._name = name
        self._now = now

    async def get(self, key: str) -> Value | None:
        """The value, if it is there and not to be forgotten yet."""
        now = self._now()
        return await self._commits.do(lambda connection: self._current(connection, key, now))

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        """Write a value; with `version` only if that is the current one (0: there is none yet)."""
        now = self._now()

        def put(connection: sqlite3.Connection) -> Value | None:
            known = self._current(connection, key, now)
            current = 0 if known is None else known.version
            if version is not None and version != current:
                return None
            connection.execute(_FORGET, (self._name, now))
            connection.execute(_PUT, (self._name, key, text, current + 1, now, until))
            return Value(text, current + 1, now)

        return await self._commits.do(put)

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Forget a value; false if there was none, or another version."""
        now = self._now()

        def delete(connection: sqlite3.Connection) -> bool:
            known = self._current(connection, key, now)
            if known is None or version not in (None, known.version):
                return False
            connection.execute(_DELETE, (self._name, key))
            return True

        return await self._commits.do(delete)

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        """Keys above `after` with their values, sorted by key."""
        row = (self._name, after, self._now(), max(limit, 0))
        found = await self._commits.do(lambda connection: connection.execute(_ITEMS, row).fetchall())
        return [(key, Value(*rest)) for key, *rest in found]

    def _current(self, connection: sqlite3.Connection, key: str, now: float) -> Value | None:
        found = connection.execute(_GET, (self._name, key, now)).fetchone()
        return None if found is None else Value(*found)
