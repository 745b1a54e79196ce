"""Writes plain data, models and dataclasses as XML elements."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ..errors import BodyError
from ._elements import DEEPEST, TEXT
from ._table import fields_of

_START = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME = re.compile(f"[{_START}][{_START}\\-.0-9\xb7\u0300-\u036f\u203f\u2040]*")
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTES = _ESCAPES | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})


@dataclass(frozen=True, slots=True)
class Markup:
    """`attributes` is what the fields begin with that become attributes; if it is empty, none do."""

    attributes: str

    def element(self, name: str, value: Any, depth: int = 0) -> Iterator[str]:
        """The pieces of an element; raises BodyError for what cannot be in one."""
        if not is_name(name):
            raise BodyError(f"'{name}' cannot be the name of an element", hint="rename the field")
        if depth > DEEPEST:
            raise BodyError(f"the body is nested more than {DEEPEST} deep")
        if not _is_row(value):
            yield f"<{name}>{_text(name, value, _ESCAPES)}</{name}>"
            return
        row = fields_of(value)
        yield f"<{name}{''.join(self._attributes(row))}>"
        for key, inner in row.items():
            if inner is None or self._is_attribute(key):
                continue
            if key == TEXT:
                yield _text(key, inner, _ESCAPES)
            else:
                for each in _each(inner):
                    yield from self.element(key, each, depth + 1)
        yield f"</{name}>"

    def _is_attribute(self, key: str) -> bool:
        return bool(self.attributes) and key.startswith(self.attributes)

    def _attributes(self, row: Mapping[str, Any]) -> Iterator[str]:
        for key, value in row.items():
            if value is None or not self._is_attribute(key):
                continue
            name = key.removeprefix(self.attributes)
            if not is_name(name):
                raise BodyError(f"'{name}' cannot be the name of an attribute", hint="rename the field")
            yield f' {name}="{_text(key, value, _IN_ATTRIBUTES)}"'


def is_name(text: str) -> bool:
    """Whether elements and attributes can be called so."""
    return _NAME.fullmatch(text) is not None


def _is_row(value: object) -> bool:
    return isinstance(value, Mapping | BaseModel) or (is_dataclass(value) and not isinstance(value, type))


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple | set | frozenset):
        return cast("Iterable[Any]", value)
    return (value,)


def _text(name: str, value: Any, escapes: dict[int, str]) -> str:
    text = _plain(name, value)
    found = _FORBIDDEN.search(text)
    if found is not None:
        raise BodyError(f"{found[0]!r} cannot be in XML", column=name, hint="remove it first")
    return text.translate(escapes)


def _plain(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    try:
        plain = to_jsonable_python(value)
    except (PydanticSerializationError, UnicodeDecodeError) as error:
        raise BodyError(f"a {type(value).__name__} cannot be written as XML: {error}", column=name) from None
    if not isinstance(plain, str):
        raise BodyError(f"a {type(value).__name__} cannot be written as one element", column=name)
    return plain
