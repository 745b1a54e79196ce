"""Declared: what the types of bodies say about their fields, with the marks of those that are sensitive."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from .marks import Sensitive

_NOTHING: Final[Mapping[str, Any]] = {}

_R = TypeVar("_R")


def _remembered(function: Callable[[Any], _R]) -> Callable[[Any], _R]:
    """The same, once for each type; a type that cannot be hashed is asked again and again."""
    cached = lru_cache(maxsize=1024)(function)

    def asked(kind: Any) -> _R:
        try:
            return cached(kind)
        except TypeError:
            return function(kind)

    return asked


def _arms(kind: Any) -> Iterator[Any]:
    """What a type may be, without the marks around it."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _arms(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for arm in get_args(kind):
            yield from _arms(arm)
    else:
        yield kind


@_remembered
def marked(kind: Any) -> Sensitive | None:
    """The mark of a type, or of one that it may be."""
    origin = get_origin(kind)
    if origin is Annotated:
        first, *marks = get_args(kind)
        return next((mark for mark in marks if isinstance(mark, Sensitive)), None) or marked(first)
    if origin in (Union, UnionType):
        return next(filter(None, map(marked, get_args(kind))), None)
    return None


@_remembered
def fields_of(kind: Any) -> Mapping[str, Any]:
    """The declared types of the fields of all that a type may be, by name."""
    found: dict[str, Any] = {}
    for arm in _arms(kind):
        known: Mapping[str, Any] = fields(cast("type[Any]", arm)) if isinstance(arm, type) else _NOTHING
        for name, one in known.items():
            if name not in found or marked(one) is not None:
                found[name] = one
    return found


@_remembered
def fields(kind: type[Any]) -> Mapping[str, Any]:
    """The declared types of the fields of a model, dataclass, TypedDict or named tuple; of a model by alias too."""
    if issubclass(kind, BaseModel):
        found: dict[str, Any] = {}
        for name, info in kind.model_fields.items():
            declared: Any = info.annotation
            for mark in info.metadata:
                declared = Annotated[declared, mark]
            aliases = (name, info.alias, info.serialization_alias, info.validation_alias)
            found.update({alias: declared for alias in aliases if isinstance(alias, str)})
        return found
    if kind.__module__ == "builtins":
        return _NOTHING
    try:
        return get_type_hints(kind, include_extras=True)
    except Exception:  # a name that cannot be found any more: its fields are known by their names then
        return getattr(kind, "__annotations__", {})


@_remembered
def item(kind: Any) -> Any:
    """The declared type of what a list holds, or of the values of a mapping."""
    for arm in _arms(kind):
        arguments = [one for one in get_args(arm) if one is not ...]
        if arguments and get_origin(arm) is not Literal:
            return Union[tuple(arguments[1:] if _is_mapping(arm) else arguments)]  # noqa: UP007 - made of values
    return None


@_remembered
def key(kind: Any) -> Sensitive | None:
    """The mark of the keys of a mapping."""
    for arm in _arms(kind):
        if _is_mapping(arm) and get_args(arm):
            return marked(get_args(arm)[0])
    return None


def marks_in(kind: Any, path: str = "", within: tuple[Any, ...] = ()) -> Iterator[tuple[str, Sensitive]]:
    """The fields of a type that are marked, by their paths, such as `lines.email`; each class is gone through once."""
    mark = marked(kind)
    if mark is not None:
        yield path, mark
        return
    if kind is None or any(kind is one for one in within):
        return
    within = (*within, kind)
    for name, one in fields_of(kind).items():
        yield from marks_in(one, f"{path}.{name}" if path else name, within)
    named = key(kind)
    if named is not None:
        yield path, named
    yield from marks_in(item(kind), path, within)


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)
