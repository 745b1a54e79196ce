"""Groups of messages, as tables of a SQLite database."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..store import Adding, Group
from ._commits import Commits

_WITH_ID = """
    SELECT g.number, g.key, g.size, g.first, g.last, g.owner, g.until
    FROM routekit_kept k JOIN routekit_groups g ON g.number = k.number
    WHERE k.id = ? AND g.name = ? AND g.key = ? AND (g.until IS NULL OR g.until > ?)
    ORDER BY g.number DESC LIMIT 1
"""
_OF_KEY = """
    SELECT number, key, size, first, last, owner, until FROM routekit_groups
    WHERE name = ? AND key = ? AND (until IS NULL OR until > ?) ORDER BY number DESC LIMIT 1
"""
_OPEN = """
    INSERT INTO routekit_groups (name, key, size, first, last, owner) VALUES (?, ?, 1, ?, ?, '')
    ON CONFLICT (name, key) WHERE owner = '' AND until IS NULL
    DO UPDATE SET size = size + 1, last = excluded.last
    RETURNING number, key, size, first, last, owner
"""
_KEEP = """
    INSERT INTO routekit_kept (number, place, id, message)
    VALUES (?1, 1 + coalesce((SELECT max(place) FROM routekit_kept WHERE number = ?1), 0), ?2, ?3)
"""
_CLOSE = """
    UPDATE routekit_groups SET owner = ?1 WHERE number = ?2 AND until IS NULL AND (owner = '' OR owner = ?1)
"""
_ALL = """
    SELECT number, key, size, first, last, owner FROM routekit_groups WHERE name = ? AND until IS NULL ORDER BY number
"""
_OLD = "SELECT number FROM routekit_groups WHERE name = ? AND until <= ?"


class SqliteGroups:
    """Messages that wait to go on together, under one name."""

    def __init__(self, commits: Commits, name: str, now: Callable[[], float]) -> None:
        self._commits = commits
        self._name = name
        self._now = now

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

        def add(connection: sqlite3.Connection) -> tuple[Adding, Group]:
            known = connection.execute(_WITH_ID, (id, self._name, key, now)).fetchone()
            if known is not None:
                return _known(known)
            last = None if reopen else connection.execute(_OF_KEY, (self._name, key, now)).fetchone()
            if last is not None and _known(last)[0] is not Adding.AGAIN:
                return Adding.LATE, Group(*last[:6])
            group = Group(*connection.execute(_OPEN, (self._name, key, now, now)).fetchone())
            if latest:
                connection.execute("DELETE FROM routekit_kept WHERE number = ?", (group.number,))
            connection.execute(_KEEP, (group.number, id, message))
            if full is not None and group.size >= full:
                connection.execute(_CLOSE, (owner, group.number))
                group = replace(group, owner=owner)
            return Adding.NEW, group

        return await self._commits.do(add)

    async def close(self, number: int, *, owner: str) -> bool:
        """Let the group take no more; true if it is the caller's to release."""
        return await self._commits.do(lambda connection: connection.execute(_CLOSE, (owner, number)).rowcount > 0)

    async def all(self) -> Sequence[Group]:
        """The open and the closed groups, oldest first."""
        found = await self._commits.do(lambda connection: connection.execute(_ALL, (self._name,)).fetchall())
        return [Group(*row) for row in found]

    async def messages(self, number: int) -> Sequence[str]:
        """The messages of a group, in the order in which they were kept."""
        sql = "SELECT message FROM routekit_kept WHERE number = ? AND message IS NOT NULL ORDER BY place"
        found = await self._commits.do(lambda connection: connection.execute(sql, (number,)).fetchall())
        return [text for (text,) in found]

    async def remove(self, number: int, *, remember: float = 0.0) -> None:
        """Forget a group, and those of this name that have been remembered long enough."""
        now = self._now()

        def remove(connection: sqlite3.Connection) -> None:
            row = (now + remember, number)
            connection.execute("UPDATE routekit_groups SET until = ? WHERE number = ? AND until IS NULL", row)
            if remember > 0:
                connection.execute("UPDATE routekit_kept SET message = NULL WHERE number = ?", (number,))
            old = connection.execute(_OLD, (self._name, now)).fetchall()
            connection.executemany("DELETE FROM routekit_kept WHERE number = ?", old)
            connection.executemany("DELETE FROM routekit_groups WHERE number = ?", old)

        await self._commits.do(remove)


def _known(row: tuple[int, str, int, float, float, str, float | None]) -> tuple[Adding, Group]:
    group, until = Group(*row[:6]), row[6]
    if until is not None:
        return Adding.RELEASED, group
    return (Adding.CLOSED if group.closed else Adding.AGAIN), group
