"""Kinds of objects of Tryton, as data: where they are, what they are made of, and when they were changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, cast

from routekit.remotes import Abilities

from ..fields import Field
from .feeding import STAMP, Table

SIZE: Final = 200
"""Rows of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One kind of object of Tryton."""

    name: str
    model: str
    fields: Sequence[Field]
    abilities: Abilities
    tables: Sequence[Table]
    """What has stamps of its own; the object itself first."""
    reads: Sequence[str]
    """What is read of it, beside stamps; fields behind a dot come as rows of their own."""
    finds: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fields that can be searched, each with its name in a domain."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """What messages call a field."""
    merged: str = ""
    """The field that names the record that took its place."""
    references: Sequence[str] = ()
    """Fields that are ids of other records."""
    company: bool = False
    """Whether it belongs to a company: that of the user is asked for then."""
    stock: bool = False
    """Whether quantities are read, of all warehouses."""
    domain: Sequence[Any] = ()
    """Which records there are at all."""
    size: int = SIZE

    @property
    def stamps(self) -> Sequence[str]:
        """What tells when it was changed, and in which version it is."""
        prefixes = [f"{table.field}." if table.field else "" for table in self.tables]
        merged = [self.merged] if self.merged else []
        return [f"{prefix}{name}" for prefix in prefixes for name in (STAMP, "_timestamp")] + merged

    def parts(self, row: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """The rows that make up a record, each with its model."""
        found: list[tuple[str, Mapping[str, Any]]] = []
        for table in self.tables:
            inner = row.get(f"{table.field}.") or ()
            rows = cast("Sequence[Mapping[str, Any]]", inner) if table.field else [row]
            found += [(table.model, one) for one in rows]
        return found

    def timestamps(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        """When each row of a record was written last, as Tryton compares it."""
        return {f"{model},{part['id']}": part["_timestamp"] for model, part in self.parts(row)}

    def version(self, row: Mapping[str, Any]) -> str:
        """A digest of all its timestamps: another one as soon as anything of the record is written."""
        return sha256(json.dumps(sorted(self.timestamps(row).items())).encode()).hexdigest()[:24]

    def stamp(self, row: Mapping[str, Any]) -> str:
        """When anything of the record was changed last."""
        return max(part[STAMP] for _, part in self.parts(row))
