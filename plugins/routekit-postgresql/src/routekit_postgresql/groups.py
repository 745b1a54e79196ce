"""Groups of messages that wait to go on together."""

from collections.abc import Callable, Sequence

from routekit import Adding, Group

from .asking import Ask, Row, brief, counted, each, nothing, seconds
from .lanes import Lanes

_ADD = each(
    """
    name text, key text, brief text, id text, message text, owner text, token bigint, "full" bigint, reopen boolean,
    latest boolean, now float8
    """,
    """
    keep(r.name, r.key, r.brief, r.id, r.message, r.owner, r.token, r."full", r.reopen, r.latest, r.now)
    """,
)
_CLOSE = """
    WITH mine AS (
        UPDATE groups SET owner = %(owner)s, token = %(token)s WHERE number = %(number)s AND until IS NULL
        AND (owner IN ('', %(owner)s) OR NOT EXISTS (SELECT FROM owners o WHERE o.token = groups.token)) RETURNING 1
    )
    SELECT count(*) FROM mine
"""
_ALL = "SELECT number, key, size, first, last, owner FROM all_groups(%(name)s, %(process)s, %(token)s)"
_MESSAGES = "SELECT message FROM kept WHERE number = %(number)s AND message IS NOT NULL ORDER BY place"
_REMOVE = each(
    "name text, number bigint, now float8, remember float8", "forget_group(r.name, r.number, r.now, r.remember)"
)


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
        order = ("groups", "add", self._name, known)
        return await self._lanes.do(Ask(_ADD, row, _added, order, folds=True, weight=len(message)))

    async def close(self, number: int, *, owner: str) -> bool:
        """Let the group take no more; true if it is the caller's to release, as it also is if its owner is dead."""
        row = {"number": number, "owner": owner, "token": self._token}
        return await self._lanes.do(Ask(_CLOSE, row, counted, ("groups", "close", f"{number:020}"))) > 0

    async def all(self) -> Sequence[Group]:
        """The open and the closed groups, oldest first; the closed ones of dead processes are this one's now."""
        row = {"name": self._name, "process": self._process, "token": self._token}
        return await self._lanes.do(Ask(_ALL, row, _groups))

    async def messages(self, number: int) -> Sequence[str]:
        """The messages of a group, in the order in which they were kept."""
        return await self._lanes.do(Ask(_MESSAGES, {"number": number}, _texts, writes=False))

    async def remove(self, number: int, *, remember: float = 0.0) -> None:
        """Forget a group, and those of this name that have been remembered long enough."""
        row = {"name": self._name, "number": number, "now": self._now(), "remember": seconds(remember)}
        await self._lanes.do(Ask(_REMOVE, row, nothing, ("groups", "remove", f"{number:020}"), folds=True))


def _added(rows: list[Row]) -> tuple[Adding, Group]:
    return Adding(rows[0][0]), Group(*rows[0][1:])


def _groups(rows: list[Row]) -> list[Group]:
    return [Group(*row) for row in rows]


def _texts(rows: list[Row]) -> list[str]:
    return [text for (text,) in rows]
