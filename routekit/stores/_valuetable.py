"""Values that users keep, as a table of a SQLite database."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from ..store import Value, ValueChange
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
_MANY = """
    SELECT key, text, version, at FROM routekit_values
    WHERE name = ? AND key IN (SELECT value FROM json_each(?)) AND (until IS NULL OR until > ?)
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

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """The values of those keys that have one."""
        row = (self._name, json.dumps(list(keys)), self._now())
        found = await self._commits.do(lambda connection: connection.execute(_MANY, row).fetchall())
        return {key: Value(*rest) for key, *rest in found}

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] = {}) -> bool:
        """Make all changes, or none if a version is another one."""
        now = self._now()
        wanted = {**given, **{one.key: one.version for one in changes if one.version is not None}}

        def write(connection: sqlite3.Connection) -> bool:
            known = {key: self._version(connection, key, now) for key in {*wanted, *(one.key for one in changes)}}
            if any(known[key] != version for key, version in wanted.items()):
                return False
            connection.execute(_FORGET, (self._name, now))
            for one in changes:
                if one.text is None:
                    connection.execute(_DELETE, (self._name, one.key))
                else:
                    row = (self._name, one.key, one.text, known[one.key] + 1, now, one.until)
                    connection.execute(_PUT, row)
            return True

        return await self._commits.do(write)

    def _version(self, connection: sqlite3.Connection, key: str, now: float) -> int:
        known = self._current(connection, key, now)
        return 0 if known is None else known.version

    def _current(self, connection: sqlite3.Connection, key: str, now: float) -> Value | None:
        found = connection.execute(_GET, (self._name, key, now)).fetchone()
        return None if found is None else Value(*found)
