"""HttpRemote: the remote system that a profile describes. What a profile cannot say, a subclass of its session does."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from routekit import DefinitionError, Runtime
from routekit.remotes import Abilities, Fields, Gone, Page, Record, Unclear
from routekit_http import Login, client_of, found_at

from .answers import Answer
from .asking import Asking
from .fields import Field, document_of, fields_of
from .paging import Walk
from .profile import Etag, Find, Marked, Profile, Since, Tokens


class HttpSession:
    """Records over HTTP, by a profile."""

    def __init__(self, profile: Profile, asking: Asking) -> None:
        self.profile = profile
        self.asking = asking

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        """What has changed; see `routekit.remotes.Session`."""
        feed = self.profile.feed
        if feed is None:
            raise DefinitionError(f"{self.profile.name} tells no changes", hint="read all of it with scan()")
        if isinstance(feed, Since):
            begin = {} if since is None else {feed.param: feed.write(float(since))}
            return await self._page(Walk(feed.paging), page, {**feed.query, **begin})
        begin = {} if since is None else {feed.param: since}
        return await self._page(Walk(feed.paging), page, {**feed.query, **begin}, feed)

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        """All records; see `routekit.remotes.Session`."""
        return await self._page(Walk(self.profile.scan), page, None if fields else self.profile.bare)

    async def get(self, id: str) -> Record | None:
        """One record; see `routekit.remotes.Session`."""
        try:
            answer = await self._read(id)
        except Gone:
            return None
        record = self.record(found_at(answer.document, self.profile.row), answer)
        return None if record.deleted else record

    async def many(self, ids: Sequence[str]) -> Sequence[Record]:
        """Several records; see `routekit.remotes.Session`."""
        if not self.profile.many:
            found = [await self.get(one) for one in ids]
            return [record for record in found if record is not None]
        records = await self._all({self.profile.many: ",".join(ids)})
        return [record for record in records if record.id in set(ids) and not record.deleted]

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        """The records with that value; see `routekit.remotes.Session`."""
        find = self.profile.finds.get(name)
        if find is None:
            hint = f"it finds by {', '.join(self.profile.finds) or 'nothing'}"
            raise DefinitionError(f"{self.profile.name} does not find by '{name}'", hint=hint)
        records = await self._all({find.param: value})
        return [record for record in records if not record.deleted and _fits(record.fields.get(name), value, find)]

    async def create(self, fields: Fields, *, key: str) -> Record:
        """A new record; see `routekit.remotes.Session`."""
        document = document_of(fields, self.profile.fields, self.profile.name, new=True)
        headers = {self.profile.idempotency: key} if self.profile.idempotency else {}
        if self.profile.natural:
            external = self.profile.abilities.external_key or ""
            values, method, path = {"key": fields[external]}, "PUT", self.profile.natural
        else:
            values, method, path = None, "POST", self.profile.path
        answer = await self.ask(method, path, values, doing="create", headers=headers, document=document)
        return self.written(answer, "")

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        """A changed record; see `routekit.remotes.Session`."""
        document = document_of(fields, self.profile.fields, self.profile.name)
        headers = await self._held(id, version, document)
        if key and self.profile.idempotency:
            headers = {**headers, self.profile.idempotency: key}
        answer = await self.ask(
            self.profile.update,
            self.profile.one,
            {"id": id},
            doing="update",
            record=id,
            headers=headers,
            document=document,
        )
        return self.written(answer, id)

    async def delete(self, id: str, *, version: str | None = None) -> None:
        """No record any more; see `routekit.remotes.Session`."""
        try:
            headers = await self._held(id, version, None)
            await self.ask("DELETE", self.profile.one, {"id": id}, doing="delete", record=id, headers=headers)
        except Gone:
            return

    def record(self, row: Any, answer: Answer | None = None) -> Record:
        """The record that a row is. `answer` is that of the row alone, whose headers may tell its version."""
        profile = self.profile
        known = found_at(row, profile.id)
        if known is None:
            raise Unclear(f"{profile.name}: a row has no id at '{profile.id}'")
        version = profile.version
        told = None if version is None or not version.at else found_at(row, version.at)
        if isinstance(version, Etag) and answer is not None:
            told = answer.headers.get("etag", told)
        stamp = found_at(row, profile.stamp) if profile.stamp else None
        merged = found_at(row, profile.merged) if profile.merged else None
        return Record(
            str(known),
            fields_of(row, profile.fields),
            None if told is None else str(told),
            None if stamp is None else profile.stamp_of(stamp),
            bool(profile.dead and found_at(row, profile.dead)) or merged is not None,
            None if merged is None else str(merged),
        )

    def written(self, answer: Answer, id: str) -> Record:
        """What the answer to a write tells of the record; with `Abilities.answers` all of it, else its id at least."""
        row = found_at(answer.document, self.profile.made)
        if self.profile.abilities.answers:
            return self.record(row, answer)
        location = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        known = id or str(found_at(row, self.profile.id) or location)
        if not known:
            raise Unclear(f"{self.profile.name}: the answer to a create names no record")
        return Record(known, {}, answer.headers.get("etag") if isinstance(self.profile.version, Etag) else None)

    async def _read(self, id: str) -> Answer:
        return await self.ask("GET", self.profile.one, {"id": id}, record=id, query=self.profile.query)

    async def _page(
        self, walk: Walk, page: str | None, query: Mapping[str, Any] | None, feed: Tokens | None = None
    ) -> Page:
        step = walk.at(page)
        asked = step.ask
        path = feed.path if feed is not None and feed.path else self.profile.path
        everything = {} if asked.url else {**self.profile.query, **(query or {}), **asked.query}
        answer = await self.ask(
            "GET",
            path,
            doing="read" if feed is None else "feed",
            query=everything,
            headers=asked.headers,
            url=asked.url,
        )
        rows = self.rows(answer)
        following = step.after(answer, rows)
        token = found_at(answer.document, feed.resume) if feed is not None and following is None else None
        records = [self.record(row) for row in step.fresh(rows)]
        return Page(records, following, None if token is None else str(token), answer.now)

    def rows(self, answer: Answer) -> Sequence[Any]:
        """The rows of a list's answer."""
        found = found_at(answer.document, self.profile.rows)
        if not isinstance(found, list):
            raise Unclear(f"{self.profile.name}: the answer has no list at '{self.profile.rows}'")
        return cast("list[Any]", found)

    async def _all(self, query: Mapping[str, Any]) -> Sequence[Record]:
        found: list[Record] = []
        page = await self._page(Walk(self.profile.scan), None, query)
        found += page.records
        while page.next is not None:
            page = await self._page(Walk(self.profile.scan), page.next, query)
            found += page.records
        return found

    async def _held(self, id: str, version: str | None, document: dict[str, Any] | None) -> Mapping[str, str]:
        """Headers by which a write holds on to a version; a version in the document is put there."""
        kind = self.profile.version
        if isinstance(kind, Marked) and version is not None and document is not None:
            document[kind.param or kind.at] = version
        if not isinstance(kind, Etag):
            return {}
        if version is None and kind.always:
            answer = await self._read(id)
            version = self.record(found_at(answer.document, self.profile.row), answer).version
        return {} if version is None else {"if-match": version}

    async def ask(
        self,
        method: str,
        path: str,
        values: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """The answer of a call, with the headers of the profile; the options are those of `Asking.ask`."""
        all_headers = {**self.profile.headers, **(headers or {})}
        return await self.asking.ask(method, path, values, headers=all_headers, **options)


@dataclass(frozen=True)
class HttpRemote:
    """A remote system that is asked over the connection `[http.NAME]`, as its profile says."""

    profile: Profile
    connection: str
    login: Login | None = None
    session: ClassVar[type[HttpSession]] = HttpSession

    def __str__(self) -> str:
        """As it is called: its profile would fill a page."""
        return self.name

    @property
    def name(self) -> str:
        """As the profile has it."""
        return self.profile.name

    @property
    def abilities(self) -> Abilities:
        """As the profile has them."""
        return self.profile.abilities

    @property
    def fields(self) -> Sequence[Field]:
        """What its records have."""
        return self.profile.fields

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[HttpSession]:
        """A session; its connection is shared with all who name it. Nothing is asked yet."""
        client = await client_of(runtime, self.connection, self.login)
        yield self.session(self.profile, Asking(client, self.profile.outcomes, runtime.now))


def _fits(found: Any, value: Any, find: Find) -> bool:
    if find.exact:
        return True
    if find.fold and isinstance(found, str) and isinstance(value, str):
        return found.casefold() == value.casefold()
    return found == value
