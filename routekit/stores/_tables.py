"""Keys and marks, as tables of a SQLite database."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from ..store import Claim
from ._commits import Commits

_CLAIM = """
    INSERT INTO routekit_keys (name, key, owner, until, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name, key) DO UPDATE SET owner = excluded.owner, until = excluded.until, at = excluded.at
    WHERE until IS NOT NULL AND (owner = excluded.owner OR until <= excluded.at)
"""
_STATE = "SELECT until FROM routekit_keys WHERE name = ? AND key = ?"
_COMPLETE = "UPDATE routekit_keys SET until = NULL, at = ? WHERE name = ? AND key = ? AND owner = ? AND until NOT NULL"
_RELEASE = "DELETE FROM routekit_keys WHERE name = ? AND key = ? AND owner = ? AND until NOT NULL"
_PRUNE = "DELETE FROM routekit_keys WHERE name = ? AND until IS NULL AND at < ?"


class SqliteKeys:
    """Keys that were seen, under one name."""

    def __init__(self, commits: Commits, name: str, now: Callable[[], float]) -> None:
        self._commits = commits
        self._name = name
        self._now = now

    async def claim(self, key: str, *, owner: str, lease: float) -> Claim:
        """Try to own `key` for `lease` seconds."""
        now = self._now()
        row = (self._name, key, owner, now + lease, now)
        return await self._commits.do(lambda connection: _claim(connection, row))

    async def complete(self, key: str, *, owner: str) -> None:
        """Remember `key` as done, if `owner` has claimed it."""
        row = (self._now(), self._name, key, owner)
        await self._commits.do(lambda connection: _change(connection, _COMPLETE, row))

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim."""
        row = (self._name, key, owner)
        await self._commits.do(lambda connection: _change(connection, _RELEASE, row))

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time, in seconds since 1970; returns how many."""
        return await self._commits.do(lambda connection: _change(connection, _PRUNE, (self._name, before)))


class SqliteMarks:
    """Small texts by key, under one name."""

    def __init__(self, commits: Commits, name: str, now: Callable[[], float]) -> None:
        self._commits = commits
        self._name = name
        self._now = now

    async def get(self, key: str) -> str | None:
        sql = "SELECT value FROM routekit_marks WHERE name = ? AND key = ?"
        found = await self._commits.do(lambda connection: _rows(connection, sql, (self._name, key)))
        return found[0][0] if found else None

    async def put(self, key: str, value: str) -> None:
        sql = "INSERT OR REPLACE INTO routekit_marks (name, key, value, at) VALUES (?, ?, ?, ?)"
        row = (self._name, key, value, self._now())
        await self._commits.do(lambda connection: _change(connection, sql, row))

    async def delete(self, key: str) -> None:
        sql = "DELETE FROM routekit_marks WHERE name = ? AND key = ?"
        await self._commits.do(lambda connection: _change(connection, sql, (self._name, key)))

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        sql = "SELECT key, value FROM routekit_marks WHERE name = ? ORDER BY key"
        return await self._commits.do(lambda connection: _rows(connection, sql, (self._name,)))


def _claim(connection: sqlite3.Connection, row: tuple[str, str, str, float, float]) -> Claim:
    if connection.execute(_CLAIM, row).rowcount:
        return Claim.MINE
    (until,) = connection.execute(_STATE, row[:2]).fetchone()
    return Claim.DONE if until is None else Claim.HELD


def _change(connection: sqlite3.Connection, sql: str, row: tuple[Any, ...]) -> int:
    return connection.execute(sql, row).rowcount


def _rows(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> list[Any]:
    return connection.execute(sql, values).fetchall()
