"""What differs between databases, as one contract; each database keeps it in a file of its own."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Column, Executable, Table, make_url
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.elements import ColumnElement

from routekit import BadOption, RouteKitError

from .mariadb import MariaDB
from .postgresql import PostgreSQL
from .settings import ConnectionSettings
from .sqlite import Sqlite


class Dialect(Protocol):
    """One kind of database."""

    one_writer: bool
    """Whether it has one writer at a time, so that the others had better wait for their turn."""

    numbers_null: bool
    """Whether a new row that brings NULL for its generated number gets one."""

    tells_upserts: bool
    """Whether the number of rows that an upsert has changed is that of those that are not as they were."""

    streams: bool
    """Whether the result of a query can be left before its end."""

    notifies: bool
    """Whether it can tell who listens that something has happened: LISTEN and NOTIFY."""

    compares_rows: bool
    """Whether it finds what lies behind `(a, b) > (1, 2)` by an index."""

    plain: frozenset[type]
    """The types whose values the driver takes as they are, in any column but those of JSON and arrays."""

    def engine(self, url: URL, settings: ConnectionSettings) -> Engine:
        """An engine that opens connections as RouteKit needs them; nothing is connected yet."""
        ...

    def run_script(self, connection: Connection, script: str) -> None:
        """Run a script of several statements."""
        ...

    def begin(self, connection: Connection) -> None:
        """Begin a transaction for writing, where the driver does not do it by itself."""
        ...

    def check(self, connection: Connection, sql: str, names: Sequence[str]) -> None:
        """Raise what running the statement with these parameters would raise for sure, and change nothing."""
        ...

    def refine(self, connection: Connection, table: Table) -> None:
        """Say more of the columns of a table than its types do."""
        ...

    def keeps_fractions(self, column: Column[Any]) -> bool:
        """Whether a column of times tells milliseconds apart."""
        ...

    def upsert(
        self, table: Table, values: dict[str, ColumnElement[Any]], key: Sequence[str], update: Sequence[str]
    ) -> Executable:
        """Insert a row; where one with this key exists, update these columns of it, or none."""
        ...

    def parameter(self, value: Any, column: Column[Any]) -> Any:
        """A value of a body as the driver takes it; raises BodyError for one that cannot be stored without loss."""
        ...

    def parameters(self, values: Sequence[Any], column: Column[Any]) -> Sequence[Any]:
        """The values of many rows for one column, each as `parameter` gives it."""
        ...

    def moments(self, connection: Connection, seconds: float) -> tuple[Any, Any]:
        """The time now and that so many seconds later, by the clock of the database, for columns of times."""
        ...

    def version(self, connection: Connection) -> str:
        """What it is and which version, as `PostgreSQL 15.8`."""
        ...

    def fault(self, error: Exception, where: str) -> RouteKitError | None:
        """What an error of the driver means.

        BodyError: the row is at fault. Unavailable: the database is. DefinitionError: the statement is. None: not the
        database's error.
        """
        ...


DIALECTS: dict[str, Dialect] = {
    "sqlite": Sqlite(),
    "postgresql": PostgreSQL(),
    "mariadb": MariaDB(),
    "mysql": MariaDB(),
}


def parsed(settings: ConnectionSettings, where: str) -> tuple[URL, Dialect]:
    """The URL of a connection and what kind of database it names; raises BadOption, without the URL's password."""
    try:
        url = make_url(settings.url.get_secret_value())
    except ArgumentError:
        hint = "write sqlite:///folder/file.db, postgresql://user:password@host/database or mariadb://..."
        raise BadOption(f"{where}: the url is no database URL", hint=hint) from None
    dialect = DIALECTS.get(url.get_backend_name())
    if dialect is None:
        found, known = url.get_backend_name(), ", ".join(sorted(DIALECTS))
        raise BadOption(f"{where}: the url is of the database '{found}'", hint=f"supported: {known}")
    return url, dialect
