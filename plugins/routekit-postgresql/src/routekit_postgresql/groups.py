"""Groups of messages that wait to go on together."""

from collections.abc import Callable, Sequence

from routekit import Adding, Group

from .asking import Ask, Row, brief, counted, nothing
from .lanes import Lanes

_ADD = """
    SELECT outcome, number, key, size, first, last, owner FROM keep(
        %(name)s, %(key)s, %(brief)s, %(id)s, %(message)s, %(owner)s, %(token)s, %(full)s::bigint, %(reopen)s,
        %(latest)s, %(now)s
    )
"""
_CLOSE = """
    WITH mine AS (
        UPDATE groups SET owner = %(owner)s, token = %(token)s WHERE number = %(number)s AND until IS NULL
        AND (owner IN ('', %(owner)s) OR NOT EXISTS (SELECT FROM owners o WHERE o.token = groups.token)) RETURNING 1
    )
    SELECT count(*) FROM mine
"""
_ALL = "SELECT number, key, size, first, last, owner FROM all_groups(%(name)s, %(process)s, %(token)s)"
_MESSAGES = "SELECT message FROM kept WHERE number = %(number)s AND message IS NOT NULL ORDER BY place"
_REMOVE = "SELECT forget_group(%(name)s, %(number)s, %(now)s, %(remember)s)"


class PostgresqlGroups:
    """Groups under one name. What a dead process was releasing is released by the one that takes it over."""

    def __init__(self, lanes: Lanes, name: str, process: str, token: int, now: Callable[[], float]) -> None:
        self._lanes = lanes
        self._name = name
        self._process = process
        self._token = token
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
        known = brief(key)
        row = {
            "name": self._name,
            "key": key,
            "brief": known,
            "id": brief(id),
            "message": message,
            "owner": owner,
            "token": self._token,
            "full": full,
            "reopen": reopen,
            "latest": latest,
            "now": self._now(),
        }
        return await self._lanes.do(Ask(_ADD, row, _added, ("groups", self._name, known)))

    async def close(self, number: int, *, owner: str) -> bool:
        """Let the group take no more; true if it is the caller's to release, as it also is if its owner is dead."""
        row = {"number": number, "owner": owner, "token": self._token}
        return await self._lanes.do(Ask(_CLOSE, row, counted, ("groups",))) > 0

    async def all(self) -> Sequence[Group]:
        """The open and the closed groups, oldest first; the closed ones of dead processes are this one's now."""
        row = {"name": self._name, "process": self._process, "token": self._token}
        return await self._lanes.do(Ask(_ALL, row, _groups))

    async def messages(self, number: int) -> Sequence[str]:
        """The messages of a group, in the order in which they were kept."""
        return await self._lanes.do(Ask(_MESSAGES, {"number": number}, _texts, writes=False))

    async def remove(self, number: int, *, remember: float = 0.0) -> None:
        """Forget a group, and those of this name that have been remembered long enough."""
        row = {"name": self._name, "number": number, "now": self._now(), "remember": float(remember)}
        await self._lanes.do(Ask(_REMOVE, row, nothing, ("groups",)))


def _added(rows: list[Row]) -> tuple[Adding, Group]:
    return Adding(rows[0][0]), Group(*rows[0][1:])


def _groups(rows: list[Row]) -> list[Group]:
    return [Group(*row) for row in rows]


def _texts(rows: list[Row]) -> list[str]:
    return [text for (text,) in rows]
