"""What operators did."""

from collections.abc import Sequence

from routekit import Deed

from .asking import Ask, Row, counted, nothing
from .lanes import Lanes

_ADD = """
    INSERT INTO audit (at, who, action, what, details)
    VALUES (%(when)s, %(who)s, %(action)s, %(what)s, %(details)s)
"""
_LIST = """
    SELECT at, who, action, what, details FROM audit
    WHERE %(since)s::float8 IS NULL OR at >= %(since)s::float8 ORDER BY at DESC, number DESC LIMIT %(limit)s
"""
_PRUNE = """
    WITH gone AS (DELETE FROM audit WHERE at < %(before)s RETURNING 1) SELECT count(*) FROM gone
"""


class PostgresqlAudit:
    """What operators did, in order."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    async def add(self, deed: Deed) -> None:
        """Keep what somebody did."""
        row = {"when": float(deed.when), "who": deed.who, "action": deed.action, "what": deed.what}
        await self._lanes.do(Ask(_ADD, {**row, "details": deed.details}, nothing))

    async def list(self, *, since: float | None = None, limit: int = 1000) -> Sequence[Deed]:
        """The newest first; of those of one time, the one that was added last."""
        return await self._lanes.do(Ask(_LIST, {"since": since, "limit": max(limit, 0)}, _deeds, writes=False))

    async def prune(self, *, before: float) -> int:
        """Forget what is older; returns how many."""
        return await self._lanes.do(Ask(_PRUNE, {"before": float(before)}, counted))


def _deeds(rows: list[Row]) -> list[Deed]:
    return [Deed(*row) for row in rows]
