"""A plan: one compiled statement, and how a row becomes its parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_, itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import ARRAY, Column, Executable
from sqlalchemy.engine import Connection
from sqlalchemy.engine import Dialect as Engine
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import UserDefinedType

from routekit import BodyError

from .body import Row
from .dialect import Dialect
from .values import needs_json

Parameters: TypeAlias = tuple[Any, ...]


class AsGiven(UserDefinedType[Any]):
    """The type of a parameter whose value goes to the driver as it is: the statement casts it to nothing."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """None: no column is of this type."""
        return ""


@dataclass(frozen=True, eq=False)
class Plan:
    """Compiled once for each set of columns; the path of a row is three calls into C.

    `take` gives a row's values in the order of the statement, `columns` are what they go to. `never_null` are the
    places of those that must not be NULL. `at_most_one` is true if the statement changes at most one row.
    """

    dialect: Dialect
    sql: str
    take: Callable[[Row], Parameters]
    columns: Sequence[Column[Any]]
    never_null: frozenset[int]
    at_most_one: bool
    tells: bool = True
    """Whether the database tells the number of rows that it changed."""

    @property
    def converts(self) -> bool:
        """Whether a column takes no value as it is."""
        return any(needs_json(column) or isinstance(column.type, ARRAY) for column in self.columns)

    def binder(self) -> Callable[[Row], Parameters]:
        """The function from a row to the statement's parameters; it raises BodyError."""
        take, parameter = self.take, self.dialect.parameter
        plain = frozenset[type]() if self.converts else self.dialect.plain

        def bind(row: Row) -> Parameters:
            values = take(row)
            if not plain.issuperset(map(type, values)):
                values = tuple(map(parameter, values, self.columns))
            if None in values:
                self._no_null(values)
            return values

        return bind

    def bind_all(self, rows: Sequence[Row]) -> Sequence[Parameters]:
        """The parameters of rows that all bring the columns of the plan; raises BodyError for one of them."""
        taken = list(map(self.take, rows))
        given: list[Sequence[Any]] = list(zip(*taken, strict=True))
        columns = [self.dialect.parameters(values, column) for values, column in zip(given, self.columns, strict=True)]
        for place in self.never_null:
            if None in columns[place]:
                raise BodyError("NULL is not allowed here", column=self.columns[place].name)
        if all(map(is_, columns, given)):
            return taken
        return list(zip(*columns, strict=True))

    def _no_null(self, values: Parameters) -> None:
        for place in self.never_null:
            if values[place] is None:
                raise BodyError("NULL is not allowed here", column=self.columns[place].name)

    def run(self, connection: Connection, rows: Sequence[Parameters]) -> int:
        """Run the statement for all rows; how many rows it changed."""
        changed = connection.exec_driver_sql(self.sql, list(rows)).rowcount
        return len(rows) if changed < 0 or not self.tells else changed


def compiled(statement: Executable, engine: Engine) -> tuple[str, Sequence[str]]:
    """A statement's text in the database's own style, and the names of its parameters in their order."""
    made = cast("Any", statement).compile(dialect=engine)  # SQLAlchemy types it loosely
    assert isinstance(made, SQLCompiler)
    return str(made), list(made.positiontup or ())


def taking(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Parameters]:
    """The values of these names, as a tuple even of one."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)
