"""Dead letters."""

from collections.abc import Sequence

from routekit import Cluster, Letter

from .asking import Ask, Row, brief, counted, each, nothing
from .lanes import Lanes
from .lettertext import letter_of, text_of

_ADD = each(
    "id text, route text, cluster text, at float8, letter text", "mourn(r.id, r.route, r.cluster, r.at, r.letter)"
)
_GET = "SELECT letter FROM letters WHERE id = %(id)s"
_CHOSEN = """
    FROM letters WHERE (%(route)s::text IS NULL OR route = %(route)s::text)
    AND (%(cluster)s::text IS NULL OR cluster = %(cluster)s::text)
"""
_WITHIN = """
    AND (%(since)s::float8 IS NULL OR at >= %(since)s::float8)
    AND (%(before)s::float8 IS NULL OR at < %(before)s::float8)
"""
_NEWEST = f"SELECT letter {_CHOSEN} {_WITHIN} ORDER BY at DESC, number DESC LIMIT %(limit)s"
_OLDEST = f"SELECT letter {_CHOSEN} {_WITHIN} ORDER BY at, number LIMIT %(limit)s"
_COUNT = f"SELECT count(*) {_CHOSEN}"
_CLUSTERS = """
    SELECT c.count, c.first, c.last, letters.letter FROM (
        SELECT count(*) AS count, min(at) AS first, max(at) AS last, min(number) AS number
        FROM letters WHERE %(route)s::text IS NULL OR route = %(route)s::text GROUP BY cluster
    ) c JOIN letters USING (number) ORDER BY c.count DESC, c.last DESC, letters.cluster COLLATE "C"
"""
_REMOVE = "WITH gone AS (DELETE FROM letters WHERE id = %(id)s RETURNING 1) SELECT count(*) FROM gone"
_PRUNE = "WITH gone AS (DELETE FROM letters WHERE at < %(before)s RETURNING 1) SELECT count(*) FROM gone"


class PostgresqlLetters:
    """The dead letters of all routes."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it."""
        known = brief(letter.id)
        row = {"id": known, "route": letter.route, "cluster": letter.cluster, "at": float(letter.when)}
        text = text_of(letter)
        ask = Ask(_ADD, {**row, "letter": text}, nothing, ("letters", known), folds=True, weight=len(text))
        await self._lanes.do(ask)

    async def get(self, id: str) -> Letter | None:
        """The letter of that id."""
        found = await self._lanes.do(Ask(_GET, {"id": brief(id)}, _letters, writes=False))
        return found[0] if found else None

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
        row = {"route": route, "cluster": cluster, "since": since, "before": before, "limit": max(limit, 0)}
        return await self._lanes.do(Ask(_OLDEST if oldest else _NEWEST, row, _letters, writes=False))

    async def count(self, *, route: str | None = None, cluster: str | None = None) -> int:
        """How many there are."""
        return await self._lanes.do(Ask(_COUNT, {"route": route, "cluster": cluster}, counted, writes=False))

    async def clusters(self, *, route: str | None = None) -> Sequence[Cluster]:
        """What is alike among them, the largest first."""
        return await self._lanes.do(Ask(_CLUSTERS, {"route": route}, _clusters, writes=False))

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        known = brief(id)
        return await self._lanes.do(Ask(_REMOVE, {"id": known}, counted, ("letters", known))) > 0

    async def prune(self, *, before: float) -> int:
        """Forget the letters given up earlier than this time; returns how many."""
        return await self._lanes.do(Ask(_PRUNE, {"before": float(before)}, counted))


def _letters(rows: list[Row]) -> list[Letter]:
    return [letter_of(text) for (text,) in rows]


def _clusters(rows: list[Row]) -> list[Cluster]:
    return [Cluster.of(letter_of(text), count=count, first=first, last=last) for count, first, last, text in rows]
