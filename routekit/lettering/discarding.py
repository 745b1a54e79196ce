"""Letters that nobody wants any more: discarded with a reason, kept for a while, and brought back if that was wrong."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, fields
from typing import Any

from pydantic import BaseModel, Field

from ..errors import UnknownName
from ..letter import Letter
from ..runtime.service import Setup
from ..store import Store
from .recording import owned, written
from .selecting import Selection, chosen

DISCARDED = "routekit.discarded"
"""The name of the values in which discarded letters lie."""

KEEP = 30 * 86400.0
"""Seconds for which a discarded letter can be brought back, unless something else is said."""

_FIELDS = frozenset(field.name for field in fields(Letter))


class Discarded(BaseModel):
    """A letter that was discarded."""

    id: str
    route: str
    message_id: str
    error: str
    reason: str = Field(description="the text of the error")
    who: str
    when: float = Field(description="when it was discarded, in seconds since 1970")
    why: str


async def discard(store: Store, setup: Setup, selection: Selection, *, who: str, why: str, keep: float = KEEP) -> int:
    """Take letters away; they can be brought back for `keep` seconds. Returns how many.

    Raises Unavailable for a letter that another process is replaying; those before it are discarded then.
    """
    count = 0
    async with aclosing(chosen(store, selection, oldest=True)) as letters:
        async for letter in letters:
            async with owned(store, letter.id) as now:
                if now is not None:
                    await _put(store, setup, now, who, why, keep)
                    text = f"{why} (message {now.message_id} of {now.route})"
                    await written(store, setup, who, "discard", now.id, text)
                    count += await store.letters.remove(now.id)
    return count


async def restore(store: Store, setup: Setup, id: str, *, who: str, why: str = "") -> Letter:
    """Make a dead letter again of one that was discarded; raises UnknownName."""
    values = store.values(DISCARDED)
    value = await values.get(id)
    if value is None:
        raise UnknownName(f"no discarded letter '{id}' is kept", hint="see: routekit letters discarded")
    data: dict[str, Any] = json.loads(value.text)["letter"]
    letter = Letter(**{name: value for name, value in data.items() if name in _FIELDS})
    await store.letters.add(letter)
    await written(store, setup, who, "restore", id, why)
    await values.delete(id)
    return letter


async def discarded(store: Store) -> AsyncGenerator[Discarded]:
    """Those that can be brought back, by id."""
    values, after = store.values(DISCARDED), ""
    while page := await values.items(after=after):
        for key, value in page:
            data = json.loads(value.text)
            yield Discarded(**{**data["letter"], **{name: data[name] for name in ("who", "when", "why")}})
            after = key


async def prune(store: Store, setup: Setup, *, before: float, who: str) -> int:
    """Forget letters given up earlier than this time, for good; returns how many."""
    count = await store.letters.prune(before=before)
    await written(store, setup, who, "prune", f"before {before:.0f}", f"{count} letters")
    return count


async def _put(store: Store, setup: Setup, letter: Letter, who: str, why: str, keep: float) -> None:
    now = setup.now()
    text = json.dumps({"letter": asdict(letter), "who": who, "when": now, "why": why})
    await store.values(DISCARDED).put(letter.id, text, until=now + keep)
