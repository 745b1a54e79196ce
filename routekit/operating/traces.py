"""Traces: what the store keeps of messages on their way, as sights."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from ..store import Store
from ..tracing.rows import NEWEST, TRACES, row_of
from .sights import TraceSight

PAGE = 200
"""Traces that are read from the store at once."""


async def traces(store: Store, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
    """The newest traces, without their hops; raises StoreError while the store is away."""
    found: list[TraceSight] = []
    async for row in _rows(store, NEWEST, ""):
        if len(found) >= limit:
            break
        if route in (None, row["route"]):
            found.append(_sight(row))
    return found


class StoredTraces:
    """What a Desk reads traces from: the store of a service, while it runs."""

    def __init__(self, store: Callable[[], Store | None]) -> None:
        self._store = store

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        """The newest traces, without their hops."""
        store = self._store()
        return () if store is None else await traces(store, route, limit)

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        """The way of a message through each route that traced it."""
        store = self._store()
        return () if store is None else await trace(store, message, route)


async def trace(store: Store, message: str, route: str | None = None) -> Sequence[TraceSight]:
    """The way of a message through each route that traced it, and of its parts, the first one first.

    Of a part its whole message too. Nothing if there is no trace. Raises StoreError while the store is away.
    """
    found: list[TraceSight] = []
    for whole in (*_above(message), message):
        async for row in _rows(store, TRACES, f"{whole}|"):
            if row["message"] == whole:
                found.append(_sight(row))
    async for row in _rows(store, TRACES, f"{message}/"):
        found.append(_sight(row))
    return sorted((one for one in found if route in (None, one.route)), key=lambda one: (one.began, one.parent))


def _above(message: str) -> Sequence[str]:
    """The ids of the messages that this one is a part of."""
    parts = message.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


async def _rows(store: Store, name: str, prefix: str) -> AsyncIterator[Mapping[str, Any]]:
    values, after = store.values(name), prefix
    while page := await values.items(after=after, limit=PAGE):
        for key, value in page:
            if not key.startswith(prefix):
                return
            row = row_of(value.text)
            if row is not None:
                yield row
        after = page[-1][0]


def _sight(row: Mapping[str, Any]) -> TraceSight:
    return TraceSight.model_validate({"steps": len(row.get("hops", ())), **row})
