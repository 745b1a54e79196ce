"""A value of a body as a parameter that the driver takes, for the column that it goes to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from operator import ne
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import AnyUrl, BaseModel, SecretBytes, SecretStr
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import JSON, Column, String
from sqlalchemy.types import NullType

from routekit import BodyError

PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None)})
"""The types that a driver takes as they are."""


def needs_json(column: Column[Any]) -> bool:
    """Whether all values of a column are JSON."""
    return isinstance(column.type, JSON)


def parameter(value: Any, column: Column[Any]) -> Any:
    """The value as the driver takes it; raises BodyError for one that cannot be stored without loss.

    Times with an offset become UTC, so that they sort as text; naive times stay as they are. Decimals become their
    digits, which a TEXT column keeps exactly. Lists and mappings become JSON, in JSON and text columns only.
    """
    if value is None:
        return None
    if needs_json(column):
        return as_json(value, column)
    if type(value) is float and value != value:
        return refuse(value, column, "NaN cannot be stored")
    if type(value) in PLAIN:
        return value
    convert = next((_AS[kind] for kind in type(value).__mro__ if kind in _AS), None)
    if convert is not None:
        return convert(value, column)
    if isinstance(column.type, String | NullType) and (isinstance(value, BaseModel) or is_dataclass(value)):
        return as_json(value, column)
    return refuse(value, column)


def parameters(values: Sequence[Any], column: Column[Any]) -> Sequence[Any]:
    """The values of many rows for one column: what all of them need is found out at once."""
    kinds = frozenset(map(type, values))
    if needs_json(column) or not kinds <= PLAIN:
        return [parameter(value, column) for value in values]
    if float in kinds and any(map(ne, values, values)):  # NaN alone is not what it is
        return [parameter(value, column) for value in values]
    return values


def as_json(value: Any, column: Column[Any]) -> str:
    """The value as JSON; raises BodyError for one that JSON does not know."""
    try:
        return to_json(value, inf_nan_mode="strings").decode()
    except (PydanticSerializationError, ValueError):
        return refuse(value, column)


def refuse(value: Any, column: Column[Any], reason: str = "") -> Any:
    """Raise BodyError: the value does not fit the column."""
    raise BodyError(
        reason or f"a {type(value).__name__} does not fit a column of type {column.type}",
        column=column.name,
        hint="convert it in a transform before the sink",
    )


def _nested(value: Any, column: Column[Any]) -> str:
    return as_json(value, column) if isinstance(column.type, String | NullType) else refuse(value, column)


def _moment(value: datetime, column: Column[Any]) -> str:
    return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat(" ")


def _text(value: object, column: Column[Any]) -> str:
    return str(value)


_AS: Final[Mapping[type, Callable[[Any, Column[Any]], Any]]] = {
    SecretStr: refuse,  # printed as stars: it would destroy what is stored
    SecretBytes: refuse,
    Enum: lambda value, column: parameter(value.value, column),
    datetime: _moment,
    date: lambda value, column: value.isoformat(),
    time: lambda value, column: value.isoformat(),
    timedelta: lambda value, column: value.total_seconds(),
    Decimal: _text,
    UUID: _text,
    PurePath: _text,
    IPv4Address: _text,
    IPv6Address: _text,
    AnyUrl: _text,
    str: lambda value, column: str.__str__(value),
    bool: lambda value, column: bool(value),
    int: lambda value, column: int(value),
    float: lambda value, column: parameter(float(value), column),
    bytes: lambda value, column: bytes(value),
    bytearray: lambda value, column: bytes(value),
    memoryview: lambda value, column: bytes(value),
    dict: _nested,
    list: _nested,
    tuple: _nested,
    set: _nested,
    frozenset: _nested,
}
