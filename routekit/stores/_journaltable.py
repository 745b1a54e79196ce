"""The journal of a durable route, as tables of a SQLite database."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from ..store import Arrival, Entry
from ._commits import Commits
from ._journal import lost

_ADD = """
    INSERT INTO routekit_journal (name, id, message, place, at, owner) VALUES (?, ?, ?, '', ?, ?)
    ON CONFLICT (name, id) DO NOTHING
"""
_KNOWN = "SELECT number, owner, until FROM routekit_journal WHERE name = ? AND id = ?"
_REMOVE = "DELETE FROM routekit_journal WHERE number = ?"
_FORGET = "DELETE FROM routekit_effects WHERE number = ?"
_PLACE = "UPDATE routekit_journal SET place = ?, message = ? WHERE number = ?"
_RECORD = "INSERT OR REPLACE INTO routekit_effects (number, effect, result) VALUES (?, ?, ?)"
_EFFECTS = """
    SELECT effect, result FROM routekit_effects JOIN routekit_journal USING (number) WHERE name = ? AND id = ?
"""
_FINISH = "UPDATE routekit_journal SET message = '', place = '', until = ? WHERE number = ?"
_TAKE = """
    SELECT number, id, message, place, at, owner FROM routekit_journal
    WHERE name = ? AND until IS NULL AND number > ?
    AND substr(owner, 1, instr(owner || '/', '/') - 1) NOT IN (SELECT value FROM json_each(?))
    ORDER BY number LIMIT ?
"""
_OWN = "UPDATE routekit_journal SET owner = ? WHERE number = ?"
_COUNT = "SELECT count(*) FROM routekit_journal WHERE name = ? AND until IS NULL"
_PRUNE = "DELETE FROM routekit_journal WHERE name = ? AND until <= ?"


class SqliteJournal:
    """The messages of one durable route; `others` names the living processes that share it, while it is open."""

    def __init__(
        self,
        commits: Commits,
        name: str,
        now: Callable[[], float],
        others: Callable[[], AbstractContextManager[Sequence[str]]],
    ) -> None:
        self._commits = commits
        self._name = name
        self._now = now
        self._others = others

    async def add(self, id: str, message: str, *, owner: str) -> Arrival:
        """Keep a message that has arrived; it is `owner`'s."""
        now = self._now()
        row = (self._name, id, message, now, owner)

        def add(connection: sqlite3.Connection) -> Arrival:
            if connection.execute(_ADD, row).rowcount:
                return Arrival.NEW
            number, _, until = connection.execute(_KNOWN, row[:2]).fetchone()
            if until is None:
                return Arrival.OPEN
            if until > now:
                return Arrival.FINISHED
            connection.execute(_REMOVE, (number,))
            connection.execute(_ADD, row)
            return Arrival.NEW

        return await self._commits.do(add)

    async def checkpoint(self, id: str, place: str, message: str, *, owner: str) -> None:
        """From now on the message goes on at `place`; effects recorded before are forgotten."""

        def checkpoint(connection: sqlite3.Connection) -> None:
            number = self._owned(connection, id, owner)
            connection.execute(_PLACE, (place, message, number))
            connection.execute(_FORGET, (number,))

        await self._commits.do(checkpoint)

    async def record(self, id: str, effect: str, result: str, *, owner: str) -> None:
        """Remember that an effect of this message has happened, and what it gave."""

        def record(connection: sqlite3.Connection) -> None:
            connection.execute(_RECORD, (self._owned(connection, id, owner), effect, result))

        await self._commits.do(record)

    async def effects(self, id: str) -> Mapping[str, str]:
        """What was recorded for the message since its last checkpoint."""
        return await self._commits.do(
            lambda connection: dict(connection.execute(_EFFECTS, (self._name, id)).fetchall())
        )

    async def finish(self, id: str, *, owner: str, remember: float = 0.0) -> None:
        """Forget the message and its effects; its id is remembered for some seconds."""
        now = self._now()

        def finish(connection: sqlite3.Connection) -> None:
            number, holder, until = connection.execute(_KNOWN, (self._name, id)).fetchone() or (0, None, None)
            if holder is None or until is not None:
                return
            if holder != owner:
                raise lost(id, owner, holder)
            connection.execute(_FORGET, (number,))
            if remember > 0:
                connection.execute(_FINISH, (now + remember, number))
            else:
                connection.execute(_REMOVE, (number,))

        await self._commits.do(finish)

    async def take(self, *, owner: str, limit: int, after: int = 0) -> Sequence[Entry]:
        """Unfinished messages as the caller's own, oldest first, but those of other living processes."""

        def take(connection: sqlite3.Connection) -> Sequence[Entry]:
            with self._others() as others:
                row = (self._name, after, json.dumps(others), max(limit, 0))
                found = connection.execute(_TAKE, row).fetchall()
                connection.executemany(_OWN, [(owner, one[0]) for one in found if one[5] != owner])
                return [Entry(*one[:5]) for one in found]

        return await self._commits.do(take)

    async def adopt(self, id: str, *, owner: str) -> None:
        """Make an unfinished message the caller's own, whoever has it: the caller owns what brings it, as a group."""

        def adopt(connection: sqlite3.Connection) -> None:
            number, holder, until = connection.execute(_KNOWN, (self._name, id)).fetchone() or (0, None, None)
            if holder not in (None, owner) and until is None:
                connection.execute(_OWN, (owner, number))

        await self._commits.do(adopt)

    async def count(self) -> int:
        """How many are not finished."""
        return await self._commits.do(lambda connection: connection.execute(_COUNT, (self._name,)).fetchone()[0])

    async def prune(self, *, before: float) -> int:
        """Forget the ids that need not be remembered any more at that time; returns how many."""
        return await self._commits.do(lambda connection: connection.execute(_PRUNE, (self._name, before)).rowcount)

    def _owned(self, connection: sqlite3.Connection, id: str, owner: str) -> int:
        number, holder, until = connection.execute(_KNOWN, (self._name, id)).fetchone() or (0, None, None)
        if holder != owner or until is not None:
            raise lost(id, owner, holder if until is None else None)
        return number
