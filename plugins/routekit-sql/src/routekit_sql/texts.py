"""A value of a body as text, which a server reads by the type of its column and refuses if it does not fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from math import isnan
from pathlib import PurePath
from typing import Any, Final, cast
from uuid import UUID

from pydantic import AnyUrl, BaseModel, SecretBytes, SecretStr
from sqlalchemy import ARRAY, Column, Date, DateTime, Interval, LargeBinary, Numeric, String
from sqlalchemy.types import Integer, NullType

from .values import as_json, needs_json, refuse

PLAIN: Final = frozenset({str, type(None)})
"""The types that need no text made of them."""


def text_of(value: Any, column: Column[Any]) -> Any:
    """The value as text, bytes as they are; raises BodyError for one that cannot be stored without loss.

    Times with an offset become UTC, and lose the offset where the column keeps none. Booleans become
    numbers in columns of numbers. Lists become arrays in columns of arrays; they and mappings become JSON in JSON and
    text columns.
    """
    if value is None:
        return None
    if needs_json(column):
        return as_json(value, column)
    kind: Any = column.type
    if isinstance(kind, ARRAY):
        return (
            _array(value, Column[Any](column.name, cast("Any", kind).item_type))
            if _is_list(value)
            else _other(value, column)
        )
    return value if type(value) is str else _other(value, column)


def texts_of(values: Sequence[Any], column: Column[Any]) -> Sequence[Any]:
    """The values of many rows for one column: what all of them need is found out at once."""
    kinds = frozenset(map(type, values))
    if not needs_json(column) and not isinstance(column.type, ARRAY | Integer):
        if kinds <= PLAIN:
            return values
        if kinds == frozenset[type]((float,)) and not any(map(isnan, values)):
            return list(map(float.__repr__, values))
    if kinds == frozenset[type]((int,)) and not needs_json(column):
        return list(map(int.__repr__, values))
    return [text_of(value, column) for value in values]


def _other(value: Any, column: Column[Any]) -> Any:
    convert = next((_AS[kind] for kind in type(value).__mro__ if kind in _AS), None)
    if convert is not None:
        return convert(value, column)
    if isinstance(value, BaseModel) or is_dataclass(value):
        return _nested(value, column)
    return refuse(value, column)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


def _array(values: Any, item: Column[Any]) -> str:
    """The values in the form of PostgreSQL (postgresql.org/docs: 8.15, Arrays)."""
    return "{" + ",".join(_item(value, item) for value in values) + "}"


def _item(value: Any, item: Column[Any]) -> str:
    if value is None:
        return "NULL"
    if _is_list(value):
        return _array(value, item)
    found = text_of(value, item)
    if isinstance(found, bytes):
        found = f"\\x{found.hex()}"
    return '"' + found.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _nested(value: Any, column: Column[Any]) -> str:
    return as_json(value, column) if isinstance(column.type, String | NullType) else refuse(value, column)


def _boolean(value: bool, column: Column[Any]) -> str:
    return str(int(value)) if isinstance(column.type, Integer | Numeric) else str(value).lower()


def _number(value: float, column: Column[Any]) -> str:
    if value != value:
        return refuse(value, column, "NaN cannot be stored")
    whole = isinstance(column.type, Integer) and value.is_integer()
    return str(int(value)) if whole else repr(float(value))


def _moment(value: datetime, column: Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, Date) and value.time() != time():
        return refuse(value, column)
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
        if isinstance(kind, DateTime) and not kind.timezone:
            value = value.replace(tzinfo=None)
    return value.isoformat(" ")


def _span(value: timedelta, column: Column[Any]) -> str:
    if not isinstance(column.type, Interval):
        return repr(value.total_seconds())
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


def _bytes(value: Any, column: Column[Any]) -> bytes:
    return bytes(value) if isinstance(column.type, LargeBinary | NullType) else refuse(value, column)


def _text(value: object, column: Column[Any]) -> str:
    return str(value)


_AS: Final[Mapping[type, Callable[[Any, Column[Any]], Any]]] = {
    SecretStr: refuse,  # printed as stars: it would destroy what is stored
    SecretBytes: refuse,
    Enum: lambda value, column: text_of(value.value, column),
    datetime: _moment,
    date: lambda value, column: value.isoformat(),
    time: lambda value, column: value.isoformat(),
    timedelta: _span,
    Decimal: _text,
    UUID: _text,
    PurePath: _text,
    IPv4Address: _text,
    IPv6Address: _text,
    AnyUrl: _text,
    str: lambda value, column: str.__str__(value),
    bool: _boolean,
    int: lambda value, column: int.__repr__(value),
    float: _number,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    dict: _nested,
    list: _nested,
    tuple: _nested,
    set: _nested,
    frozenset: _nested,
}
