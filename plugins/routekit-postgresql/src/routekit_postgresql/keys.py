"""Keys that were seen."""

from collections.abc import Callable
from typing import Any, LiteralString, TypeVar

from routekit import Claim

from .asking import Ask, Row, brief, counted, each, nothing, seconds
from .lanes import Lanes

T = TypeVar("T")

_CLAIM = each(
    "name text, key text, owner text, token bigint, now float8, lease float8",
    "claim(r.name, r.key, r.owner, r.token, r.now, r.lease)",
)
_COMPLETE = """
    UPDATE keys SET until = NULL, at = r.now
    FROM json_to_recordset(%(rows)s::json) AS r (name text, key text, owner text, now float8)
    WHERE keys.name = r.name AND keys.key = r.key AND keys.owner = r.owner AND keys.until IS NOT NULL
"""
_RELEASE = """
    DELETE FROM keys USING json_to_recordset(%(rows)s::json) AS r (name text, key text, owner text)
    WHERE keys.name = r.name AND keys.key = r.key AND keys.owner = r.owner AND keys.until IS NOT NULL
"""
_PRUNE = """
    WITH gone AS (DELETE FROM keys WHERE name = %(name)s AND until IS NULL AND at < %(before)s RETURNING 1)
    SELECT count(*) FROM gone
"""


class PostgresqlKeys:
    """Keys under one name."""

    def __init__(self, lanes: Lanes, name: str, token: int, now: Callable[[], float]) -> None:
        self._lanes = lanes
        self._name = name
        self._token = token
        self._now = now

    async def claim(self, key: str, *, owner: str, lease: float) -> Claim:
        """Try to own `key` for `lease` seconds; a claim of a process that is dead is free."""
        row = {"token": self._token, "now": self._now(), "lease": seconds(lease)}
        return await self._lanes.do(self._ask("claim", _CLAIM, key, owner, _claim, **row))

    async def complete(self, key: str, *, owner: str) -> None:
        """Remember `key` as done, if `owner` has claimed it."""
        await self._lanes.do(self._ask("complete", _COMPLETE, key, owner, nothing, now=self._now()))

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim."""
        await self._lanes.do(self._ask("release", _RELEASE, key, owner, nothing))

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time, in seconds since 1970; returns how many."""
        return await self._lanes.do(Ask(_PRUNE, {"name": self._name, "before": float(before)}, counted))

    def _ask(
        self, act: str, sql: LiteralString, key: str, owner: str, read: Callable[[list[Row]], T], **more: Any
    ) -> Ask[T]:
        known = brief(key)
        row = {"name": self._name, "key": known, "owner": owner, **more}
        return Ask(sql, row, read, ("keys", act, self._name, known), folds=True)


def _claim(rows: list[Row]) -> Claim:
    return Claim(rows[0][0])
