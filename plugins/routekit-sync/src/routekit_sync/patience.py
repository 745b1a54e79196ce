"""Patience: reads of long jobs, which wait while a side is busy and try again what got no answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from routekit.remotes import Busy, Forbidden, Record, Unclear, Unsent

from .calling import Calls

T = TypeVar("T")

TRIES = 5
FIRST = 1.0


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """What a read gives; busy is waited for as long as it takes, what got no answer is tried five times in all.

    Only for reads: a write that got no answer must not be repeated by itself.
    """
    tries = 0
    while True:
        try:
            return await read()
        except Busy as busy:
            await anyio.sleep(max(busy.after, 0.01))
        except (Unsent, Unclear):
            tries += 1
            if tries == TRIES:
                raise
            await anyio.sleep(FIRST * 2 ** (tries - 1))


async def several(calls: Calls, ids: Sequence[str]) -> dict[str, Record]:
    """Those of the records that there are and may be seen, by id."""
    try:
        return await patiently(lambda: calls.many(ids)) if ids else {}
    except Forbidden:
        alone = {own: await _alone(calls, own) for own in ids}
        return {own: record for own, record in alone.items() if record is not None and not record.deleted}


async def certain(calls: Calls, ids: Sequence[str]) -> dict[str, Record]:
    """The records by id; one that is certainly gone is a tombstone, one that may not be seen is left out."""
    found = await several(calls, ids)
    for own in ids:
        if own not in found:
            record = await _alone(calls, own)
            if record is not None:
                found[own] = record
    return found


async def _alone(calls: Calls, own: str) -> Record | None:
    try:
        record = await patiently(lambda: calls.get(own))
    except Forbidden:
        return None
    if record is None:
        return Record(own, deleted=True)
    if record.id != own:  # it was merged: the old id gives the record that has taken its place
        return Record(own, deleted=True, merged_into=record.id)
    return record
