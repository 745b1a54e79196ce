"""Keeping parts and branches apart: what one changes never shows in another, in its parent or in a retry."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import BaseModel

from .message import Message

T = TypeVar("T")

_ATOMS = frozenset(
    {NoneType, bool, int, float, complex, str, bytes, date, datetime, time, timedelta, Decimal, UUID, type}
)


def isolated(body: T) -> T:
    """`body` itself if nothing can change it, else a copy that shares nothing that can change.

    Frozen models and dataclasses of plain values cost nothing; others are copied whole.
    """
    kind = type(body)
    if kind in _ATOMS or unchanging(kind):
        return body
    if kind is dict:
        row = cast("dict[Any, Any]", body)
        if all(type(value) in _ATOMS for value in row.values()):  # a flat row, the usual case
            return cast("T", row.copy())
    if isinstance(body, BaseModel):
        return body.model_copy(deep=True)
    return deepcopy(body)


def apart(message: Message[T]) -> Message[T]:
    """The message with an isolated body."""
    body = isolated(message.body)
    return message if body is message.body else message.with_body(body)


@lru_cache(maxsize=4096)
def unchanging(kind: Any) -> bool:
    """Whether no value of this type can be changed, judged by the type alone."""
    return _unchanging(kind, frozenset())


def _unchanging(kind: Any, within: frozenset[Any]) -> bool:
    """The same inside the types `within`: a tree of frozen nodes holds more of its own."""
    if kind in _ATOMS or kind in within:
        return True
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return all(_unchanging(arm, within) for arm in get_args(kind))
    if origin is Literal:
        return True
    if origin in (tuple, frozenset):
        return all(arm is Ellipsis or _unchanging(arm, within) for arm in get_args(kind))
    if not isinstance(kind, type):
        return False
    of: type[Any] = kind
    if issubclass(of, Enum | PurePath):
        return True
    return _frozen(of) and all(_unchanging(hint, within | {of}) for hint in _hints(of))


def _frozen(kind: type[Any]) -> bool:
    if issubclass(kind, BaseModel):
        open_ended = kind.model_config.get("extra") == "allow" or bool(kind.__private_attributes__)
        return bool(kind.model_config.get("frozen")) and not open_ended
    return is_dataclass(kind) and bool(kind.__dataclass_params__.frozen)


def _hints(kind: type[Any]) -> Iterable[Any]:
    names = list(kind.model_fields) if issubclass(kind, BaseModel) else [field.name for field in fields(kind)]
    try:
        hints = get_type_hints(kind)
    except NameError:  # a type that only the checker sees: take the careful way
        return [list]
    return [hints.get(name, list) for name in names]
