"""Reading: which values of a message an author's function looks at, found in its code and never by calling it."""

import dis
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from types import CodeType
from typing import Any, Final, TypeAlias, cast

from ..callables import arity
from ..declared import fields, marked
from ..marks import named_sensitive
from ..message import Message
from ..options import MASK
from ..sensitive import masked_body, scrubbed

Part: TypeAlias = tuple[str, Any]
"""One step of a path: `("attr", name)` or `("item", key)`."""

Path: TypeAlias = tuple[str, tuple[Part, ...]]
"""What a function reads: the name that it begins with, and how it goes on from there."""

MOST: Final = 8
"""Values that are named of one decision."""

WIDE: Final = 60
"""Characters of a value that are shown."""

_ABSENT: Final = object()
_SIMPLE = (str, int, float, Decimal, date, Enum)


def values_read(
    function: Callable[..., Any], message: Message[Any], texts: Mapping[str, str], keys: Sequence[str] = ()
) -> list[str]:
    """What a function of `(body)` or `(body, message)` reads of it, such as `lead.email = 'x***'`, masked.

    Fields, keys of mappings, headers, and simple values of its module that it compares with. `texts` are the sensitive
    texts in the body, `keys` further names that are sensitive. Nothing that can have an effect is called: a property
    is looked at only where it is that of a plain class, and what cannot be read is left out.
    """
    try:
        return _Reading(function, message, texts, keys).said()
    except Exception:  # an author's code of any kind: a decision without values is better than none
        return []


class _Reading:
    def __init__(
        self, function: Callable[..., Any], message: Message[Any], texts: Mapping[str, str], keys: Sequence[str]
    ) -> None:
        self._texts = texts
        self._keys = keys
        self._function, self._paths, names = _shape(function)
        self._given = dict(zip(names, (message.body, message), strict=False))

    def said(self) -> list[str]:
        """All that it reads, each once, the bare body only if nothing else is known."""
        bare = [path for path in self._paths if not path[1] and path[0] in self._given]
        found = dict.fromkeys(self._text(path) for path in self._paths if path not in bare)
        found.pop("", None)
        if not found:
            found = dict.fromkeys(text for path in bare if (text := self._text(path)))
        return list(found)[:MOST]

    def _text(self, path: Path) -> str:
        name, parts = path
        if name in self._given:
            return self._of_message(name, self._given[name], parts)
        return self._of_module(name) if not parts else ""

    def _of_message(self, name: str, value: Any, parts: tuple[Part, ...]) -> str:
        said, mark = name, None
        within: Any = None
        for how, key in parts:
            inner, within = _stepped(value, how, key)
            if inner is _ABSENT or callable(inner):
                break  # a method: it is what it belongs to that is read
            value = inner
            said += f".{key}" if how == "attr" else f"[{key!r}]"
            mark = marked(within) or (named_sensitive(key, self._keys) if isinstance(key, str) else None) or mark
            if within is _UNDECLARED and isinstance(value, str) and self._texts:
                return f"{said} = {MASK!r}"  # it may have been made of what is sensitive
        if isinstance(value, Message):
            return ""
        shown = value if value is None or isinstance(value, bool) else None
        if shown is None and value is not None:
            shown = masked_body(value, within, keys=self._keys, most=WIDE * 4) if mark is None else mark.masked(value)
        return f"{said} = {scrubbed(_short(shown), self._texts)}"

    def _of_module(self, name: str) -> str:
        """A constant that the function compares with."""
        value = _outside(self._function).get(name, _ABSENT)
        if isinstance(value, bool) or not isinstance(value, _SIMPLE) or named_sensitive(name, self._keys):
            return ""
        return f"{name} = {scrubbed(_short(masked_body(value)), self._texts)}"


@lru_cache(maxsize=1024)
def _shape(function: Callable[..., Any]) -> tuple[Any, Sequence[Path], Sequence[str]]:
    """The function itself, what it reads, and how it names body and message."""
    while isinstance(function, partial):
        function = function.func
    inner: Any = getattr(function, "__func__", function)
    code: CodeType | None = getattr(inner, "__code__", None)
    if code is None:
        return inner, (), ()
    names = code.co_varnames[: code.co_argcount][1 if hasattr(function, "__self__") else 0 :]
    return inner, paths_of(code), names[: arity(function)]


_UNDECLARED: Final = object()
"""For the type of an attribute that is no field."""


def _stepped(value: Any, how: str, key: Any) -> tuple[Any, Any]:
    """What stands there, and its declared type."""
    if how == "item":
        if isinstance(value, Mapping):
            return cast("Mapping[Any, Any]", value).get(key, None), None
        items = cast("list[Any]", value) if isinstance(value, list | tuple) else []
        return (items[key] if isinstance(key, int) and -len(items) <= key < len(items) else _ABSENT), None
    kind = cast("type[Any]", type(value))
    declared = fields(kind)
    if key in declared:
        return getattr(value, key, _ABSENT), declared[key]
    if isinstance(value, Message):
        return getattr(cast("Message[Any]", value), key, _ABSENT), None
    if isinstance(getattr(kind, key, None), property) and declared:
        return getattr(value, key, _ABSENT), _UNDECLARED
    own = cast("Mapping[str, Any]", getattr(cast("object", value), "__dict__", {}))
    return (own[key] if key in own else getattr(kind, key, _ABSENT)), None


def _outside(function: Any) -> Mapping[str, Any]:
    code, cells = function.__code__, function.__closure__ or ()
    free: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars, cells, strict=False):
        try:
            free[name] = cell.cell_contents
        except ValueError:  # it is not set yet
            continue
    known = function.__globals__
    return free or {} if not known else {**{name: known[name] for name in code.co_names if name in known}, **free}


def _short(value: object) -> str:
    if isinstance(value, list) and value:
        return f"<list of {len(cast('list[Any]', value)):,}>"
    text = repr(cast("object", value))
    return text if len(text) <= WIDE else f"{text[:WIDE]}..."


_LOADS = ("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
_ATTRS = ("LOAD_ATTR", "LOAD_METHOD")
_NOISE = ("RESUME", "PRECALL", "CACHE", "PUSH_NULL", "COPY_FREE_VARS", "MAKE_CELL", "NOT_TAKEN", "EXTENDED_ARG")


@lru_cache(maxsize=4096)
def paths_of(code: CodeType) -> tuple[Path, ...]:
    """The paths that the code of a function reads, in their order; those of functions inside it too.

    >>> paths_of((lambda order: order.total > 5 and order.lines[0]["sku"]).__code__)
    (('order', (('attr', 'total'),)), ('order', (('attr', 'lines'), ('item', 0), ('item', 'sku'))))
    """
    found: list[Path] = []
    name, parts = "", list[Part]()
    constant: Any = _ABSENT
    getting = False

    def close() -> None:
        nonlocal name, parts, constant, getting
        if name:
            found.append((name, tuple(parts)))
        name, parts, constant, getting = "", [], _ABSENT, False

    for one in dis.get_instructions(code):
        said = one.opname
        if said in _NOISE:
            continue
        if said in _LOADS:
            close()
            name = str(one.argval)
        elif said.startswith("LOAD_FAST_") and not isinstance(one.argval, str):  # several at once, in later versions
            for each in cast("Sequence[str]", one.argval):
                close()
                name = each
        elif name and said in _ATTRS:
            getting = one.argval == "get"
            parts += [] if getting else [("attr", one.argval)]
        elif name and said.startswith(("LOAD_CONST", "LOAD_SMALL_INT")) and constant is _ABSENT:
            constant = one.argval
        elif name and constant is not _ABSENT and (_subscribes(said, one.argrepr) or (getting and said == "CALL")):
            parts.append(("item", constant))
            constant, getting = _ABSENT, False
        else:
            close()
    close()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += [path for path in paths_of(constant) if path[0] in constant.co_freevars]
    return tuple(dict.fromkeys(found))


def _subscribes(opname: str, said: str) -> bool:
    return opname == "BINARY_SUBSCR" or (opname == "BINARY_OP" and said == "[]")
