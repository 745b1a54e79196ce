"""What a system does with one kind of object, as data: where it is, how it pages, what marks a version."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeAlias

from routekit import DefinitionError
from routekit.remotes import Abilities, Creating
from routekit.remotes import Feed as Kind

from .answers import Outcomes
from .fields import Field, iso, seconds
from .paging import Offset, Paging


@dataclass(frozen=True, slots=True)
class Etag:
    """The version of a record is its `ETag`, and a write that must not overwrite a newer one sends `If-Match`."""

    at: str = ""
    """A place in the row that has it too, for lists."""
    always: bool = False
    """Whether each write needs one: without a version it is read first, which the write then holds on to."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The version of a record is a field of it, which a write that must not overwrite a newer one sends back."""

    at: str
    param: str = ""
    """Where the document of a write has it; the same place if nothing is said."""


Versions: TypeAlias = Etag | Marked


@dataclass(frozen=True, slots=True)
class Find:
    """How records are found by one field: the parameter of a list."""

    param: str
    exact: bool = True
    """Whether only those come that have that value; otherwise what else comes is left out here."""
    fold: bool = False
    """Whether the letters' case does not count."""


@dataclass(frozen=True, slots=True)
class Since:
    """A feed by time: what was changed at or after it, by a parameter of a list."""

    param: str
    paging: Paging
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else is asked for, such as the order."""
    write: Callable[[float], Any] = iso


@dataclass(frozen=True, slots=True)
class Tokens:
    """A feed by token: what was changed since, and the token for the next look, which the last page has at `resume`."""

    param: str
    resume: str
    paging: Paging
    path: str = ""
    """Where the feed is, if not in the list itself."""
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of object of one system over HTTP. Places are as in `{"data": {"rows": []}}` -> `data/rows`."""

    name: str
    """Such as `bottlecrm contacts`."""
    path: str
    """Of the list, behind the URL of the connection."""
    item: str = ""
    """Of one record, with `{id}`; the list's path and the id if nothing is said."""
    fields: Sequence[Field]
    abilities: Abilities
    rows: str = ""
    """Where a list's document has its rows."""
    row: str = ""
    """Where the answer to one id has the record."""
    made: str = ""
    """Where the answer to a write has the record, or what there is of it, such as its id."""
    id: str = "id"
    stamp: str = ""
    """Where a row has the time of its last change."""
    stamp_of: Callable[[Any], float] = seconds
    version: Versions | None = None
    dead: str = ""
    """A place in a row that is true if the record is deleted, though it is still shown."""
    merged: str = ""
    """A place in a row that names the record it was merged into."""
    scan: Paging = field(default_factory=Offset)
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What each read asks for, such as the fields."""
    bare: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a scan without fields asks for in its place."""
    feed: Since | Tokens | None = None
    finds: Mapping[str, Find] = field(default_factory=dict[str, Find])
    many: str = ""
    """The parameter that takes several ids, with commas between."""
    update: Literal["PATCH", "PUT", "POST"] = "PATCH"
    natural: str = ""
    """The path of an upsert by `Abilities.external_key`, with `{key}`, asked with PUT."""
    idempotency: str = ""
    """The header that takes the key of a create."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    outcomes: Outcomes = field(default_factory=Outcomes)
    experimental: bool = False
    """Whether it was made by documents alone, without a system to try it on."""
    seen: date | None = None
    """When it was last seen to hold on a real system."""

    @property
    def one(self) -> str:
        """The path of one record."""
        return self.item or f"{self.path.rstrip('/')}/{{id}}"

    def __post_init__(self) -> None:
        """Raise DefinitionError where the abilities say one thing and the rest another."""
        for problem in self._problems():
            raise DefinitionError(f"the profile of {self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        abilities, names = self.abilities, {field.name for field in self.fields}
        kind = {None: Kind.NONE, Since: Kind.STAMP, Tokens: Kind.TOKEN}[None if self.feed is None else type(self.feed)]
        if abilities.feed is not kind:
            yield f"its abilities name a feed by {abilities.feed}, and it has one by {kind}"
        if abilities.feed is Kind.STAMP and not self.stamp:
            yield "a feed by stamp needs the place of the stamp"
        if abilities.compare_and_set != (self.version is not None):
            yield "compare_and_set is what `version` is there for"
        if (abilities.creating is Creating.NATURAL) != bool(self.natural):
            yield "a natural create is what the path `natural` is there for"
        if (abilities.batch > 1) != bool(self.many):
            yield "batch is what the parameter `many` is there for"
        for name in (*abilities.findable, *([abilities.external_key] if abilities.external_key else [])):
            if name not in names or name not in self.finds:
                yield f"'{name}' is to be found by: it has to be a field, and in `finds`"
        for name in abilities.archive or ():
            if name not in names:
                yield f"'{name}' archives, and is no field"
