"""The journals of durable routes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, LiteralString, TypeVar

from routekit import Arrival, Entry, StoreError

from .asking import Ask, Row, brief, counted
from .lanes import Lanes

T = TypeVar("T")

_ADD = "SELECT arrive(%(name)s, %(id)s, %(brief)s, %(message)s, %(now)s, %(owner)s, %(token)s)"
_MINE: LiteralString = """
    WITH mine AS (
        SELECT number FROM journal WHERE name = %(name)s AND brief = %(brief)s AND owner = %(owner)s
        AND token = %(token)s AND until IS NULL FOR UPDATE
    ),
"""
_HOLDER: LiteralString = """
    SELECT (SELECT count(*) FROM mine),
    (SELECT owner FROM journal WHERE name = %(name)s AND brief = %(brief)s AND until IS NULL)
"""
_CHECKPOINT: LiteralString = """
    placed AS (
        UPDATE journal SET place = %(place)s, message = %(message)s FROM mine WHERE journal.number = mine.number
    ), cleared AS (
        DELETE FROM effects USING mine WHERE effects.number = mine.number
    )
"""
_RECORD: LiteralString = """
    written AS (
        INSERT INTO effects (number, effect, result) SELECT number, %(effect)s, %(result)s FROM mine
        ON CONFLICT (number, effect) DO UPDATE SET result = excluded.result
    )
"""
_EFFECTS = """
    SELECT effect, result FROM effects JOIN journal USING (number)
    WHERE name = %(name)s AND brief = %(brief)s AND until IS NULL
"""
_FINISH = "SELECT finish(%(name)s, %(brief)s, %(owner)s, %(token)s, %(now)s, %(remember)s)"
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
        return await self._lanes.do(self._ask(_ADD, id, owner, _arrival, **row))

    async def checkpoint(self, id: str, place: str, message: str, *, owner: str) -> None:
        """From now on the message goes on at `place`; effects recorded before are forgotten."""
        row = {"place": place, "message": message}
        await self._lanes.do(self._ask(_MINE + _CHECKPOINT + _HOLDER, id, owner, _kept(id, owner), **row))

    async def record(self, id: str, effect: str, result: str, *, owner: str) -> None:
        """Remember that an effect of this message has happened, and what it gave."""
        row = {"effect": effect, "result": result}
        await self._lanes.do(self._ask(_MINE + _RECORD + _HOLDER, id, owner, _kept(id, owner), **row))

    async def effects(self, id: str) -> Mapping[str, str]:
        """What was recorded for the message since its last checkpoint."""
        row = {"name": self._name, "brief": brief(id)}
        return await self._lanes.do(Ask(_EFFECTS, row, _pairs, writes=False))

    async def finish(self, id: str, *, owner: str, remember: float = 0.0) -> None:
        """Forget the message and its effects; its id is remembered for some seconds."""
        row = {"now": self._now(), "remember": float(remember)}
        await self._lanes.do(self._ask(_FINISH, id, owner, _finished(id, owner), **row))

    async def take(self, *, owner: str, limit: int, after: int = 0) -> Sequence[Entry]:
        """Unfinished messages as the caller's own, oldest first, but those of other living processes."""
        row = {"name": self._name, "owner": owner, "token": self._token, "after": after, "limit": max(limit, 0)}
        return await self._lanes.do(Ask(_TAKE, row, _entries, ("journal",)))

    async def count(self) -> int:
        """How many are not finished."""
        return await self._lanes.do(Ask(_COUNT, {"name": self._name}, counted, writes=False))

    async def prune(self, *, before: float) -> int:
        """Forget the ids that need not be remembered any more at that time; returns how many."""
        return await self._lanes.do(Ask(_PRUNE, {"name": self._name, "before": float(before)}, counted))

    def _ask(
        self, sql: LiteralString, known_as: str, owner: str, read: Callable[[list[Row]], T], **more: Any
    ) -> Ask[T]:
        known = brief(known_as)
        row = {"name": self._name, "brief": known, "owner": owner, "token": self._token, **more}
        return Ask(sql, row, read, ("journal", self._name, known))


def _arrival(rows: list[Row]) -> Arrival:
    return Arrival(rows[0][0])


def _pairs(rows: list[Row]) -> dict[str, str]:
    return dict(rows)


def _entries(rows: list[Row]) -> list[Entry]:
    return [Entry(*row) for row in rows]


def _kept(id: str, owner: str) -> Callable[[list[Row]], None]:
    def read(rows: list[Row]) -> None:
        count, holder = rows[0]
        if not count:
            raise _lost(id, owner, holder)

    return read


def _finished(id: str, owner: str) -> Callable[[list[Row]], None]:
    def read(rows: list[Row]) -> None:
        holder = rows[0][0]
        if holder is not None:
            raise _lost(id, owner, holder)

    return read


def _lost(id: str, owner: str, holder: str | None) -> StoreError:
    found = "is not in the journal" if holder is None else f"is in the hands of '{holder}', not of '{owner}'"
    return StoreError(f"message {id} {found}", hint="another process has taken it over, or has finished it")
