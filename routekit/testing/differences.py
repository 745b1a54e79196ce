"""How a message differs from what a test expects of it, field by field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from types import FunctionType, MethodType
from typing import Any, cast

from pydantic import BaseModel

from ..callables import name_of
from ..plain import plain

_MOST = 100
"""Characters of a value that are shown."""


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
"""What stands in the place of a field that is not there."""


class having:  # noqa: N801 - reads as a word: expect([having(id=1)])
    """A body with at least these fields, `having(id=1, lines=[having(sku="a")])`; others may be anything.

    Fields whose names are no identifiers are given as a dict: `having({"file.name": "a.csv"})`.
    """

    def __init__(self, fields: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self.fields = {**(fields or {}), **more}

    def __repr__(self) -> str:
        return f"having({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"


@dataclass(frozen=True)
class Difference:
    """One field, by its path such as `lines.0.sku`; the path is empty for the body itself."""

    path: str
    expected: Any
    found: Any
    reason: str = ""
    """What a function that decides has raised."""

    def __str__(self) -> str:
        expected, found = self.expected, self.found
        if isinstance(expected, FunctionType | MethodType):
            because = f", {self.reason}" if self.reason else ""
            return f"{self._field}{name_of(expected)} does not hold for {shown(found)}{because}"
        if isinstance(expected, type):
            return f"{self._field}expected a {expected.__name__}, sent {shown(found)}"
        if isinstance(expected, str) and isinstance(found, str) and max(len(expected), len(found)) > _MOST:
            at = next((n for n, (one, other) in enumerate(zip(expected, found, strict=False)) if one != other), None)
            at = min(len(expected), len(found)) if at is None else at
            return (
                f"{self._field}expected {_around(expected, at)}, sent {_around(found, at)}, from character {at + 1} on"
            )
        return f"{self._field}expected {shown(expected)}, sent {shown(found)}"

    @property
    def _field(self) -> str:
        return f"{self.path}: " if self.path else ""


def differences(expected: Any, found: Any, path: str = "") -> list[Difference]:
    """In what `found` is not as expected; empty if it is.

    A model or dataclass is as expected if a dict has its fields. `having(...)` looks at some fields only, a class at
    the class, and a function decides by itself; all three may stand for a field too.
    """
    return list(_differences(expected, found, path))


def shown(value: object) -> str:
    """A value as it is printed, shortened in the middle."""
    if isinstance(value, FunctionType | MethodType):
        return name_of(value)
    text = value.__name__ if isinstance(value, type) else repr(value)
    half = _MOST // 2
    return text if len(text) <= _MOST else f"{text[:half]} ... {text[-half:]}"


def closeness(expected: Any, found: Any) -> float:
    """How much of what is expected is there, from 0 to 1."""
    wanted = plain(expected.fields if isinstance(expected, having) else expected)
    fields = sum(1 for _ in _leaves(wanted))
    wrong = sum(max(1, sum(1 for _ in _leaves(one.expected))) for one in differences(expected, found))
    return max(0.0, 1 - wrong / fields) if fields else 0.0


def fielded(expected: object) -> bool:
    """Whether it is made of fields, so that another body can be more or less like it."""
    return isinstance(expected, having | Mapping | list) or _classed(expected)


def _differences(expected: Any, found: Any, path: str) -> Iterator[Difference]:
    if isinstance(expected, having):
        there = plain(found)
        if not isinstance(there, Mapping):
            yield Difference(path, expected, found)
            return
        fields = cast("Mapping[Any, Any]", there)
        for name, value in expected.fields.items():
            yield from _field(value, fields.get(name, NOTHING), _inner(path, name))
    elif isinstance(expected, type):
        if not isinstance(found, expected) and found is not expected:
            yield Difference(path, cast("object", expected), found)
    elif isinstance(expected, FunctionType | MethodType):
        try:
            holds, reason = bool(expected(found)), ""
        except Exception as error:  # the author's function: made for another message, or broken, and that is told
            holds, reason = False, f"{type(error).__name__}: {error}"
        if not holds:
            yield Difference(path, expected, found, reason)
    elif _classed(expected) and _classed(found) and type(expected) is not type(found):
        yield Difference(path, expected, found)
    else:
        yield from _within(plain(expected), plain(found), path)


def _within(expected: Any, found: Any, path: str) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        wanted, there = cast("Mapping[Any, Any]", expected), cast("Mapping[Any, Any]", found)
        for name in [*wanted, *(name for name in there if name not in wanted)]:
            yield from _field(wanted.get(name, NOTHING), there.get(name, NOTHING), _inner(path, name))
    elif isinstance(expected, list) and isinstance(found, list):
        wants, has = cast("list[Any]", expected), cast("list[Any]", found)
        for at in range(max(len(wants), len(has))):
            one = wants[at] if at < len(wants) else NOTHING
            other = has[at] if at < len(has) else NOTHING
            yield from _field(one, other, _inner(path, at))
    elif expected is not found and expected != found:
        yield Difference(path, expected, found)


def _field(expected: Any, found: Any, path: str) -> Iterator[Difference]:
    if expected is NOTHING or found is NOTHING:
        yield Difference(path, expected, found)
    else:
        yield from _differences(expected, found, path)


def _inner(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _classed(value: object) -> bool:
    return isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, having):
        value = value.fields
    if isinstance(value, Mapping):
        for inner in cast("Mapping[Any, Any]", value).values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _leaves(inner)
    else:
        yield value


def _around(text: str, at: int) -> str:
    begin, end = max(0, at - 20), at + 40
    return f"{'...' if begin else ''}{text[begin:end]!r}{'...' if end < len(text) else ''}"
