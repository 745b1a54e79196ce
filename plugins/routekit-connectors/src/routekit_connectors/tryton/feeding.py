"""What has changed in Tryton: records and the parts of them that have stamps of their own, merged in order of time.

Each of the tables is read by keyset, `(last_modified_at, id)`: what is edited meanwhile moves behind, and nothing that
was there throughout is missed. A part that is deleted by itself leaves no trace; a full comparison finds it. The client
deletes by the form of the record, which changes the record as well.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .calling import Rpc, moment

STAMP: Final = "last_modified_at"
Key = Sequence[Any]
"""Stamp as ISO 8601 and id of the last row that was taken; the stamp is None at the beginning."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose changes are those of records: `owner` is the field that names the record, `id` for its own."""

    model: str
    owner: str = "id"
    field: str = ""
    """The record's field that holds the parts."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look gave: which rows have changed, up to a time, and where the next one begins."""

    ids: Sequence[int]
    """Of the records whose rows they are."""
    rows: frozenset[tuple[str, int]]
    """Each by its model and its own id."""
    latest: str
    next: str | None

    def tells(self, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
        """Whether a record with these parts comes now: only with the last of them to change, so that it comes once.

        One that was changed again since comes later, unless there is no later page.
        """
        model, last = max(parts, key=lambda part: (part[1][STAMP], part[0], part[1]["id"]))
        return (model, last["id"]) in self.rows or (self.next is None and last[STAMP] > self.latest)


async def look(rpc: Rpc, tables: Sequence[Table], since: str | None, page: str | None, size: int) -> Looked:
    """One look at all tables: as far as the one that has most to tell."""
    keys: dict[str, Key] = json.loads(page) if page else {table.model: [since, 0] for table in tables}
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for table in tables:
        if table.model in keys:
            found[table.model] = await _rows(rpc, table, keys[table.model], size)
    full = [rows[-1][STAMP] for rows in found.values() if len(rows) >= size]
    horizon = min(full) if full else None
    seen: list[tuple[str, Mapping[str, Any], int]] = []
    ahead: dict[str, Key] = {}
    for table in tables:
        rows = found.get(table.model, ())
        taken = [row for row in rows if horizon is None or row[STAMP] <= horizon]
        seen += [(table.model, row, row[table.owner]) for row in taken if row[table.owner] is not None]
        if horizon is not None and (len(rows) >= size or len(taken) < len(rows)):
            ahead[table.model] = [taken[-1][STAMP], taken[-1]["id"]] if taken else keys[table.model]
    ids = list(dict.fromkeys(owner for _, _, owner in seen))
    rows = frozenset((model, row["id"]) for model, row, _ in seen)
    latest = max((row[STAMP] for _, row, _ in seen), default="")
    return Looked(ids, rows, latest, json.dumps(ahead) if ahead else None)


def since_any(tables: Sequence[Table], since: str) -> Sequence[Any]:
    """The domain of records of which anything has changed at or after a time."""
    names = [f"{table.field}.{STAMP}" if table.field else STAMP for table in tables]
    return ["OR", *([name, ">=", moment(since)] for name in names)]


async def _rows(rpc: Rpc, table: Table, key: Key, size: int) -> Sequence[Mapping[str, Any]]:
    stamp, last = key
    domain: list[Any] = []
    if stamp is not None:
        at = moment(stamp)
        domain = ["OR", [STAMP, ">", at], [[STAMP, "=", at], ["id", ">", last]]]
    fields = [STAMP] if table.owner == "id" else [STAMP, table.owner]
    return await rpc.search_read(table.model, domain, fields, STAMP, size)
