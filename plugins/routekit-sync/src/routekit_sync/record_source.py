"""`records:` as a source: the records of a remote system, each as it is new and whenever it has changed."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from hashlib import sha256
from typing import Annotated, Any, ClassVar

import anyio
from pydantic import BeforeValidator, Field, InstanceOf

from routekit import About, Capabilities, Consumer, Delivery, Marks, Message, Runtime, Seconds
from routekit.remotes import Feed, FeedExpired, Page, Record, Remote, RemoteError, Session

from .naming import remote_of

TheRemote = Annotated[InstanceOf[Remote], BeforeValidator(remote_of)]
"""A remote, or where it is: `module:variable`."""

_CURSOR = "cursor"


class RecordSource(Consumer):
    """Delivers the records of a system as dicts, with their `id`: each when it is first seen, and after each change.

    It looks every so many seconds at what the system's feed tells, or, where there is none, at all records. What was
    delivered is remembered once it is acknowledged, so a record that was in flight at a crash, or was refused, comes
    again. A record that changes twice between two looks comes once. What is deleted does not come.
    """

    scheme = "records"
    singleton: ClassVar[bool] = True
    capabilities = Capabilities(replayable=True)
    about: ClassVar[About] = About(
        headers={"records.id": "the record's id", "records.version": "its version, if the system has one"},
        raises={RemoteError: "the system is away, or refuses"},
        example="""
            from pathlib import Path

            from routekit import from_
            from routekit_sync import FolderRemote, RecordSink, RecordSource

            crm, erp = FolderRemote("crm", Path("crm")), FolderRemote("erp", Path("erp"))
            records = from_(RecordSource(remote=crm, name="copied"), dict).to(
                RecordSink(remote=erp, mode="upsert", by="email")
            )
        """,
    )
    remote: TheRemote = Field(description="the remote: `module:variable`, or as a typed endpoint the remote itself")
    name: str = Field(min_length=1, description="name under which it is remembered what was delivered")
    every: Seconds = Field(default=60.0, gt=0, description="seconds between two looks")

    async def probe(self, runtime: Runtime) -> str:
        """Read one page of ids."""
        async with self.remote.open(runtime) as session:
            page = await session.scan(fields=False)
        return f"{len(page.records)} records{'' if page.next is None else ' and more'}"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        marks = runtime.store.marks(f"records:{self.name}")
        async with self.remote.open(runtime) as session:
            while True:
                look = _Look(self.remote, session, marks)
                flight = _Flight()
                async for record in look.changed():
                    flight.begin()
                    yield self._delivery(record, marks, flight)
                with runtime.resting():
                    await flight.landed()
                if not flight.failed:
                    await look.done()
                await runtime.rest(self.every)

    def _delivery(self, record: Record, marks: Marks, flight: "_Flight") -> Delivery[Any]:
        mark = digest(record)
        headers = {"records.id": record.id, **({"records.version": record.version} if record.version else {})}
        message = Message({**record.fields, "id": record.id}, headers, f"{self.name}-{record.id}-{mark[:16]}")
        return Delivery(message, partial(flight.acknowledged, marks, record.id, mark), flight.refused)


class _Flight:
    """What a look has delivered and is not done yet."""

    def __init__(self) -> None:
        self.failed = False
        self._count = 0
        self._done = anyio.Event()

    def begin(self) -> None:
        self._count += 1

    async def acknowledged(self, marks: Marks, id: str, mark: str, _: object) -> None:
        await marks.put(f"seen/{id}", mark)
        self._end()

    async def refused(self, _: object) -> None:
        self.failed = True
        self._end()

    async def landed(self) -> None:
        """Wait until all is done."""
        while self._count:
            await self._done.wait()
            self._done = anyio.Event()

    def _end(self) -> None:
        self._count -= 1
        self._done.set()


class _Look:
    """One look at a system, and where the next one begins if all that this one gave is done."""

    def __init__(self, remote: Remote, session: Session, marks: Marks) -> None:
        self._abilities = remote.abilities
        self._session = session
        self._marks = marks
        self._cursor: str | None = None

    async def changed(self) -> AsyncIterator[Record]:
        """The records that are not as they were delivered last."""
        async for page in self._pages():
            for record in page.records:
                if record.stamp is not None and self._abilities.feed is Feed.STAMP:
                    self._cursor = str(max(float(self._cursor or 0), record.stamp))
                if not record.deleted and await self._marks.get(f"seen/{record.id}") != digest(record):
                    yield record

    async def done(self) -> None:
        """Everything of this look is done."""
        if self._cursor is not None:
            await self._marks.put(_CURSOR, self._cursor)

    async def _pages(self) -> AsyncIterator[Page]:
        kept = await self._marks.get(_CURSOR)
        match self._abilities.feed:
            case Feed.STAMP:
                since = None if kept is None else float(kept) - self._abilities.overlap
                self._cursor = kept
                async for page in self._feed(since):
                    yield page
            case Feed.TOKEN:
                try:
                    async for page in self._feed(kept):
                        yield page
                except FeedExpired:
                    async for page in self._feed(None):
                        yield page
            case Feed.NONE:
                page = await self._session.scan()
                yield page
                while page.next is not None:
                    page = await self._session.scan(page.next)
                    yield page

    async def _feed(self, since: float | str | None) -> AsyncIterator[Page]:
        page = await self._session.changes(since)
        while True:
            if page.token is not None:
                self._cursor = page.token
            yield page
            if page.next is None:
                return
            page = await self._session.changes(since, page.next)


def digest(record: Record) -> str:
    """What a record is known by while nothing of it changes."""
    return sha256(json.dumps(record.fields, sort_keys=True, default=str).encode()).hexdigest()
