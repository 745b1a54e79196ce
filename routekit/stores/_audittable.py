"""What operators did, as a table of a SQLite database."""

from collections.abc import Sequence

from ..store import Deed
from ._commits import Commits

_ADD = "INSERT INTO routekit_audit (at, who, action, what, details) VALUES (?, ?, ?, ?, ?)"
_LIST = """
    SELECT at, who, action, what, details FROM routekit_audit WHERE ?1 IS NULL OR at >= ?1
    ORDER BY at DESC, number DESC LIMIT ?2
"""
_PRUNE = "DELETE FROM routekit_audit WHERE at < ?"


class SqliteAudit:
    """What operators did, in order."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    async def add(self, deed: Deed) -> None:
        """Keep what somebody did."""
        row = (deed.when, deed.who, deed.action, deed.what, deed.details)
        await self._commits.do(lambda connection: connection.execute(_ADD, row).rowcount)

    async def list(self, *, since: float | None = None, limit: int = 1000) -> Sequence[Deed]:
        """The newest first; of those of one time, the one that was added last."""
        row = (since, max(limit, 0))
        found = await self._commits.do(lambda connection: connection.execute(_LIST, row).fetchall())
        return [Deed(*one) for one in found]

    async def prune(self, *, before: float) -> int:
        """Forget what is older; returns how many."""
        return await self._commits.do(lambda connection: connection.execute(_PRUNE, (before,)).rowcount)
