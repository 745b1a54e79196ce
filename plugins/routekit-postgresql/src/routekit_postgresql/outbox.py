"""Messages that are still to be sent, in the order in which they were put in."""

from collections.abc import Callable, Sequence
from typing import Any, LiteralString, TypeVar

from routekit import Parcel

from .asking import Ask, Row, brief, counted, nothing
from .lanes import Lanes

T = TypeVar("T")

_ADD = """
    INSERT INTO outbox (name, brief, id, message, at, owner, token)
    SELECT %(name)s, p.brief, p.id, p.message, %(at)s, '', 0
    FROM unnest(%(briefs)s::text[], %(ids)s::text[], %(messages)s::text[]) WITH ORDINALITY AS p (brief, id, message, n)
    ORDER BY p.n ON CONFLICT (name, brief) DO NOTHING
"""
_TAKE = """
    WITH free AS (
        SELECT number FROM outbox WHERE name = %(name)s AND (
            owner IN ('', %(owner)s) OR until <= %(now)s
            OR NOT EXISTS (SELECT FROM owners o WHERE o.token = outbox.token)
        ) ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE outbox SET owner = %(owner)s, token = %(token)s, until = %(now)s::float8 + %(lease)s::float8
        FROM free WHERE outbox.number = free.number RETURNING outbox.number, id, message, at
    )
    SELECT number, id, message, at FROM taken ORDER BY number
"""
_SENT = "DELETE FROM outbox WHERE name = %(name)s AND number = ANY (%(numbers)s::bigint[]) AND owner = %(owner)s"
_BACK = """
    UPDATE outbox SET owner = '', token = 0, until = NULL
    WHERE name = %(name)s AND number = ANY (%(numbers)s::bigint[]) AND owner = %(owner)s
"""
_COUNT = "SELECT count(*) FROM outbox WHERE name = %(name)s"


class PostgresqlOutbox:
    """The outbox of one name; `changed("outbox", name)` of the store tells of what comes in."""

    def __init__(self, lanes: Lanes, name: str, token: int, now: Callable[[], float]) -> None:
        self._lanes = lanes
        self._name = name
        self._token = token
        self._now = now

    async def add(self, parcels: Sequence[tuple[str, str]]) -> None:
        """Put in messages, each with its id; one whose id is there already is left out. All or none."""
        if not parcels:
            return
        ids = [known for known, _ in parcels]
        row = {"ids": ids, "briefs": [brief(one) for one in ids], "messages": [message for _, message in parcels]}
        await self._lanes.do(self._ask(_ADD, nothing, changes=True, at=self._now(), **row))

    async def take(self, *, owner: str, lease: float, limit: int) -> Sequence[Parcel]:
        """The oldest ones, for `lease` seconds the caller's own; those that another living owner has are left out."""
        lease, most = float(lease), max(limit, 0)
        ask = self._ask(_TAKE, _parcels, owner=owner, token=self._token, now=self._now(), lease=lease, limit=most)
        return await self._lanes.do(ask)

    async def sent(self, numbers: Sequence[int], *, owner: str) -> None:
        """Forget those, as far as they are still the owner's."""
        await self._lanes.do(self._ask(_SENT, nothing, numbers=list(numbers), owner=owner))

    async def back(self, numbers: Sequence[int], *, owner: str) -> None:
        """Give them back, so that they may be taken at once."""
        await self._lanes.do(self._ask(_BACK, nothing, changes=True, numbers=list(numbers), owner=owner))

    async def count(self) -> int:
        """How many are still to be sent."""
        return await self._lanes.do(Ask(_COUNT, {"name": self._name}, counted, writes=False))

    def _ask(self, sql: LiteralString, read: Callable[[list[Row]], T], *, changes: bool = False, **row: Any) -> Ask[T]:
        told = ("outbox", self._name) if changes else None
        return Ask(sql, {"name": self._name, **row}, read, ("outbox", self._name), changes=told)


def _parcels(rows: list[Row]) -> list[Parcel]:
    return [Parcel(*row) for row in rows]
