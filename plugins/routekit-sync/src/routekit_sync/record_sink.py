"""`records:` as a sink: makes, changes, finds and deletes records of a remote system, and answers with them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, Field

from routekit import PER_MESSAGE, About, BodyError, Capabilities, Message, Producer, Runtime, Send
from routekit.remotes import Fields, Record, Refused, RemoteError, Session, Taken

from .record_source import TheRemote

Mode = Literal["create", "update", "upsert", "get", "find", "delete"]


class RecordSink(Producer):
    """Writes bodies, mappings or models, as records of a system, or looks records up; the answer is what is there then.

    The answer is a record as a dict with its `id`; of `find` a list of them, of `get` None if there is none. A create
    names the message's id, so that a system that knows keys makes no second one for a message that comes again;
    `upsert` looks for the record first, by a field that tells it apart.
    """

    scheme = "records"
    capabilities = Capabilities()
    about: ClassVar[About] = About(
        headers={"records.id": "the id of the record that was written"},
        raises={RemoteError: "the system is away, or refuses", BodyError: "the body does not say which record it is"},
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
    mode: Mode = Field(default="upsert", description="what is done")
    by: str = Field(default="", description="upsert, find: the field by which the record is found")
    id: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="update, get, delete: the record's id, else the body's `id`"
    )
    value: Annotated[Any, PER_MESSAGE] = Field(
        default=None, description="find: the value of the field, else that of the body's"
    )
    fields: Annotated[Any, PER_MESSAGE] = Field(default=None, description="what is written, else the body")

    async def probe(self, runtime: Runtime) -> str:
        """Read one page of ids."""
        async with self.remote.open(runtime) as session:
            page = await session.scan(fields=False)
        return f"{len(page.records)} records{'' if page.next is None else ' and more'}"

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """One session for all messages."""
        async with self.remote.open(runtime) as session:

            async def send(
                message: Message[Any], id: str | None = None, value: Any = None, fields: Any = None
            ) -> Message[Any]:
                body = message.body if fields is None else fields
                wanted = _Wanted(_fields(body), id or self.id, self.value if value is None else value, message.id)
                try:
                    found = await self._done(session, wanted)
                except Refused as error:
                    raise _told(error) from error
                headers = {"records.id": found.id} if isinstance(found, Record) else {}
                return Message(_plain(found), headers)

            yield send

    async def _done(self, session: Session, wanted: "_Wanted") -> Record | list[Record] | None:
        given = {name: one for name, one in wanted.fields.items() if name != "id"}
        match self.mode:
            case "create":
                return await self._read(session, await session.create(given, key=wanted.key))
            case "upsert":
                return await self._read(session, await self._upserted(session, given, wanted.key))
            case "find":
                return list(await session.find(self.by, given.get(self.by) if wanted.value is None else wanted.value))
            case "get":
                return await session.get(wanted.known)
            case "update":
                return await self._read(session, await session.update(wanted.known, given, key=wanted.key))
            case "delete":
                await session.delete(wanted.known)
                return None

    async def _read(self, session: Session, written: Record) -> Record:
        """What was written, as the system has it now."""
        if self.remote.abilities.answers:
            return written
        return await session.get(written.id) or written

    async def _upserted(self, session: Session, fields: Fields, key: str) -> Record:
        if fields.get(self.by) is None:
            raise BodyError(f"the body has no '{self.by}', by which its record is found", column=self.by)
        found = await session.find(self.by, fields[self.by])
        if len(found) > 1:
            raise Taken(f"{self.remote.name}: several have that {self.by}", ids=[record.id for record in found])
        if not found:
            return await session.create(fields, key=key)
        had = found[0]
        changed = {name: value for name, value in fields.items() if had.fields.get(name) != value}
        return await session.update(had.id, changed, version=had.version, key=key) if changed else had


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a message asks for."""

    fields: Fields
    id: str | None
    value: Any
    key: str

    @property
    def known(self) -> str:
        """The id of the record; raises BodyError."""
        found = self.id or self.fields.get("id")
        if found is None or found == "":
            raise BodyError("the body does not say which record it is", hint='give id=lambda body: body["id"]')
        return str(found)


def _fields(body: Any) -> Mapping[str, Any]:
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json")
    return cast("Mapping[str, Any]", body) if isinstance(body, Mapping) else {}


def _told(error: Refused) -> Refused:
    """The error with what it says of each field in its text, for who reads but that."""
    said = [f"{name}: {why}" for name, why in error.fields.items() if why not in error.message]
    text = "; ".join([error.message, *said])
    return Refused(text, fields=error.fields, hint=error.hint)


def _plain(found: Record | list[Record] | None) -> Any:
    if isinstance(found, list):
        return [_plain(one) for one in found]
    return None if found is None else {**found.fields, "id": found.id}
