"""Objects of Tryton as remotes: what is common to all of them, by a description that is data."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from routekit import DefinitionError, Runtime
from routekit.remotes import Abilities, Fields, Forbidden, Gone, Page, Record, Stale
from routekit_http import client_of

from ..asking import Asking
from ..fields import Field, document_of, fields_of, iso, seconds
from .calling import Rpc, log_in, outcomes, reading
from .described import Described
from .feeding import look, since_any

Rows: TypeAlias = Sequence[Mapping[str, Any]]

_TRIES: Final = 3


class TrytonSession:
    """Objects of one kind, over JSON-RPC. A kind that is written in a way of its own has a subclass."""

    def __init__(self, described: Described, rpc: Rpc) -> None:
        self.described = described
        self.rpc = rpc
        self._context: Mapping[str, Any] | None = None

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        """What has changed; see `routekit.remotes.Session`. Little of it comes by one call."""
        described = self.described
        begin = None if since is None else iso(float(since))
        if begin is not None and page is None:
            domain = [since_any(described.tables, begin), *described.domain]
            rows, now = await self._rows(domain, limit=described.size + 1)
            if len(rows) <= described.size:
                return Page(sorted((self.record(row) for row in rows), key=_order), now=now)
        looked = await look(self.rpc, described.tables, begin, page, described.size)
        rows, now = await self._read(looked.ids)
        known = [row for row in rows if looked.tells(described.parts(row))]
        return Page(sorted((self.record(row) for row in known), key=_order), looked.next, now=now)

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        """All records in the order of their ids, which no edit changes; see `routekit.remotes.Session`."""
        described = self.described
        behind = [["id", ">", int(page)]] if page else []
        names = None if fields else ()
        rows, now = await self._rows([*behind, *described.domain], names, limit=described.size)
        records = [self.record(row, fields=fields) for row in rows]
        return Page(records, str(rows[-1]["id"]) if len(rows) >= described.size else None, now=now)

    async def get(self, id: str) -> Record | None:
        """One record; see `routekit.remotes.Session`. One that was merged tells into which."""
        try:
            return self.record(await self._certain(id))
        except Gone:
            return None

    async def many(self, ids: Sequence[str]) -> Sequence[Record]:
        """Several records; see `routekit.remotes.Session`."""
        rows, _ = await self._read([_number(one) for one in ids])
        return [self.record(row) for row in rows]

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        """The records with that value; see `routekit.remotes.Session`."""
        place = self.described.finds.get(name)
        if place is None:
            hint = f"it finds by {', '.join(self.described.finds) or 'nothing'}"
            raise DefinitionError(f"{self.described.name} does not find by '{name}'", hint=hint)
        rows, _ = await self._rows([[place, "=", self.searched(name, value)], *self.described.domain])
        found = [self.record(row) for row in rows]
        return [record for record in found if not record.deleted and record.fields.get(name) == value]

    async def create(self, fields: Fields, *, key: str) -> Record:
        """A new record; see `routekit.remotes.Session`."""
        self._allowed(self.described.abilities.can_create, "make")
        values = await self.values(fields, None)
        made = await self.ask("create", [values], doing="create")
        return Record(str(made[0]))

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        """A changed record; see `routekit.remotes.Session`.

        It is read before it is written, and written only if it is still as it was read.
        """
        self._allowed(self.described.abilities.can_update, "change")
        for left in reversed(range(_TRIES)):
            row = await self._held(id, version)
            try:
                await self.write(id, fields, row)
            except Stale:
                if version is not None or not left:
                    raise
            else:
                break
        return Record(id)

    async def delete(self, id: str, *, version: str | None = None) -> None:
        """No record any more; see `routekit.remotes.Session`."""
        self._allowed(self.described.abilities.can_delete, "delete")
        try:
            row = await self._held(id, version)
            await self.ask("delete", [_number(id)], doing="delete", record=id, context=self.holding(row))
        except Gone:
            return

    def searched(self, name: str, value: Any) -> Any:
        """A value to search by, as Tryton has it."""
        return _number(str(value)) if name in self.described.references else value

    async def values(self, fields: Fields, row: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """What is written for these fields to a record that was read so; None: to a new one."""
        return document_of(fields, self.described.fields, self.described.name, new=row is None)

    async def write(self, id: str, fields: Fields, row: Mapping[str, Any]) -> None:
        """Write these fields to a record that was read so; raises Stale if it has changed since."""
        values = await self.values(fields, row)
        await self.ask("write", [_number(id)], values, doing="update", record=id, context=self.holding(row))

    def record(self, row: Mapping[str, Any], *, fields: bool = True) -> Record:
        """The record that a row is, without fields if none were read."""
        merged = row.get(self.described.merged) if self.described.merged else None
        return Record(
            str(row["id"]),
            self.fields(row) if fields and merged is None else {},
            self.described.version(row),
            seconds(self.described.stamp(row)),
            merged is not None,
            None if merged is None else str(merged),
        )

    def fields(self, row: Mapping[str, Any]) -> Fields:
        """The fields that a row has."""
        return fields_of(row, self.described.fields)

    async def _held(self, id: str, version: str | None) -> Mapping[str, Any]:
        """The record as it is now, raises Gone without one, and Stale if it has another version than this."""
        row = await self._certain(id)
        merged = row.get(self.described.merged) if self.described.merged else None
        if merged is not None:
            raise Gone(f"{self.described.name}: record {id} was merged", merged_into=str(merged))
        if version is not None and self.described.version(row) != version:
            raise Stale(f"{self.described.name}: record {id} was changed meanwhile")
        return row

    async def _certain(self, id: str) -> Mapping[str, Any]:
        """The record as it is now; raises Gone if there is none, and Forbidden for one that we may not see.

        A search leaves out both, so it is read by its id.
        """
        number = _number(id)
        if number < 0:
            raise Gone(f"{self.described.name}: there is no record '{id}'")
        names = list(dict.fromkeys([*self.described.stamps, *self.described.reads]))
        rows = await self.ask("read", [number], names, record=id)
        return rows[0]

    def holding(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The context by which Tryton refuses a write to what has changed since it was read so."""
        return {"_timestamp": dict(self.described.timestamps(row))}

    async def _read(self, ids: Sequence[int]) -> tuple[Rows, float | None]:
        known = [one for one in ids if one >= 0]
        return await self._rows([["id", "in", known]]) if known else ([], None)

    async def _rows(
        self, domain: Sequence[Any], names: Sequence[str] | None = None, limit: int | None = None
    ) -> tuple[Rows, float | None]:
        """The rows, in the order of their ids, and the server's clock."""
        described = self.described
        asked = [*described.stamps, *(described.reads if names is None else names)]
        arguments = reading(domain, list(dict.fromkeys(asked)), "id", limit)
        return await self.rpc.timed(described.model, "search_read", *arguments, context=await self._around())

    async def ask(self, method: str, *arguments: Any, context: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """Call a method of the object's model, in the context that it needs."""
        context = {**await self._around(), **(context or {})}
        return await self.rpc.call(self.described.model, method, *arguments, context=context, **more)

    async def _around(self) -> Mapping[str, Any]:
        """The context of all calls: which company and which warehouses it is about."""
        if self._context is None:
            found: dict[str, Any] = {}
            if self.described.company:
                preferences = await self.rpc.call("res.user", "get_preferences", True)
                found = {name: preferences.get(name) for name in ("company", "companies")}
            if self.described.stock:
                rows = await self.rpc.search_read("stock.location", [["type", "=", "warehouse"]], ["id"])
                found["locations"] = [row["id"] for row in rows]
            self._context = found
        return self._context

    def _allowed(self, can: bool, what: str) -> None:
        if not can:
            raise Forbidden(f"{self.described.name} cannot {what} records", hint="see its abilities")


@dataclass(frozen=True)
class TrytonRemote:
    """One kind of object of Tryton, over the connection `[http.NAME]`."""

    described: Described
    connection: str

    def __str__(self) -> str:
        """As it is called."""
        return self.name

    @property
    def name(self) -> str:
        """Such as `tryton parties`."""
        return self.described.name

    @property
    def abilities(self) -> Abilities:
        """As seen on a real server."""
        return self.described.abilities

    @property
    def fields(self) -> Sequence[Field]:
        """What its records have."""
        return self.described.fields

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[TrytonSession]:
        """A session; it logs in with the first call, and again when its login has ended."""
        client = await client_of(runtime, self.connection, log_in)
        rpc = Rpc(Asking(client, outcomes(self.name), runtime.now), self.described.labels)
        yield self.session(rpc)

    def session(self, rpc: Rpc) -> TrytonSession:
        """The session of this kind of object."""
        return TrytonSession(self.described, rpc)


def _order(record: Record) -> tuple[float, int]:
    return record.stamp or 0.0, int(record.id)


def _number(id: str) -> int:
    """An id of Tryton; what can be none is one that no record has."""
    return int(id) if id.isascii() and id.isdigit() and len(id) < 10 else -1
