"""A trial: records that a check makes of a pattern, marks, changes, and removes in the end; it touches no others."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar, cast

import anyio

from routekit.remotes import Abilities, Busy, Creating, Fields, Page, Record, RemoteError, Session

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds that are waited at most for something to show, beside the lag that a system claims."""
_STEP: Final = 0.25
_BUSY: Final = 10


class Untried(Exception):
    """A case could not be tried; what is in the way is another case's matter."""


class Broken(Exception):
    """What was seen instead of what is guaranteed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The records that a check makes: `{marker}` in a text becomes a word that no other record has.

    `edit` is the field that is changed, a text; it has the marker in it, so that what was made can be told apart.
    `clear` is one that may be empty, if there is one.
    """

    fields: Mapping[str, Any]
    edit: str
    clear: str = ""

    def marked(self, marker: str) -> dict[str, Any]:
        """The fields of one record."""
        return {name: _filled(value, marker) for name, value in self.fields.items()}


@dataclass(eq=False)
class Trial:
    """Works with a session as the cases need it: waits while it is busy, and keeps account of what it made."""

    session: Session
    abilities: Abilities
    sample: Sample | None
    word: Callable[[], str]
    """Gives another marker each time."""
    patience: float = PATIENCE
    made: list[str] = field(default_factory=list[str])

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What a call gives; being busy is waited for, a few times."""
        for _ in range(_BUSY):
            try:
                return await ask()
            except Busy as busy:
                await anyio.sleep(max(busy.after, 0.1))
        return await ask()

    def fields(self) -> dict[str, Any]:
        """The fields of another record; a system that makes records by a key of ours gets one."""
        if self.sample is None:
            raise Untried("there is no sample of a record that may be made")
        found = self.sample.marked(self.word())
        if self.abilities.creating is Creating.NATURAL and self.abilities.external_key is not None:
            found.setdefault(self.abilities.external_key, self.word())
        return found

    def edit(self) -> tuple[str, str]:
        """The field that is changed, and another value for it."""
        if self.sample is None:
            raise Untried("there is no sample of a record that may be changed")
        return self.sample.edit, str(self.fields()[self.sample.edit])

    async def make(self, fields: Fields | None = None) -> Record:
        """A record of our own as it is read, for a case that is not about making one."""
        if not self.abilities.can_create:
            raise Untried("records cannot be made")
        try:
            made = await self.create(self.fields() if fields is None else fields)
        except RemoteError as error:
            raise Untried(f"no record could be made: {told(error)}") from error
        return await self.read(made.id)

    async def create(self, fields: Fields, key: str = "") -> Record:
        """Make a record, whatever becomes of it."""
        key = key or self.word()
        made = await self.call(lambda: self.session.create(fields, key=key))
        if made.id not in self.made:
            self.made.append(made.id)
        return made

    async def read(self, id: str) -> Record:
        """A record as it is now, for a case that is not about reading it."""
        record = await self.call(lambda: self.session.get(id))
        if record is None or record.deleted:
            raise Untried(f"record {id} cannot be read")
        return record

    async def change(self, id: str, fields: Fields | None = None) -> Record:
        """Change a record of ours, for a case that is not about changing it; as it is read then."""
        if not self.abilities.can_update:
            raise Untried("records cannot be changed")
        name, value = self.edit()
        try:
            await self.call(lambda: self.session.update(id, {name: value} if fields is None else fields, key=value))
        except RemoteError as error:
            raise Untried(f"no record could be changed: {told(error)}") from error
        return await self.read(id)

    async def remove(self, id: str) -> None:
        """Delete a record of ours, for a case that is not about deleting it."""
        if not self.abilities.can_delete:
            raise Untried("records cannot be deleted")
        try:
            await self.call(lambda: self.session.delete(id))
        except RemoteError as error:
            raise Untried(f"no record could be deleted: {told(error)}") from error

    async def some(self) -> Record:
        """A record to read: one of ours, or if none can be made, one that is there."""
        if self.sample is not None and self.abilities.can_create:
            return await self.make()
        page = await self.call(self.session.scan)
        found = next((record for record in page.records if not record.deleted), None)
        if found is None:
            raise Untried("there is no record to read")
        return found

    async def pages(self, ask: Callable[[str | None], Awaitable[Page]]) -> list[Record]:
        """The records of all pages, with doubles if there are any."""
        found: list[Record] = []
        following: str | None = None
        while True:
            page = await self.call(partial(ask, following))
            found += page.records
            following = page.next
            if following is None:
                return found

    async def scanned(self, *, fields: bool = True) -> Sequence[Record]:
        """All records there are."""
        return await self.pages(lambda page: self.session.scan(page, fields=fields))

    async def told(self, since: float | str | None) -> Sequence[Record]:
        """All that the feed tells since then."""
        return await self.pages(lambda page: self.session.changes(since, page))

    async def heard(self, since: float | str | None) -> Sequence[Record]:
        """The same, for a case that is not about whether there is a feed."""
        try:
            return await self.told(since)
        except RemoteError as error:
            raise Untried(f"the feed cannot be read: {told(error)}") from error

    async def token(self) -> str | None:
        """Where a feed by token goes on from now."""
        page = await self.call(lambda: self.session.changes(None))
        while page.next is not None:
            page = await self.call(partial(self.session.changes, None, page.next))
        return page.token

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> tuple[T | None, float]:
        """What a look gives, and for how many seconds at least it did not show: until the last look in vain began.

        It is looked again until something shows, or for too long. How slow the looks themselves are does not count.
        """
        begun, missed = anyio.current_time(), 0.0
        while True:
            at = anyio.current_time() - begun
            found = await look()
            if found is not None:
                return found, missed
            missed = at
            if missed > self.abilities.lag + self.patience:
                return None, missed
            await anyio.sleep(_STEP)

    async def tidy(self) -> Sequence[str]:
        """Delete what was made, or put it out of use; the ids of what stays."""
        left: list[str] = []
        for own in reversed(self.made):
            try:
                await self._away(own)
            except (RemoteError, Untried):
                left.append(own)
        return left

    async def _away(self, id: str) -> None:
        if self.abilities.can_delete:
            await self.call(lambda: self.session.delete(id))
        elif self.abilities.archive is not None:
            fields = self.abilities.archive
            await self.call(lambda: self.session.update(id, fields, key=self.word()))
        else:
            raise Untried("records can neither be deleted nor put out of use")


def told(error: Exception) -> str:
    """An error in one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _filled(value: Any, marker: str) -> Any:
    if isinstance(value, str):
        return value.replace("{marker}", marker)
    if isinstance(value, list):
        return [_filled(one, marker) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _filled(one, marker) for name, one in cast("dict[str, Any]", value).items()}
    return value
