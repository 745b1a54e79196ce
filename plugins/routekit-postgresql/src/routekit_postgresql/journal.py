"""The journals of durable routes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, LiteralString, TypeVar

from routekit import Arrival, Entry, StoreError

from .asking import Ask, Row, brief, counted, each, nothing, seconds
from .lanes import Lanes

T = TypeVar("T")

_ADD = each(
    "name text, id text, brief text, message text, now float8, owner text, token bigint",
    "arrive(r.name, r.id, r.brief, r.message, r.now, r.owner, r.token)",
)
_CHECKPOINT = each(
    "name text, brief text, owner text, token bigint, place text, message text",
    "checkpoint(r.name, r.brief, r.owner, r.token, r.place, r.message)",
)
_RECORD = each(
    "name text, brief text, owner text, token bigint, effect text, result text",
    "record_effect(r.name, r.brief, r.owner, r.token, r.effect, r.result)",
)
_FINISH = each(
    "name text, brief text, owner text, token bigint, now float8, remember float8",
    "finish(r.name, r.brief, r.owner, r.token, r.now, r.remember)",
)
_EFFECTS = """
    SELECT effect, result FROM effects JOIN journal USING (number)
    WHERE name = %(name)s AND brief = %(brief)s AND until IS NULL
"""
_TAKE = """
    WITH free AS (
        SELECT number, id, message, place, at, owner, token FROM journal
        WHERE name = %(name)s AND until IS NULL AND number > %(after)s
        AND (token = %(token)s OR NOT EXISTS (SELECT FROM owners o WHERE o.token = journal.token))
        ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE journal SET owner = %(owner)s, token = %(token)s FROM free
        WHERE journal.number = free.number AND (free.owner <> %(owner)s OR free.token <> %(token)s)
    )
    SELECT number, id, message, place, at FROM free ORDER BY number
"""
_ADOPT = """
    UPDATE journal SET owner = %(owner)s, token = %(token)s
    WHERE name = %(name)s AND brief = %(brief)s AND until IS NULL
"""
_COUNT = "SELECT count(*) FROM journal WHERE name = %(name)s AND until IS NULL"
_PRUNE = """
    WITH gone AS (DELETE FROM journal WHERE name = %(name)s AND until <= %(before)s RETURNING 1)
    SELECT count(*) FROM gone
"""


class PostgresqlJournal:
    """The messages of one durable route, from their arrival until they are finished."""

    def __init__(self, lanes: Lanes, name: str, token: int, now: Callable[[], float]) -> None:
        self._lanes = lanes
        self._name = name
        self._token = token
        self._now = now

    async def add(self, id: str, message: str, *, owner: str) -> Arrival:
        """Keep a message that has arrived; it is `owner`'s."""
        row = {"id": id, "message": message, "now": self._now()}
        return await self._lanes.do(self._ask("add", _ADD, id, owner, _arrival, **row))

    async def checkpoint(self, id: str, place: str, message: str, *, owner: str) -> None:
        """From now on the message goes on at `place`; effects recorded before are forgotten."""
        row = {"place": place, "message": message}
        await self._lanes.do(self._ask("checkpoint", _CHECKPOINT, id, owner, _mine(id, owner), **row))

    async def record(self, id: str, effect: str, result: str, *, owner: str) -> None:
        """Remember that an effect of this message has happened, and what it gave."""
        row = {"effect": effect, "result": result}
        await self._lanes.do(self._ask("record", _RECORD, id, owner, _mine(id, owner), **row))

    async def effects(self, id: str) -> Mapping[str, str]:
        """What was recorded for the message since its last checkpoint."""
        row = {"name": self._name, "brief": brief(id)}
        return await self._lanes.do(Ask(_EFFECTS, row, _pairs, writes=False))

    async def finish(self, id: str, *, owner: str, remember: float = 0.0) -> None:
        """Forget the message and its effects; its id is remembered for some seconds."""
        row = {"now": self._now(), "remember": seconds(remember)}
        await self._lanes.do(self._ask("finish", _FINISH, id, owner, _finished(id, owner), **row))

    async def take(self, *, owner: str, limit: int, after: int = 0) -> Sequence[Entry]:
        """Unfinished messages as the caller's own, oldest first, but those of other living processes."""
        row = {"name": self._name, "owner": owner, "token": self._token, "after": after, "limit": max(limit, 0)}
        return await self._lanes.do(Ask(_TAKE, row, _entries, ("journal",)))

    async def adopt(self, id: str, *, owner: str) -> None:
        """Make an unfinished message the caller's own, whoever has it: the caller owns what brings it, as a group."""
        row = {"name": self._name, "brief": brief(id), "owner": owner, "token": self._token}
        await self._lanes.do(Ask(_ADOPT, row, nothing, ("journal",)))

    async def count(self) -> int:
        """How many are not finished."""
        return await self._lanes.do(Ask(_COUNT, {"name": self._name}, counted, writes=False))

    async def prune(self, *, before: float) -> int:
        """Forget the ids that need not be remembered any more at that time; returns how many."""
        return await self._lanes.do(Ask(_PRUNE, {"name": self._name, "before": float(before)}, counted))

    def _ask(
        self, act: str, sql: LiteralString, known_as: str, owner: str, read: Callable[[list[Row]], T], **more: Any
    ) -> Ask[T]:
        known = brief(known_as)
        row = {"name": self._name, "brief": known, "owner": owner, "token": self._token, **more}
        weight = len(more.get("message", "")) + len(more.get("result", ""))
        return Ask(sql, row, read, ("journal", act, self._name, known), folds=True, weight=weight)


def _arrival(rows: list[Row]) -> Arrival:
    return Arrival(rows[0][0])


def _pairs(rows: list[Row]) -> dict[str, str]:
    return dict(rows)


def _entries(rows: list[Row]) -> list[Entry]:
    return [Entry(*row) for row in rows]


def _mine(id: str, owner: str) -> Callable[[list[Row]], None]:
    def read(rows: list[Row]) -> None:
        holder = rows[0][0]
        if holder is not None:
            raise _lost(id, owner, holder)

    return read


def _finished(id: str, owner: str) -> Callable[[list[Row]], None]:
    def read(rows: list[Row]) -> None:
        holder = rows[0][0]
        if holder:  # one that is not there any more was finished before
            raise _lost(id, owner, holder)

    return read


def _lost(id: str, owner: str, holder: str) -> StoreError:
    found = "is not in the journal" if not holder else f"is in the hands of '{holder}', not of '{owner}'"
    return StoreError(f"message {id} {found}", hint="another process has taken it over, or has finished it")
