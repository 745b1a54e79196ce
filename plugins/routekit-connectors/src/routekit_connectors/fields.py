"""The fields of a connector's records, and where the system has them: one table, read in both directions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from routekit import did_you_mean
from routekit.remotes import Fields, Refused
from routekit_http import found_at

NOTHING: Final = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in records, and where and how the system has it."""

    name: str
    at: str = ""
    """The place in the system's document, such as `address/street`; the name itself if nothing is said."""
    empty: Any = NOTHING
    """How the system writes that it is cleared; what reads so is None in a record."""
    read: Callable[[Any], Any] | None = None
    """What a record has for what the system has; not asked for None."""
    write: Callable[[Any], Any] | None = None
    """The other direction."""
    writable: bool = True
    fixed: bool = False
    """Whether it is written when a record is made, and never again."""
    says: str = ""
    """What it is, for the documentation, where the name does not say it."""

    @property
    def place(self) -> str:
        """Where the system has it."""
        return self.at or self.name


def fields_of(document: Any, table: Sequence[Field]) -> Fields:
    """The fields that a document of the system has; what is not in it is absent."""
    found: dict[str, Any] = {}
    for field in table:
        if _has(document, field.place):
            found[field.name] = _value(found_at(document, field.place), field)
    return found


def document_of(fields: Fields, table: Sequence[Field], what: str, *, new: bool = False) -> dict[str, Any]:
    """The document that writes these fields and no others; raises Refused for one that cannot be written."""
    known = {field.name: field for field in table}
    wrong = {name: _why(known.get(name), name, known) for name in fields if not _takes(known.get(name), new)}
    if wrong:
        raise Refused(f"{what} does not take {', '.join(wrong)}", fields=wrong)
    document: dict[str, Any] = {}
    for name, value in fields.items():
        field = known[name]
        _put(document, field.place, _written(value, field, what))
    return document


def seconds(text: Any) -> float:
    """A time as ISO 8601 has it, in seconds since 1970; without a zone it is taken to be UTC.

    >>> seconds("2026-11-21T12:00:00.5Z")
    1795262400.5
    """
    moment = datetime.fromisoformat(str(text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def iso(moment: float) -> str:
    """A time as ISO 8601 has it, in UTC, to the microsecond.

    >>> iso(1795262400.5)
    '2026-11-21T12:00:00.500000+00:00'
    """
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")


def _has(document: Any, place: str) -> bool:
    above, _, name = place.rpartition("/")
    holder = found_at(document, above)
    return isinstance(holder, Mapping) and name in cast("Mapping[str, Any]", holder)


def _value(value: Any, field: Field) -> Any:
    if value is None or value == field.empty:
        return None
    return value if field.read is None else field.read(value)


def _written(value: Any, field: Field, what: str) -> Any:
    if value is None:
        return field.empty
    if field.write is None:
        return value
    try:
        return field.write(value)
    except (TypeError, ValueError) as error:
        raise Refused(f"{what} does not take this {field.name}", fields={field.name: str(error)}) from error


def _takes(field: Field | None, new: bool) -> bool:
    return field is not None and field.writable and (new or not field.fixed)


def _why(field: Field | None, name: str, known: Mapping[str, Field]) -> str:
    if field is None:
        return f"there is no such field; {did_you_mean(name, known)}".rstrip("; ")
    return "it is written only when a record is made" if field.writable else "it can only be read"


def _put(document: dict[str, Any], place: str, value: Any) -> None:
    *above, name = place.split("/")
    for part in above:
        document = document.setdefault(part, {})
    document[name] = value
