"""What a store holds as rows of plain data, to be kept or looked at elsewhere; nothing in it is hidden."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

from .store import Held, Store

VERSION = 1
"""Of the rows, as the first one says."""

_PAGE = 500
_ALL = 1_000_000_000


async def exported(store: Store, now: float) -> AsyncIterator[Mapping[str, Any]]:
    """A row that says what follows, then one for each thing that is `held`, with its `kind` and the name of its state.

    Of keys there is only the count. What a running service has in its hands of a journal or an outbox is left out: the
    first row has the counts of all. Messages are texts, as they are kept.
    """
    contents = await store.contents()
    yield {"kind": "export", "version": VERSION, "at": now, "contents": [asdict(held) for held in contents]}
    for held in contents:
        reader = _READERS.get(held.kind)
        if reader is not None:
            async for row in reader(store, held):
                yield {"kind": held.kind, "name": held.name, "held": row}


async def _marks(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    for key, value in await store.marks(held.name).items():
        yield {"key": key, "value": value}


async def _values(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    after = ""
    while page := await store.values(held.name).items(after=after, limit=_PAGE):
        for key, value in page:
            yield {"key": key, **asdict(value)}
        after = page[-1][0]


async def _groups(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    groups = store.groups(held.name)
    for group in await groups.all():
        yield {**asdict(group), "messages": list(await groups.messages(group.number))}


async def _journal(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    """What is nobody's: taken, as there is no other way to see it, and nobody's again when this process ends."""
    journal, after = store.journal(held.name), 0
    while page := await journal.take(owner=store.owner, limit=_PAGE, after=after):
        for entry in page:
            yield {**asdict(entry), "effects": dict(await journal.effects(entry.id))}
        after = page[-1].number


async def _outbox(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    for parcel in await store.outbox(held.name).take(owner=f"{store.owner}/export", lease=0.0, limit=_ALL):
        yield asdict(parcel)


async def _letters(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    for letter in await store.letters.list(route=held.name, oldest=True, limit=_ALL):
        yield asdict(letter)


async def _audit(store: Store, held: Held) -> AsyncIterator[Mapping[str, Any]]:
    for deed in await store.audit.list(limit=_ALL):
        yield asdict(deed)


_READERS = {
    "marks": _marks,
    "values": _values,
    "groups": _groups,
    "journal": _journal,
    "outbox": _outbox,
    "letters": _letters,
    "audit": _audit,
}
