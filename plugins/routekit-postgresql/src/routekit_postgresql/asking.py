"""What is asked of the database: one statement with its values, and how its rows are read.

What is asked often is folded: the same statement does it for many callers at once, given as rows of JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import Any, Generic, LiteralString, TypeAlias, TypeVar

from psycopg import Connection, Cursor
from pydantic_core import to_json

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
    folds: bool = False
    """Whether the statement takes many, as `rows`, and gives rows that begin with the number of what they answer."""
    weight: int = 0
    """About how many characters it has, where that may be many."""
    changes: tuple[str, str] | None = None
    """The kind and the name that other processes are told of once it is committed."""


def run(connection: Connection[Row], asks: Sequence[Ask[Any]]) -> "Answers":
    """Send all, in a pipeline; `asks` that fold are sent together where they are neighbours."""
    together = groupby(asks, key=lambda ask: ask.sql if ask.folds else id(ask))
    return [(run, _sent(connection, run)) for run in (list(run) for _, run in together)]


def read(answers: "Answers") -> list[list[Row]]:
    """The rows for each that was asked, in the order of asking."""
    found: list[list[Row]] = []
    for asks, cursor in answers:
        rows = cursor.fetchall() if cursor.description else []
        if asks[0].folds:
            mine = [list[Row]() for _ in asks]
            for row in rows:
                number: int = row[0]
                mine[number - 1].append(row[1:])
            found += mine
        else:
            found.append(rows)
    return found


Answers: TypeAlias = list[tuple[Sequence[Ask[Any]], Cursor[Row]]]


def _sent(connection: Connection[Row], asks: Sequence[Ask[Any]]) -> Cursor[Row]:
    if asks[0].folds:
        return connection.execute(asks[0].sql, {"rows": to_json([ask.values for ask in asks]).decode()})
    return connection.execute(asks[0].sql, asks[0].values)


def each(columns: LiteralString, call: LiteralString) -> LiteralString:
    """The statement that calls a function for each row of JSON; its columns are `r`'s."""
    return (
        f"SELECT r.ordinality, f.* FROM ROWS FROM (json_to_recordset(%(rows)s::json) AS ({columns})) "  # noqa: S608  # of texts in this package
        f"WITH ORDINALITY AS r, LATERAL {call} AS f"
    )


def seconds(span: float) -> float:
    """A number of seconds that JSON has a way to write."""
    return min(float(span), 1e15)


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
