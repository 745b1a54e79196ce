"""Which letters are meant: filters, and ids of which only the beginning is given."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from math import inf, nextafter
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UnknownName, did_you_mean
from ..letter import Cluster, Letter
from ..store import Store

C = TypeVar("C", Letter, Cluster)

PAGE = 500
"""Letters that are read at once."""


class Selection(BaseModel):
    """Letters that fulfil all that is given; nothing given: all letters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[str, ...] = Field(default=(), description="of these ids")
    route: str | None = Field(default=None, description="of this route")
    cluster: str | None = Field(default=None, description="of the cluster of this id")
    step: str | None = Field(default=None, description="whose failing step has this in its name")
    error: str | None = Field(default=None, description="whose error is of the class of this name")
    text: str | None = Field(default=None, description="with this text in message id, reason, causes, body or headers")
    since: float | None = Field(default=None, description="given up at this time or later, in seconds since 1970")
    before: float | None = Field(default=None, description="given up before this time, in seconds since 1970")

    def fits(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.ids or letter.id in self.ids)
            and self.route in (None, letter.route)
            and self.cluster in (None, letter.cluster)
            and self.error in (None, letter.error)
            and (self.step is None or self.step in letter.step)
            and (self.since is None or letter.when >= self.since)
            and (self.before is None or letter.when < self.before)
            and (self.text is None or self.text.lower() in _texts(letter))
        )

    @property
    def words(self) -> str:
        """What is meant, for the audit."""
        asked = self.model_dump_json(exclude_defaults=True)
        return "all" if asked == "{}" else asked

    @property
    def is_indexed(self) -> bool:
        """Whether the store itself can count what is meant."""
        return not self.ids and all(one is None for one in (self.step, self.error, self.text, self.since, self.before))


async def chosen(store: Store, selection: Selection, *, oldest: bool = False) -> AsyncGenerator[Letter]:
    """The letters that are meant, the newest first or the oldest first; a page of them is in memory at a time.

    A letter that is removed meanwhile does no harm, nor does one that comes.
    """
    if selection.ids:
        for letter in await _by_ids(store, selection, oldest=oldest):
            yield letter
        return
    since, before, size = selection.since, selection.before, PAGE
    given: set[str] = set()  # of the time at which the last page ended
    while True:
        page = await store.letters.list(
            route=selection.route, cluster=selection.cluster, since=since, before=before, oldest=oldest, limit=size
        )
        for letter in page:
            if letter.id not in given and selection.fits(letter):
                yield letter
        if len(page) < size:
            return
        end = page[-1].when
        size = size * 2 if page[0].when == end else size  # so many of one time that a page has no other
        given = {letter.id for letter in page if letter.when == end}
        since, before = (end, before) if oldest else (since, nextafter(end, inf))


async def _by_ids(store: Store, selection: Selection, *, oldest: bool) -> Sequence[Letter]:
    those = [letter for one in selection.ids if (letter := await store.letters.get(one)) and selection.fits(letter)]
    return sorted(those, key=lambda letter: letter.when, reverse=not oldest)


async def listed(store: Store, selection: Selection, *, limit: int, oldest: bool = False) -> list[Letter]:
    """So many of the letters that are meant."""
    found: list[Letter] = []
    if limit > 0:
        async with aclosing(chosen(store, selection, oldest=oldest)) as letters:
            async for letter in letters:
                found.append(letter)
                if len(found) == limit:
                    break
    return found


async def counted(store: Store, selection: Selection) -> int:
    """How many are meant."""
    if selection.is_indexed:
        return await store.letters.count(route=selection.route, cluster=selection.cluster)
    return len([None async for _ in chosen(store, selection)])


async def found(store: Store, id: str) -> Letter:
    """The letter of an id, or of one that begins so; raises UnknownName."""
    letter = await store.letters.get(id)
    if letter is not None:
        return letter
    near = [letter.id async for letter in chosen(store, Selection()) if letter.id.startswith(id)]
    if len(near) == 1:
        letter = await store.letters.get(near[0])
    if letter is not None:
        return letter
    if near:
        raise UnknownName(f"{len(near)} letters begin with '{id}'", hint="write more of the id")
    raise UnknownName(f"there is no letter '{id}'", hint="see: routekit letters list")


async def cluster_found(store: Store, id: str) -> Cluster:
    """The cluster of an id, or of one that begins so; raises UnknownName."""
    clusters = await store.letters.clusters()
    near = [cluster for cluster in clusters if cluster.id.startswith(id)]
    if len(near) == 1:
        return near[0]
    if near:
        raise UnknownName(f"{len(near)} clusters begin with '{id}'", hint="write more of the id")
    raise UnknownName(f"there is no cluster '{id}'", hint="see: routekit letters clusters")


async def route_checked(store: Store, route: str | None, known: Sequence[str] = ()) -> None:
    """Raises UnknownName for the name of a route that has no letters, if another that has some is nearly called so."""
    if route is None or await store.letters.count(route=route):
        return
    names = {cluster.route for cluster in await store.letters.clusters()}
    hint = did_you_mean(route, names | set(known))
    if hint.startswith("did you mean"):
        raise UnknownName(f"route '{route}' has no dead letters", hint=hint)


def _texts(letter: Letter) -> str:
    """All of a letter that a text is looked for in."""
    data = json.dumps([letter.body, letter.headers, letter.current], default=str, ensure_ascii=False)
    return "\n".join([letter.message_id, letter.reason, *letter.causes, data]).lower()
