"""Dead letters, as a table of a SQLite database."""

from collections.abc import Sequence
from typing import Any

from ..letter import Cluster, Letter
from ._commits import Commits
from ._lettertext import letter_of, text_of

_ADD = "INSERT OR REPLACE INTO routekit_letters (id, route, cluster, at, letter) VALUES (?, ?, ?, ?, ?)"
_NEWEST = """
    SELECT letter FROM routekit_letters
    WHERE (?1 IS NULL OR route = ?1) AND (?2 IS NULL OR cluster = ?2)
    AND (?3 IS NULL OR at >= ?3) AND (?4 IS NULL OR at < ?4)
    ORDER BY at DESC, number DESC LIMIT ?5
"""
_OLDEST = """
    SELECT letter FROM routekit_letters
    WHERE (?1 IS NULL OR route = ?1) AND (?2 IS NULL OR cluster = ?2)
    AND (?3 IS NULL OR at >= ?3) AND (?4 IS NULL OR at < ?4)
    ORDER BY at, number LIMIT ?5
"""
_COUNT = """
    SELECT count(*) FROM routekit_letters WHERE (?1 IS NULL OR route = ?1) AND (?2 IS NULL OR cluster = ?2)
"""
_CLUSTERS = """
    SELECT count, first, last, letter FROM
        (SELECT cluster, count(*) AS count, min(at) AS first, max(at) AS last, min(number) AS number
        FROM routekit_letters WHERE ?1 IS NULL OR route = ?1 GROUP BY cluster)
    JOIN routekit_letters USING (number) ORDER BY count DESC, last DESC, routekit_letters.cluster
"""


class SqliteLetters:
    """The dead letters of all routes."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it."""
        row = (letter.id, letter.route, letter.cluster, letter.when, text_of(letter).decode())
        await self._change(_ADD, row)

    async def get(self, id: str) -> Letter | None:
        """The letter of that id."""
        found = await self._rows("SELECT letter FROM routekit_letters WHERE id = ?", (id,))
        return letter_of(found[0][0]) if found else None

    async def list(
        self,
        *,
        route: str | None = None,
        cluster: str | None = None,
        since: float | None = None,
        before: float | None = None,
        oldest: bool = False,
        limit: int = 1000,
    ) -> Sequence[Letter]:
        """By time; those of the same time in the order in which they were added."""
        row = (route, cluster, since, before, max(limit, 0))
        return [letter_of(text) for (text,) in await self._rows(_OLDEST if oldest else _NEWEST, row)]

    async def count(self, *, route: str | None = None, cluster: str | None = None) -> int:
        """How many there are."""
        return (await self._rows(_COUNT, (route, cluster)))[0][0]

    async def clusters(self, *, route: str | None = None) -> Sequence[Cluster]:
        """What is alike among them, the largest first."""
        found = await self._rows(_CLUSTERS, (route,))
        return [Cluster.of(letter_of(text), count=count, first=first, last=last) for count, first, last, text in found]

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        return await self._change("DELETE FROM routekit_letters WHERE id = ?", (id,)) > 0

    async def prune(self, *, before: float) -> int:
        """Forget the letters given up earlier than this time; returns how many."""
        return await self._change("DELETE FROM routekit_letters WHERE at < ?", (before,))

    async def _change(self, sql: str, row: tuple[Any, ...]) -> int:
        return await self._commits.do(lambda connection: connection.execute(sql, row).rowcount)

    async def _rows(self, sql: str, row: tuple[Any, ...]) -> "list[Any]":  # the method `list` hides the type here
        return await self._commits.do(lambda connection: connection.execute(sql, row).fetchall())
