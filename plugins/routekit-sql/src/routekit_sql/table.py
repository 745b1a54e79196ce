"""A table as the database describes it: its columns, what they need, and what makes its rows unique."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Column, MetaData, Table, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import NoSuchTableError

from routekit import BadOption, UnknownName, did_you_mean

from .dialect import Dialect

Columns: TypeAlias = Sequence[str]


@dataclass(frozen=True)
class Shape:
    """A reflected table.

    `keys` are its primary key and the column sets that a unique constraint or index covers; `compares_rows` as in
    `Dialect`.
    """

    table: Table
    keys: tuple[frozenset[str], ...]
    compares_rows: bool = True

    @property
    def name(self) -> str:
        return self.table.fullname

    @property
    def columns(self) -> Columns:
        return list(self.table.columns.keys())

    @property
    def primary_key(self) -> Columns:
        return [column.name for column in self.table.primary_key.columns]

    def fills_itself(self, column: Column[Any]) -> bool:
        """Whether the database gives a value to a row that has none for this column."""
        return bool(
            column.nullable
            or column.server_default is not None
            or column.computed is not None
            or column.identity is not None
            or column is self.table.autoincrement_column
            or column.autoincrement is True
        )

    @property
    def required(self) -> Columns:
        """The columns that every new row must bring."""
        return [column.name for column in self.table.columns if not self.fills_itself(column)]

    @property
    def never_null(self) -> frozenset[str]:
        """The columns that refuse NULL; a generated number takes its place in the others."""
        generated = self.table.autoincrement_column
        return frozenset(c.name for c in self.table.columns if not c.nullable and c is not generated)

    @property
    def declared(self) -> frozenset[str]:
        """The columns that are declared NOT NULL: no row has NULL there."""
        return frozenset(column.name for column in self.table.columns if not column.nullable)

    def check(self, names: Columns, option: str) -> None:
        """Raise BadOption for the first name that is no column."""
        for name in names:
            if name not in self.table.columns:
                raise BadOption(f"{option}={name}: table {self.name} has no such column", hint=self.hint(name))

    def hint(self, name: str) -> str:
        """What to say about a column that does not exist: the nearest one, and all that there are."""
        near = did_you_mean(name, self.columns)
        return near if near.startswith("known") else f"{near} Known: {', '.join(self.columns)}"

    def check_unique(self, key: Columns) -> None:
        """Raise BadOption unless the table allows only one row for each value of `key`."""
        if not self.is_unique(key):
            keys = "; ".join(",".join(sorted(key)) for key in self.keys) or "none"
            raise BadOption(
                f"key={','.join(key)} is not unique in table {self.name}",
                hint=f"its columns: {', '.join(self.columns)}; its unique keys: {keys}; "
                f"CREATE UNIQUE INDEX ... ON {self.name} ({', '.join(key)}) makes one",
            )

    def is_unique(self, key: Columns) -> bool:
        return frozenset(key) in self.keys


def reflected(connection: Connection, name: str, where: str, dialect: Dialect) -> Shape:
    """The table `name`, with its schema before a dot if it has one; raises UnknownName with the nearest one."""
    schema, _, plain = name.rpartition(".")
    try:
        table = Table(plain, MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False)
    except NoSuchTableError:
        inspector = inspect(connection)
        names = inspector.get_table_names(schema or None) + inspector.get_view_names(schema or None)
        raise UnknownName(f"{where} has no table '{name}'", hint=did_you_mean(plain, names)) from None
    dialect.refine(connection, table)
    return Shape(table, tuple(_keys(connection, table)), dialect.compares_rows)


def _keys(connection: Connection, table: Table) -> Sequence[frozenset[str]]:
    keys = [frozenset(column.name for column in table.primary_key.columns)] if table.primary_key.columns else []
    inspector = inspect(connection)
    keys += [frozenset(found["column_names"]) for found in inspector.get_unique_constraints(table.name, table.schema)]
    for index in table.indexes:
        partial = any(name.endswith("_where") and value is not None for name, value in index.dialect_kwargs.items())
        columns = frozenset(column.name for column in index.columns)
        if index.unique and not partial and len(columns) == len(index.expressions):
            keys.append(columns)
    return list(dict.fromkeys(keys))
