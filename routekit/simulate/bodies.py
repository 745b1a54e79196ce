"""Bodies for the messages of a simulation, made from the types of the routes."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin
from typing import get_type_hints as hints_of
from uuid import UUID

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType, is_typeddict

from ..errors import BodyError, DefinitionError
from ..fitting import checking

_TRIES = 40
"""Values that are tried before a type is said to be too choosy."""

_WORDS = ("ann", "bob", "cid", "dan")
"""Texts are few, so that keys meet; those whose name says that they identify are numbered."""

_USUAL = {
    "country": "DE",
    "currency": "EUR",
    "language": "de",
    "phone": "+49891234567",
    "mobile": "+49891234568",
    "tel": "+49891234569",
    "telephone": "+49891234569",
    "url": "https://example.com/",
    "zone": "Europe/Berlin",
}
"""Texts for fields whose names say what a clean one looks like."""

_NAMING = ("id", "key", "number", "no", "email", "mail", "uuid", "sku", "ref", "reference", "code")


class Bodies:
    """Makes bodies of one type; raises DefinitionError for a type of which it can make none."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._check = checking(kind) if kind is not None else None

    def make(self, number: int, random: Random) -> Any:
        """The body of message `number`, counted from 1."""
        if self._check is None:
            return {"id": number, "name": random.choice(_WORDS), "amount": random.randrange(100)}
        last: Exception | None = None
        for _ in range(_TRIES):
            try:
                return self._check(_made(self._kind, number, random, "", 0))
            except (ValidationError, BodyError, ValueError, TypeError) as error:
                last = error
        kind = getattr(self._kind, "__name__", self._kind)
        hint = "give them yourself: simulate(..., inputs={'<route>': [...]})"
        raise DefinitionError(f"no bodies of type {kind} can be made: {last}", hint=hint)


def _made(kind: Any, number: int, random: Random, name: str, depth: int) -> Any:
    origin = get_origin(kind)
    if isinstance(kind, TypeAliasType):
        return _made(kind.__value__, number, random, name, depth)
    if origin is Annotated:
        inner, *marks = get_args(kind)
        return _within(_made(inner, number, random, name, depth), marks, number, random)
    if origin in (Required, NotRequired):
        return _made(get_args(kind)[0], number, random, name, depth)
    if origin in (Union, UnionType):
        arms = [arm for arm in get_args(kind) if arm is not NoneType or depth]
        return _made(random.choice(arms), number, random, name, depth)
    if origin is Literal:
        return random.choice(get_args(kind))
    if origin is not None:
        return _collection(origin, get_args(kind), number, random, name, depth)
    if isinstance(kind, type):
        return _value(cast("type[Any]", kind), number, random, name, depth)
    return _anything(number, random)


def _value(kind: type[Any], number: int, random: Random, name: str, depth: int) -> Any:
    if issubclass(kind, Enum):
        return random.choice(list(kind))
    if issubclass(kind, BaseModel):
        return _of_model(kind, number, random, depth)
    if is_dataclass(kind) or is_typeddict(kind):
        return _of_fields(kind, number, random, depth)
    if kind in (list, tuple, set, frozenset, dict):
        return _collection(kind, (), number, random, name, depth)
    return _plain(kind, number, random, name)


def _plain(kind: type[Any], number: int, random: Random, name: str) -> Any:
    naming = not name or _names(name)
    if issubclass(kind, bool):
        return random.random() < 0.5
    if issubclass(kind, int):
        return number if naming else random.randrange(1, 100)
    if issubclass(kind, float):
        return float(number) if naming else random.randrange(1, 10_000) / 4
    if issubclass(kind, Decimal):
        return Decimal(number if naming else random.randrange(1, 10_000)) / 4
    if issubclass(kind, str):
        return _text(number, random, name)
    if issubclass(kind, bytes):
        return _text(number, random, name).encode()
    if issubclass(kind, datetime):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=random.randrange(1000))
    simple: Mapping[type[Any], Any] = {
        date: date(2026, 1, 1) + timedelta(days=random.randrange(300)),
        time: time(random.randrange(24)),
        timedelta: timedelta(minutes=random.randrange(1000)),
        UUID: UUID(int=number),
        NoneType: None,
    }
    if kind in simple:
        return simple[kind]
    if issubclass(kind, PurePath):
        return Path(f"file-{number}")
    return _by_schema(kind, number, random, name)


def _by_schema(kind: type[Any], number: int, random: Random, name: str) -> Any:
    """A value of a type that only pydantic knows, such as an AwareDatetime."""
    try:
        schema = TypeAdapter[Any](kind).json_schema()
    except PydanticUserError:
        return _anything(number, random)
    formats = {"date-time": datetime, "date": date, "time": time, "duration": timedelta, "uuid": UUID, "path": Path}
    simple = {"integer": int, "number": float, "boolean": bool, "string": str}
    if schema.get("format") == "email":
        return _text(number, random, "email")
    if schema.get("format") in ("uri", "url"):
        return f"https://example.com/{number}"
    found = formats.get(schema.get("format", "")) or simple.get(schema.get("type", ""))
    return _anything(number, random) if found is None else _plain(found, number, random, name)


def _text(number: int, random: Random, name: str) -> str:
    last = name.lower().replace("-", "_").split("_")[-1]
    if "mail" in last:
        return f"{random.choice(_WORDS)}{number}@example.com"
    if not name or _names(name):
        return f"{last or 'text'}-{number}"
    if last in _USUAL:
        return _USUAL[last]
    if last in ("date", "at", "day", "received"):
        return "2026-01-02T03:04:05+00:00"
    return random.choice(_WORDS)


def _names(name: str) -> bool:
    """Whether a field of that name tells one thing from another."""
    return name.lower().replace("-", "_").split("_")[-1] in _NAMING


def _collection(origin: Any, of: Sequence[Any], number: int, random: Random, name: str, depth: int) -> Any:
    few = 0 if depth > 3 else random.randrange(1, 4)
    if origin is tuple and of and of[-1] is not Ellipsis:
        return tuple(_made(arm, number, random, name, depth + 1) for arm in of)
    if _is_a(origin, Mapping):
        key, value = of or (str, Any)
        return {
            _made(key, n, random, "", depth + 1): _made(value, number, random, "", depth + 1) for n in range(1, few + 1)
        }
    inner = of[0] if of else Any
    items = [_made(inner, number * 10 + n, random, name, depth + 1) for n in range(few)]
    return tuple(items) if origin is tuple else items


def _is_a(origin: Any, kind: type[Any]) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)


def _of_model(kind: type[BaseModel], number: int, random: Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if not field.is_required() and (depth > 3 or random.random() < 0.3):
            continue
        value = _made(field.annotation, number, random, name, depth + 1)
        made[_known_as(name, field, kind)] = _within(value, field.metadata, number, random)
    return made


def _known_as(name: str, field: FieldInfo, kind: type[BaseModel]) -> str:
    alias = field.validation_alias
    return alias if isinstance(alias, str) and not kind.model_config.get("validate_by_name") else name


def _of_fields(kind: Any, number: int, random: Random, depth: int) -> dict[str, Any]:
    hints = hints_of(kind, include_extras=True)
    optional = {
        one.name for one in (fields(kind) if is_dataclass(kind) else ()) if _defaulted(one) and random.random() < 0.3
    }
    left = {name: hint for name, hint in hints.items() if name not in optional}
    if is_dataclass(kind):
        left = {one.name: hints[one.name] for one in fields(kind) if one.init and one.name not in optional}
    return {name: _made(hint, number, random, name, depth + 1) for name, hint in left.items()}


def _defaulted(field: Any) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _within(value: Any, marks: Sequence[Any], number: int, random: Random) -> Any:
    """A value inside the limits of its field; what limits are not understood the type's own check judges."""
    for mark in marks:
        if isinstance(mark, FieldInfo):
            value = _within(value, mark.metadata, number, random)
        elif isinstance(mark, MinLen) and isinstance(value, str) and len(value) < mark.min_length:
            value = value + "".join(random.choices(string.ascii_lowercase, k=mark.min_length - len(value)))
        elif isinstance(mark, MaxLen) and isinstance(value, str | bytes | list | tuple):
            value = _cut(cast("Any", value), mark.max_length)
    return _number(value, marks) if type(value) in (int, float, Decimal) else value


def _cut(value: Any, most: int) -> Any:
    """The last of it, where numbers are."""
    return value[-most:] if most else value[:0]


def _number(value: Any, marks: Sequence[Any]) -> Any:
    kind = cast("type[Any]", type(value))
    low = max((kind(mark.ge) for mark in marks if isinstance(mark, Ge)), default=None)
    above = max((kind(mark.gt) for mark in marks if isinstance(mark, Gt)), default=None)
    high = min((kind(mark.le) for mark in marks if isinstance(mark, Le)), default=None)
    below = min((kind(mark.lt) for mark in marks if isinstance(mark, Lt)), default=None)
    step = next((kind(mark.multiple_of) for mark in marks if isinstance(mark, MultipleOf)), None)
    least = kind(1) if issubclass(kind, int) else kind(1) / kind(4)
    if low is not None and value < low:
        value = low + value % 7
    if above is not None and value <= above:
        value = above + least
    if high is not None and value > high:
        value = high if low is None else low + (value - low) % (high - low + least)
    if below is not None and value >= below:
        value = below - least
    return value if step is None else value - value % step


def _anything(number: int, random: Random) -> Any:
    return {"id": number, "name": random.choice(_WORDS)}
