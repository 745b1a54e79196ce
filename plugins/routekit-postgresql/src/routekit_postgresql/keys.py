"""Keys that were seen."""

from collections.abc import Callable
from typing import Any, LiteralString, TypeVar

from routekit import Claim

from .asking import Ask, Row, brief, counted, nothing
from .lanes import Lanes

T = TypeVar("T")

_CLAIM = """
    SELECT claim(%(name)s, %(key)s, %(owner)s, %(token)s, %(now)s, %(lease)s)
"""
_COMPLETE = """
    UPDATE keys SET until = NULL, at = %(now)s
    WHERE name = %(name)s AND key = %(key)s AND owner = %(owner)s AND until IS NOT NULL
"""
_RELEASE = "DELETE FROM keys WHERE name = %(name)s AND key = %(key)s AND owner = %(owner)s AND until IS NOT NULL"
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
        row = {"token": self._token, "now": self._now(), "lease": float(lease)}
        return await self._lanes.do(self._ask(_CLAIM, key, owner, _claim, **row))

    async def complete(self, key: str, *, owner: str) -> None:
        """Remember `key` as done, if `owner` has claimed it."""
        await self._lanes.do(self._ask(_COMPLETE, key, owner, nothing, now=self._now()))

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim."""
        await self._lanes.do(self._ask(_RELEASE, key, owner, nothing))

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time, in seconds since 1970; returns how many."""
        return await self._lanes.do(Ask(_PRUNE, {"name": self._name, "before": float(before)}, counted))

    def _ask(self, sql: LiteralString, key: str, owner: str, read: Callable[[list[Row]], T], **more: Any) -> Ask[T]:
        known = brief(key)
        row = {"name": self._name, "key": known, "owner": owner, **more}
        return Ask(sql, row, read, ("keys", self._name, known))


def _claim(rows: list[Row]) -> Claim:
    return Claim(rows[0][0])
