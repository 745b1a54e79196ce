"""The statements of insert, upsert, update and delete, one plan for each set of columns that rows bring."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Literal, TypeAlias

from sqlalchemy import Executable, and_, bindparam, delete, insert, update
from sqlalchemy.engine import Dialect as Engine
from sqlalchemy.sql.elements import ColumnElement

from routekit import BodyError

from .body import Row
from .dialect import Dialect
from .plan import AsGiven, Parameters, Plan, compiled, taking
from .table import Columns, Shape

Mode: TypeAlias = Literal["insert", "upsert", "update", "delete"]
Bound: TypeAlias = tuple[Plan, Parameters]

_MOST_PLANS = 256
"""Rows may come with any mix of columns: the plans of so many mixes are kept."""
_MARK = "routekit_"
"""Starts the name of each parameter: SQLAlchemy reserves the plain names of columns."""


class Statements:
    """Binds rows for one table and mode."""

    def __init__(
        self,
        shape: Shape,
        mode: Mode,
        key: Columns,
        *,
        dialect: Dialect,
        engine: Engine,
        only: Columns = (),
        replace: bool = True,
    ) -> None:
        self._shape = shape
        self._mode = mode
        self._key = key
        self._only = frozenset((*only, *key)) if only else None
        self._replace = replace
        self._dialect = dialect
        self._engine = engine
        self._numbered = self._numbered_column()
        self._plans: dict[tuple[str, ...], tuple[Plan, Callable[[Row], Parameters]]] = {}

    @property
    def columns(self) -> Columns:
        """The columns of the table."""
        return self._shape.columns

    def bind(self, row: Row) -> Bound:
        """The plan and the parameters for a row; raises BodyError for a row that does not fit the table."""
        if self._numbered is not None and self._numbered in row and row[self._numbered] is None:
            row = {name: value for name, value in row.items() if name != self._numbered}
        names = tuple(row)
        found = self._plans.get(names)
        if found is None:
            plan = self._plan(self._used(names))
            found = plan, plan.binder()
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[names] = found
        return found[0], found[1](row)

    def bind_all(self, rows: Sequence[Row]) -> list[Bound] | None:
        """As `bind` for many rows, if they bring the same columns and none is wrong; else None."""
        first = rows[0]
        if len(set(map(len, rows))) != 1 or (self._numbered is not None and self._numbered in first):
            return None
        try:
            plan, _ = self.bind(first)
            if len(plan.columns) != len(first) and len(set(map(tuple, rows))) != 1:
                return None  # the plan takes not all, and so does not see that others are there
            return list(zip(repeat(plan), plan.bind_all(rows)))
        except (BodyError, KeyError):
            return None  # one by one it is told which row it is, and that it lacks a column

    def _numbered_column(self) -> str | None:
        """The column that a new row must not bring as NULL, or the database would give it no number."""
        column = self._shape.table.autoincrement_column
        new = self._mode in ("insert", "upsert") and not self._dialect.numbers_null
        return column.name if new and column is not None and column.name not in self._key else None

    def _used(self, names: tuple[str, ...]) -> Columns:
        """The columns that count; raises BodyError for one that is unknown or missing."""
        for name in self._key:
            if name not in names:
                raise BodyError("the key is missing", column=name, hint=f"the row has: {', '.join(map(str, names))}")
        if self._mode == "delete":
            return self._key
        used = [name for name in names if self._only is None or name in self._only]
        for name in used:
            if name not in self._shape.table.columns:
                raise BodyError(
                    f"table {self._shape.name} has no such column", column=name, hint=self._shape.hint(name)
                )
        if self._mode == "update":
            if not set(used) - set(self._key):
                raise BodyError("nothing to update: the row has only its key", hint="see columns= and the row")
            return used
        for name in self._shape.required:
            if name not in used:
                raise BodyError(f"table {self._shape.name} needs a value", column=name, hint="it is NOT NULL")
        return used

    def _plan(self, used: Columns) -> Plan:
        columns = [self._shape.table.columns[name] for name in used]
        marks = {column.name: bindparam(f"{_MARK}{n}", type_=AsGiven()) for n, column in enumerate(columns)}
        sql, order = compiled(self._statement(dict[str, ColumnElement[Any]](marks)), self._engine)
        ordered = [columns[int(name.removeprefix(_MARK))] for name in order]
        never_null = self._shape.never_null | set(self._key)
        return Plan(
            self._dialect,
            sql,
            taking([column.name for column in ordered]),
            ordered,
            frozenset(place for place, column in enumerate(ordered) if column.name in never_null),
            at_most_one=self._mode in ("insert", "upsert") or self._shape.is_unique(self._key),
            tells=self._mode != "upsert" or self._dialect.tells_upserts,
        )

    def _statement(self, marks: dict[str, ColumnElement[Any]]) -> Executable:
        table = self._shape.table
        others = [name for name in marks if name not in self._key]
        here = and_(*(table.columns[name] == marks[name] for name in self._key)) if self._key else None
        if self._mode == "insert":
            return insert(table).values(marks).inline()
        if self._mode == "upsert":
            return self._dialect.upsert(table, marks, self._key, others if self._replace else ())
        if self._mode == "delete":
            return delete(table).where(here) if here is not None else delete(table)
        return (
            update(table).where(here).values({name: marks[name] for name in others}) if here is not None else _never()
        )


def _never() -> Executable:
    raise ValueError("update needs a key")  # the sink has checked it


def split_names(text: str) -> Sequence[str]:
    """A comma list of names.

    >>> split_names("country, number")
    ['country', 'number']
    """
    return [name.strip() for name in text.split(",") if name.strip()]
