"""Parties of Tryton: its ways to be reached, its first address and its identifiers as flat fields.

Tryton has several e-mail addresses, telephones and addresses for a party. A record has the first of each that is in
use, as Tryton itself shows it; writing changes that one, or makes it. Clearing an e-mail or a telephone deletes it, and
the next one, if there is one, takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, cast

import anyio

from routekit.remotes import Abilities, Creating, Feed, Fields, Record, Refused, Taken, Unsent
from routekit_http import found_at

from ..fields import Field, document_of, fields_of
from .calling import Rpc
from .described import Described
from .feeding import Table
from .objects import TrytonRemote, TrytonSession

EXTERNAL: Final = "routekit:"
"""How the identifier begins that holds an id of ours."""


@dataclass(frozen=True, slots=True)
class Part:
    """A field that is a value of a part: the first one in use that has what is `given`."""

    parts: str
    at: str
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prefix: str = ""
    shared: bool = False
    """Whether the part has other fields too: it is not deleted when this one is cleared."""
    says: str = ""

    def of(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The part of a party."""
        for part in cast("Sequence[Mapping[str, Any]]", row.get(f"{self.parts}.") or ()):
            fits = all(part.get(name) == value for name, value in self.given.items())
            if fits and part.get("active") and str(part.get(self.at) or "").startswith(self.prefix):
                return part
        return None


PLAIN: Final = (
    Field("name"),
    Field("code", says="its number; Tryton gives one if a new party has none"),
    Field("active", read=bool, says="false: out of use, which is how parties are archived"),
)
REACHED: Final = ("email", "phone", "mobile", "fax", "website")
ADDRESS: Final = ("street", "postal_code", "city")


def parties(
    connection: str, *, tax_type: str = "eu_vat", name: str = "tryton parties", page: int = 200
) -> TrytonRemote:
    """The parties of the Tryton at `[http.CONNECTION]`: customers, suppliers and all others.

    Fields: name, code, active, email, phone, mobile, fax, website, street, postal_code, city, country (a code of ISO
    3166, which the server must know), tax_id (an identifier of the kind `tax_type`, such as `ch_vat`), and external, an
    id of ours that the party keeps.
    """
    parts: dict[str, Part] = {kind: Part("contact_mechanisms", "value", {"type": kind}) for kind in REACHED}
    parts |= {part: Part("addresses", part, shared=True) for part in ADDRESS}
    parts["country"] = Part("addresses", "country", shared=True, says="two letters, such as CH")
    parts["tax_id"] = Part("identifiers", "code", {"type": tax_type}, says="of the kind `tax_type`")
    parts["external"] = Part("identifiers", "code", {"type": None}, EXTERNAL, says="an id of ours")
    described = Described(
        name=name,
        model="party.party",
        fields=PLAIN,
        abilities=ABILITIES,
        tables=(
            Table("party.party"),
            Table("party.contact_mechanism", "party", "contact_mechanisms"),
            Table("party.address", "party", "addresses"),
            Table("party.identifier", "party", "identifiers"),
        ),
        reads=[
            *(field.place for field in PLAIN),
            *(f"contact_mechanisms.{at}" for at in ("type", "value", "active")),
            *(f"addresses.{at}" for at in (*ADDRESS, "country.code", "active")),
            *(f"identifiers.{at}" for at in ("type", "code", "active")),
        ],
        finds={"external": "identifiers.code", "code": "code", "name": "name", **_FOUND},
        labels={"Name": "name", "Code": "code", "VAT Number": "tax_id", "Country": "country"},
        merged="replaced_by",
        size=page,
    )
    return Parties(described, connection, parts)


ABILITIES: Final = Abilities(
    feed=Feed.STAMP,
    granularity=0.00001,
    lag=10.0,
    creating=Creating.NONE,
    external_key="external",
    findable=("code", "name", "email", "phone", "mobile", "tax_id"),
    compare_and_set=True,
    archive={"active": False},
    batch=200,
    verified=date(2026, 11, 21),
)
"""Of parties. A change is seen once its transaction ends, with the time at which that began: hence the lag."""
_FOUND: Final = {
    **dict.fromkeys(("email", "phone", "mobile"), "contact_mechanisms.value"),
    "tax_id": "identifiers.code",
}


@dataclass(frozen=True)
class Parties(TrytonRemote):
    """Parties over one connection; `parts` says which fields are values of parts."""

    parts: Mapping[str, Part] = field(default_factory=dict[str, Part])

    @property
    def fields(self) -> Sequence[Field]:
        """Plain fields and those of parts."""
        parts = [Field(name, f"{part.parts}/{part.at}", says=part.says) for name, part in self.parts.items()]
        return [*self.described.fields, *parts]

    def session(self, rpc: Rpc) -> "PartiesSession":
        """The session of parties."""
        return PartiesSession(self.described, rpc, self.parts)


class PartiesSession(TrytonSession):
    """Parties, with their parts as flat fields."""

    def __init__(self, described: Described, rpc: Rpc, parts: Mapping[str, Part]) -> None:
        super().__init__(described, rpc)
        self._parts = parts
        self._countries: dict[str, int] = {}
        self._numbering = anyio.Lock()

    async def create(self, fields: Fields, *, key: str) -> Record:
        """A new record; see `routekit.remotes.Session`.

        A server on SQLite may give one number to parties that are made at once, and then refuses all but one of them.
        So those without a number are made one after the other, and one that somebody else was in the way of is unsent.
        """
        if fields.get("code") is not None:
            return await super().create(fields, key=key)
        async with self._numbering:
            try:
                return await super().create(fields, key=key)
            except Taken as error:
                if "code" not in error.message:
                    raise
                raise Unsent(f"{error.message} The server had given it itself.") from error

    def searched(self, name: str, value: Any) -> Any:
        """An id of ours as the identifier has it, all else as it is."""
        return f"{EXTERNAL}{value}" if name == "external" else value

    def fields(self, row: Mapping[str, Any]) -> Fields:
        """Plain fields, and those of parts; what there is no part for is cleared."""
        found = dict(fields_of(row, self.described.fields))
        for name, part in self._parts.items():
            had = part.of(row)
            value = None if had is None else found_at(had, "country./code" if name == "country" else part.at)
            found[name] = str(value).removeprefix(part.prefix) if value else None
        return found

    async def values(self, fields: Fields, row: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Plain fields, and the commands that change, make and delete parts."""
        plain = {name: value for name, value in fields.items() if name not in self._parts}
        written = document_of(plain, self.described.fields, self.described.name, new=row is None)
        changed: dict[tuple[str, int | str], dict[str, Any]] = {}
        commands: dict[str, list[Any]] = {}
        for name, value in fields.items():
            part = self._parts.get(name)
            if part is None:
                continue
            had = None if row is None else part.of(row)
            if value is None and not part.shared:
                commands.setdefault(part.parts, []).extend([] if had is None else [["delete", [had["id"]]]])
                continue
            place = had["id"] if had is not None else "new" if part.shared else f"new {name}"
            changed.setdefault((part.parts, place), {} if had is not None else dict(part.given)).update(
                {part.at: await self._value(name, value, part)}
            )
        for (parts, place), values in changed.items():
            command = ["write", [place], values] if isinstance(place, int) else ["create", [values]]
            if isinstance(place, int) or any(value is not None for value in values.values()):
                commands.setdefault(parts, []).append(command)
        return {**written, **commands}

    async def _value(self, name: str, value: Any, part: Part) -> Any:
        if name != "country" or value is None:
            return f"{part.prefix}{value}" if part.prefix else value
        if value not in self._countries:
            rows = await self.rpc.search_read("country.country", [["code", "=", value]], ["code"], limit=1)
            if not rows:
                why = f"the server knows no country '{value}': see trytond_import_countries"
                raise Refused(f"{self.described.name} does not take this country", fields={"country": why})
            self._countries[value] = rows[0]["id"]
        return self._countries[value]
