"""Sensitive: which values nobody needs to read, and bodies as data in which those are masked.

What is masked is said by the type of a field, `email: Annotated[str, Sensitive("email")]`, and by the names of fields
and keys, such as `password`. It is for showing only: the message itself is never changed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any, Final, cast
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_core import from_json

from .declared import fields, fields_of, item, key, marked
from .marks import LARGE, Sensitive, named_sensitive
from .options import MASK, masked
from .spellings import covered

MOST: Final = 8_000
"""Characters of a body that are shown, unless more are asked for."""

DEPTH: Final = 24
"""Levels of a body that are shown."""


def masked_body(body: object, kind: Any = None, *, keys: Sequence[str] = (), most: int = MOST) -> Any:
    """A body as JSON data in which what is sensitive is masked, for people to read; it never raises.

    `kind` is the type that plain data stands for, such as the body of a letter. Fields are masked by their annotations
    and by their names; `keys` are further names. Bytes are shown as their length, and what is no data by its class.
    At most about `most` characters are given: what is left out is said in its place, such as `... 990 more`.

    >>> masked_body({"user": "ada", "password": "hunter2", "photo": b"123"})
    {'user': 'ada', 'password': '***', 'photo': '<3 bytes>'}
    """
    return _Walk(tuple(keys), most).shown(body, kind, 0)


def seen_body(
    body: object, kind: Any = None, *, keys: Sequence[str] = (), most: int = MOST
) -> tuple[Any, Mapping[str, str]]:
    """What `masked_body` and `sensitive_texts` give, in one go."""
    walk = _Walk(tuple(keys), most)
    data = walk.shown(body, kind, 0)
    return data, walk.found if walk.whole else sensitive_texts(body, kind, keys=keys)


def sensitive_texts(body: object, kind: Any = None, *, keys: Sequence[str] = ()) -> Mapping[str, str]:
    """The sensitive texts in a body, each with its mask: what must not be read in other texts about it either."""
    walk = _Walk(tuple(keys), MOST * 8)
    walk.shown(body, kind, 0)
    return walk.found


def scrubbed(text: str, texts: Mapping[str, str]) -> str:
    """A text, such as that of an error, in which what `sensitive_texts` found is masked, and secrets of URIs are.

    It is found in other spellings too, and in pieces; see `spellings`.
    """
    return masked(covered(text, texts) if texts else text)


def found_at(kind: Any, path: Sequence[str | int], value: object) -> tuple[object, Mapping[str, str]]:
    """What stands at a path in data of that type, such as `("lines", 0, "email")`: masked if it is sensitive.

    Beside it the sensitive texts in it, each with its mask.
    """
    for part in path:
        known = fields_of(kind)
        named = named_sensitive(part) if isinstance(part, str) else None
        kind = known[part] if isinstance(part, str) and part in known else item(kind) or kind
        mark = marked(kind) or named
        if mark is not None:
            shown = mark.masked(value)
            return shown, {str(value): str(shown)} if value != shown else {}
    return value, sensitive_texts(value, kind)


class _Walk:
    """One way through a body: what has been seen on it, what was masked, and how much room is left."""

    def __init__(self, keys: tuple[str, ...], most: int) -> None:
        self._keys = keys
        self._room = most
        self._above: set[int] = set()
        self.found: dict[str, str] = {}

    @property
    def whole(self) -> bool:
        """Whether nothing was left out for want of room."""
        return self._room > 0

    def shown(self, value: Any, kind: Any, depth: int) -> Any:
        """A value that may be of the type `kind` by its declaration."""
        if value is None or isinstance(value, bool):
            return value
        mark = marked(kind)
        if mark is not None:
            return self._hidden(mark, value)
        simple = self._simple(value, depth)
        if simple is not _MORE:
            return simple
        if depth >= DEPTH or id(value) in self._above:
            return "..."
        self._above.add(id(value))
        try:
            return self._inner(value, kind, depth + 1)
        except Exception:  # a class of the author's with a will of its own: it must not stop what is shown
            return _classed(value)
        finally:
            self._above.discard(id(value))

    def _hidden(self, mark: Sensitive, value: object) -> Any:
        shown = mark.masked(value)
        self._remember(value, shown, 0)
        return self._taken(shown)

    def _remember(self, value: object, shown: Any, depth: int) -> None:
        """Texts below four characters are too common to be looked for elsewhere."""
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, str) or (isinstance(value, int) and value.bit_length() < LARGE):
            text = str(value)
            if len(text) >= 4 and not isinstance(value, bool):
                self.found[text] = shown if isinstance(shown, str) else MASK
        elif depth < DEPTH:
            for number, one in enumerate(_inside(value)):
                at = cast("list[Any]", shown)[number] if isinstance(shown, list) else MASK
                self._remember(one, at, depth + 1)

    def _simple(self, value: Any, depth: int) -> Any:
        """A value that has nothing in it, or `_MORE`."""
        if isinstance(value, str):
            return self._text(value.value if isinstance(value, Enum) else value, depth)
        if isinstance(value, bytes | bytearray):
            return self._taken(f"<{len(value):,} bytes>")
        if isinstance(value, int):
            return self._taken(int(value) if value.bit_length() < LARGE else f"<{value.bit_length():,} bits>")
        if isinstance(value, float):
            return self._taken(value if isfinite(value) else str(value))
        if isinstance(value, SecretStr | SecretBytes):
            return self._hidden(Sensitive("secret"), value)
        if isinstance(value, Enum):
            return self.shown(value.value, None, depth + 1)
        if isinstance(value, Decimal | UUID | PurePath | date | time | datetime | timedelta):
            return self._taken(value.isoformat() if isinstance(value, date | time) else str(value))
        return _MORE

    def _text(self, text: str, depth: int) -> Any:
        """JSON is shown as what it says; in other text what names itself is masked."""
        if depth < 3 and text[:1] in ("{", "[") and len(text) <= MOST * 4:
            try:
                data = from_json(text)
            except ValueError:
                pass
            else:
                return self.shown(data, None, depth + 1)
        room = max(self._room, 0)
        if len(text) > room:
            left = len(text) - room
            text = self._cleaned(text[:room]) + f"... {left:,} more characters"
            self._room = 0
            return text
        return self._taken(self._cleaned(text))

    def _cleaned(self, text: str) -> str:
        def hide(match: re.Match[str]) -> str:
            mark = named_sensitive(match["name"], self._keys)
            if mark is None:
                return match[0]
            self.found[match["value"]] = MASK
            return match[0].replace(match["value"], MASK)

        return _ASSIGNED.sub(hide, masked(text)) if len(text) > 6 else text

    def _taken(self, shown: Any) -> Any:
        self._room -= len(shown) if isinstance(shown, str) else 8
        return shown

    def _inner(self, value: Any, kind: Any, depth: int) -> Any:
        if isinstance(value, BaseModel):
            extra = value.__pydantic_extra__ or {}
            values = {**value.__dict__, **extra}
            if set(values) == {"root"}:
                return self.shown(values["root"], fields(type(value)).get("root"), depth)
            return self._mapping(values, fields(type(value)), depth)
        if is_dataclass(value) and not isinstance(value, type):
            return self._mapping(_attributes(value), fields(cast("type[Any]", type(value))), depth)
        if isinstance(value, tuple) and hasattr(kind_of := cast("type[Any]", type(cast("object", value))), "_asdict"):
            return self._mapping(cast("Any", value)._asdict(), fields(kind_of), depth)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[Any, Any]", value), fields_of(kind), depth, item(kind), key(kind))
        if isinstance(value, list | tuple | Set):
            return self._items(cast("Sequence[Any]", value), item(kind), depth)
        return _classed(value)

    def _mapping(
        self,
        items: Mapping[Any, Any],
        declared: Mapping[str, Any],
        depth: int,
        other: Any = None,
        names: Sensitive | None = None,
    ) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for number, (name, value) in enumerate(items.items()):
            if self._room <= 0:
                shown["..."] = f"{len(items) - number:,} more"
                break
            text = str(name) if names is None else str(self._hidden(names, name))
            self._room -= len(text)
            shown[_fresh(text, shown)] = self._field(text, value, declared.get(str(name), other), depth)
        return shown

    def _field(self, name: str, value: Any, kind: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        mark = marked(kind) or named_sensitive(name, self._keys)
        return self.shown(value, kind, depth) if mark is None else self._hidden(mark, value)

    def _items(self, values: Any, kind: Any, depth: int) -> list[Any]:
        shown: list[Any] = []
        for number, value in enumerate(values):
            if self._room <= 0:
                shown.append(f"... {len(values) - number:,} more")
                break
            self._room -= 2
            shown.append(self.shown(value, kind, depth))
        return shown


_MORE: Final = object()
"""Stands for a value with others in it."""

_ASSIGNED = re.compile(
    r"""(?P<name>[\w.-]{2,40})["']?\s*(?:[=:]|>)\s*["']?(?P<value>(?:(?:Bearer|Basic)\s+)?[^\s"'<>&,;}\]]{2,})"""
)
"""What looks like `name=value`, `"name": "value"` or `<name>value`."""


def _fresh(name: str, taken: Mapping[str, Any]) -> str:
    """A name that is not there yet: two masked ones may be equal."""
    number, fresh = 2, name
    while fresh in taken:
        number, fresh = number + 1, f"{name} ({number})"
    return fresh


def _classed(value: object) -> str:
    return f"<{type(value).__name__}>"


def _inside(value: object) -> Iterable[Any]:
    if isinstance(value, BaseModel):
        return value.__dict__.values()
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value).values()
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple | Set) else ()


def _attributes(value: object) -> dict[str, Any]:
    names = cast("Any", value).__dataclass_fields__
    return {name: getattr(value, name) for name in names if hasattr(value, name)}
