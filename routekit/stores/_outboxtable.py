"""An outbox, as a table of a SQLite database."""

import json
import sqlite3
from collections.abc import Callable, Sequence

from ..store import Parcel
from ._commits import Commits

_ADD = """
    INSERT INTO routekit_outbox (name, id, message, at, owner) VALUES (?, ?, ?, ?, '')
    ON CONFLICT (name, id) DO NOTHING
"""
_FREE = """
    SELECT number, id, message, at FROM routekit_outbox
    WHERE name = ?1 AND (owner IN ('', ?2) OR until <= ?3) ORDER BY number LIMIT ?4
"""
_OWN = "UPDATE routekit_outbox SET owner = ?, until = ? WHERE number = ?"
_SENT = """
    DELETE FROM routekit_outbox WHERE name = ? AND owner = ? AND number IN (SELECT value FROM json_each(?))
"""
_BACK = """
    UPDATE routekit_outbox SET owner = '', until = NULL
    WHERE name = ? AND owner = ? AND number IN (SELECT value FROM json_each(?))
"""
_COUNT = "SELECT count(*) FROM routekit_outbox WHERE name = ?"


class SqliteOutbox:
    """Messages under one name that are still to be sent, in the order in which they were put in."""

    def __init__(self, commits: Commits, name: str, now: Callable[[], float]) -> None:
        self._commits = commits
        self._name = name
        self._now = now

    async def add(self, parcels: Sequence[tuple[str, str]]) -> None:
        """Put in messages, each with its id; one whose id is there already is left out. All or none."""
        rows = [(self._name, *parcel, self._now()) for parcel in parcels]
        await self._commits.do(lambda connection: connection.executemany(_ADD, rows).rowcount)

    async def take(self, *, owner: str, lease: float, limit: int) -> Sequence[Parcel]:
        """The oldest ones, for `lease` seconds the caller's own; those that another owner has now are left out."""
        now = self._now()

        def take(connection: sqlite3.Connection) -> Sequence[Parcel]:
            found = connection.execute(_FREE, (self._name, owner, now, max(limit, 0))).fetchall()
            connection.executemany(_OWN, [(owner, now + lease, row[0]) for row in found])
            return [Parcel(*row) for row in found]

        return await self._commits.do(take)

    async def sent(self, numbers: Sequence[int], *, owner: str) -> None:
        """Forget those, as far as they are still the owner's."""
        row = (self._name, owner, json.dumps(list(numbers)))
        await self._commits.do(lambda connection: connection.execute(_SENT, row).rowcount)

    async def back(self, numbers: Sequence[int], *, owner: str) -> None:
        """Give them back, so that they may be taken at once."""
        row = (self._name, owner, json.dumps(list(numbers)))
        await self._commits.do(lambda connection: connection.execute(_BACK, row).rowcount)

    async def count(self) -> int:
        """How many are still to be sent."""
        return await self._commits.do(lambda connection: connection.execute(_COUNT, (self._name,)).fetchone()[0])
