"""Elsewhere: where the store mentions a person besides what pairs remember; dead letters and traces can be forgotten.

Journals, outboxes and keys that were seen cannot be searched: messages in them are on their way, and keys are never
listed. Groups can be searched, and stay, as their messages have not been sent yet.
"""

from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

from routekit import Letter, Store

from .erasing import Subject

_PAGE = 500
_TRACES = "routekit.traces"
_UNSEARCHED = ("journal", "outbox", "keys")


@dataclass(slots=True)
class Elsewhere:
    """What was found: ids of dead letters, keys of traces by name; the rest as counts, by kind and name."""

    letters: list[str] = field(default_factory=list[str])
    traces: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    others: dict[str, int] = field(default_factory=dict[str, int])
    unsearched: dict[str, int] = field(default_factory=dict[str, int])


async def find_elsewhere(store: Store, subject: Subject) -> Elsewhere:
    """Where the store mentions the person, in texts too; nothing is changed."""
    found = Elsewhere()
    async for letter in _letters(store):
        bodies = (_read(letter.body), _read(letter.current))
        told = (*bodies, letter.headers, letter.current_headers, letter.reason, letter.causes)
        more = (letter.effects, letter.edits, letter.replays, letter.message_id)
        if subject.mentioned([*told, *more]):
            found.letters.append(letter.id)
    for held in await store.contents():
        if held.kind == "values" and not held.name.startswith("sync:"):
            await _values(store, held.name, subject, found)
        elif held.kind == "groups":
            await _groups(store, held.name, subject, found)
        elif held.kind in _UNSEARCHED:
            found.unsearched[held.kind] = found.unsearched.get(held.kind, 0) + held.count
    return found


async def forget_elsewhere(store: Store, found: Elsewhere) -> None:
    """Forget the dead letters and traces that were found."""
    for own in found.letters:
        await store.letters.remove(own)
    for name, keys in found.traces.items():
        for key in keys:
            await store.values(name).delete(key)


def _read(body: Any) -> object:
    """A body as it can be searched: bytes are kept as base64."""
    if isinstance(body, dict) and list(cast("dict[str, Any]", body)) == ["base64"]:
        return b64decode(str(cast("dict[str, Any]", body)["base64"])).decode(errors="replace")
    return cast("object", body)


async def _letters(store: Store) -> AsyncGenerator[Letter]:
    """All dead letters, a page at a time, the oldest first."""
    since, seen = None, set[str]()
    while True:
        page = [one for one in await store.letters.list(since=since, oldest=True, limit=_PAGE) if one.id not in seen]
        for one in page:
            yield one
        if not page:
            return
        since, seen = page[-1].when, seen | {one.id for one in page}


async def _values(store: Store, name: str, subject: Subject, found: Elsewhere) -> None:
    after, values = "", store.values(name)
    while page := await values.items(after=after, limit=_PAGE):
        keys = [key for key, value in page if subject.mentioned([key, value.text])]
        if keys and name.startswith(_TRACES):
            found.traces.setdefault(name, []).extend(keys)
        elif keys:
            found.others[f"values {name}"] = found.others.get(f"values {name}", 0) + len(keys)
        after = page[-1][0]


async def _groups(store: Store, name: str, subject: Subject, found: Elsewhere) -> None:
    groups = store.groups(name)
    for group in await groups.all():
        texts = [group.key, *await groups.messages(group.number)]
        count = sum(subject.mentioned([text]) for text in texts)
        if count:
            found.others[f"groups {name}"] = found.others.get(f"groups {name}", 0) + count
