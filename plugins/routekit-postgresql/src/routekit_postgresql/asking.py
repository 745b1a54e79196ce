"""What is asked of the database: one statement with its values, and how its rows are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, LiteralString, TypeVar

from routekit import StoreError

T = TypeVar("T")
Row = tuple[Any, ...]

_LONGEST = 1000
"""Bytes of a key that are kept in an index as they are; PostgreSQL takes 2,700."""


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One statement. What is asked at once is done in the sequence of `order`, so that none waits for each other."""

    sql: LiteralString
    values: Mapping[str, Any]
    read: Callable[[list[Row]], T]
    order: tuple[str, ...] = ()
    writes: bool = True
    changes: tuple[str, str] | None = None
    """The kind and the name that other processes are told of once it is committed."""


def nothing(rows: list[Row]) -> None:
    """Reads what gives no rows."""


def counted(rows: list[Row]) -> int:
    """Reads `SELECT count(*)`."""
    return rows[0][0]


def brief(key: str) -> str:
    """The key as an index takes it: a long one by its beginning and its hash; raises StoreError if it is no text."""
    try:
        found = key.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"the key {key[:200]!r} cannot be stored: it is no Unicode text") from error
    if "\0" in key:
        raise StoreError(f"the key {key[:200]!r} cannot be stored: PostgreSQL keeps no zero bytes in texts")
    if len(found) <= _LONGEST:
        return key
    return f"{key[: _LONGEST // 5]}\x7f{sha256(found).hexdigest()}"
