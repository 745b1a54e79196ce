"""Rows read in pages: from a table or from the query of an author, in the order of some columns."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import (
    JSON,
    Boolean,
    ColumnClause,
    ColumnElement,
    FromClause,
    Select,
    and_,
    column,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy import table as plain_table
from sqlalchemy.engine import Connection
from sqlalchemy.sql.functions import count

from routekit import BadOption, DefinitionError, did_you_mean

from .plan import AsGiven
from .table import Columns, Shape
from .watermark import Position

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Reader:
    """What is read. Columns have no type, so that no value of theirs can fail to be read; `convert` is tolerant."""

    source: FromClause
    what: str
    convert: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    never_null: frozenset[str] = frozenset()
    chooses: bool = False
    """Whether it leaves some rows of its table out."""
    compares_rows: bool = True

    def check(self, names: Columns, option: str) -> None:
        """Raise BadOption for the first name that is no column."""
        for name in names:
            if name not in self.source.columns:
                known = ", ".join(self.source.columns.keys())
                hint = f"{did_you_mean(name, self.source.columns.keys())} Known: {known}"
                raise BadOption(f"{option}={name}: {self.what} has no such column", hint=hint)

    def check_no_null(self, connection: Connection, names: Columns, option: str) -> None:
        """Raise DefinitionError if a row has NULL where an order is needed: it would never be read."""
        doubtful = [name for name in names if name not in self.never_null]
        if not doubtful:
            return
        missing = or_(*(self.source.columns[name].is_(None) for name in doubtful))
        if connection.execute(select(self.source).where(missing).limit(1)).first() is not None:
            raise DefinitionError(
                f"{self.what} has rows with NULL in {' or '.join(doubtful)}: {option} would never read them",
                hint=f"give them a value, and make {', '.join(doubtful)} NOT NULL",
            )

    def page(
        self,
        connection: Connection,
        order: Columns,
        after: Position,
        most: int,
        only: ColumnElement[bool] | None = None,
    ) -> Sequence[Row]:
        """Up to `most` rows after a position, in this order.

        A position that is shorter than the order is a lower bound: rows that are equal to it are read too. Raises
        DefinitionError for two rows with one position, since the second could be lost between two pages.
        """
        query = self.query(order, after, only).limit(most + 1)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        self.check_distinct(rows, order)
        return self.converted(rows[:most])

    def query(self, order: Columns, after: Position, only: ColumnElement[bool] | None = None) -> Select[Any]:
        """What gives all rows after a position, in this order."""
        columns = [self.source.columns[name] for name in order]
        query = select(self.source).order_by(*columns)
        if after:
            query = query.where(self._behind(columns, after))
        return query if only is None else query.where(only)

    def count(
        self,
        connection: Connection,
        order: Columns,
        after: Position,
        most: int,
        only: ColumnElement[bool] | None = None,
    ) -> int:
        """How many rows lie after a position, as far as they are `most`."""
        found = self.query(order, after, only).limit(most).subquery("found")
        return connection.execute(select(count()).select_from(found)).scalar_one()

    def _behind(self, columns: Sequence[ColumnElement[Any]], after: Position) -> ColumnElement[bool]:
        here, there, whole = columns[: len(after)], [given(value) for value in after], len(after) == len(columns)
        if self.compares_rows or len(after) < 2:
            found, bound = tuple_(*here), tuple_(*there)
            return found > bound if whole else found >= bound
        behind = here[-1] > there[-1] if whole else here[-1] >= there[-1]
        for one, bound in reversed(list(zip(here[:-1], there[:-1], strict=True))):
            behind = or_(one > bound, and_(one == bound, behind))
        return and_(here[0] >= there[0], behind)  # the first says the same as a range, which an index can find

    def one(self, connection: Connection, order: Columns, position: Position) -> Row | None:
        """The row at exactly this position, if it is still there."""
        here = (self.source.columns[name] == given(value) for name, value in zip(order, position, strict=True))
        found = connection.execute(select(self.source).where(*here).limit(1)).mappings().first()
        return None if found is None else self.converted([dict(found)])[0]

    def those(self, connection: Connection, order: Columns, positions: Sequence[Position]) -> Sequence[Row]:
        """The rows at these positions, in order."""
        if not positions:
            return []
        columns = [self.source.columns[name] for name in order]
        values = [tuple_(*map(given, position)) for position in positions]
        found = connection.execute(select(self.source).where(tuple_(*columns).in_(values)).order_by(*columns))
        return self.converted([dict(row) for row in found.mappings()])

    def check_distinct(self, rows: Sequence[Row], order: Columns) -> None:
        """Raise DefinitionError for two rows that come one after the other with one position."""
        last: Position = ()
        for row in rows:
            position = position_of(row, order)
            if position == last:
                found = ", ".join(f"{name}={value!r}" for name, value in zip(order, position, strict=True))
                raise DefinitionError(f"{self.what} has two rows with {found}", hint="key= must name one row")
            last = position

    def converted(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as bodies."""
        for name, convert in self.convert.items():
            for row in rows:
                row[name] = convert(row[name])
        return rows


def given(value: Any) -> ColumnElement[Any]:
    """A value that is compared with a column by the type of the column."""
    return literal(value, AsGiven())


def position_of(row: Mapping[str, Any], order: Columns) -> Position:
    """The values of these columns."""
    return tuple(row[name] for name in order)


def table_reader(shape: Shape, where: str) -> Reader:
    """A reader of a whole table; its JSON and BOOLEAN columns are read as what they hold."""
    found = shape.table
    source = plain_table(found.name, *_untyped(shape.columns), schema=found.schema)
    convert = {c.name: _from_json for c in found.columns if isinstance(c.type, JSON)}
    convert |= {c.name: _from_boolean for c in found.columns if isinstance(c.type, Boolean)}
    return Reader(source, f"{where}/{shape.name}", convert, shape.declared, compares_rows=shape.compares_rows)


def query_reader(connection: Connection, query: str, where: str, *, compares_rows: bool) -> Reader:
    """A reader of what a SELECT gives; raises DefinitionError if it cannot work."""
    written = query.strip().rstrip(";")
    parsed = text(f"{written}\n")  # the line ends a comment at its end
    for name in parsed._bindparams:  # pyright: ignore[reportPrivateUsage]  # nothing public tells them
        raise BadOption(
            f"query={query}: it has a parameter :{name}",
            hint="conditions on cursor and key are added around the query; it needs none of its own",
        )
    probe = text(f"SELECT * FROM (\n{written}\n) AS source LIMIT 0")  # noqa: S608  # the author's own query
    names = list(connection.execute(probe).keys())
    source = parsed.columns(*_untyped(names)).subquery("source")
    return Reader(source, f"{where}: the query", chooses=True, compares_rows=compares_rows)


def _untyped(names: Columns) -> Sequence[ColumnClause[Any]]:
    return [column(name) for name in names]


def _from_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str | bytes) else value
    except ValueError:  # whatever is in the column is the body's, even if it is not JSON
        return value


def _from_boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value
