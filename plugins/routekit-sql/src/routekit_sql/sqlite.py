"""SQLite: how it is opened, its upsert, and what its errors mean."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Executable, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.elements import ColumnElement

from routekit import BadOption, BodyError, DefinitionError, RouteKitError, Unavailable, UnknownName

from .settings import ConnectionSettings
from .values import PLAIN, parameter, parameters

_AWAY = {
    sqlite3.SQLITE_BUSY: "another process holds its lock",
    sqlite3.SQLITE_LOCKED: "another connection holds its lock",
    sqlite3.SQLITE_PROTOCOL: "another process holds its lock",
    sqlite3.SQLITE_CANTOPEN: "check that the folder exists and may be written",
    sqlite3.SQLITE_READONLY: "check who may write the file and its folder",
    sqlite3.SQLITE_PERM: "check who may read and write the file",
    sqlite3.SQLITE_IOERR: "check the disk",
    sqlite3.SQLITE_FULL: "free some space on the disk",
    sqlite3.SQLITE_NOMEM: "free some memory",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore it from a backup",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted",
}
_ROW = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
_PRIMARY = 0xFF
"""The lowest byte of an extended result code is the primary one (sqlite.org/rescode.html)."""


class Sqlite:
    """SQLite by the driver of the standard library, in WAL mode."""

    one_writer = True
    tells_upserts = True
    notifies = False
    streams = True
    compares_rows = True
    numbers_null = True
    plain = PLAIN - {float}

    def engine(self, url: URL, settings: ConnectionSettings) -> Engine:
        """An engine for a database file, whose folder is made if it is missing."""
        if not url.database or url.database == ":memory:":
            raise BadOption("a database in memory would not survive", hint="write sqlite:///folder/file.db")
        _check_place(Path(url.database))
        engine = create_engine(
            url.set(drivername="sqlite+pysqlite"),
            pool_size=settings.pool_size + 1,
            max_overflow=0,
            pool_timeout=settings.timeout,
            pool_use_lifo=True,
            connect_args={"timeout": settings.timeout, "check_same_thread": False},
            hide_parameters=True,  # bodies stay out of error texts
        )

        def set_up(connection: Any, _: object) -> None:
            _set_up(connection, settings)

        event.listen(engine, "connect", set_up)
        return engine

    def run_script(self, connection: Connection, script: str) -> None:
        """Run a script of several statements."""
        driver: Any = connection.connection.driver_connection
        try:
            driver.executescript(script)
        except sqlite3.Error as error:
            raise DBAPIError(None, None, error, hide_parameters=True) from error

    def begin(self, connection: Connection) -> None:
        """Begin a transaction that writes: the driver does it for INSERT, UPDATE and DELETE only."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def check(self, connection: Connection, sql: str, names: Sequence[str]) -> None:
        """Make a plan for the statement."""
        connection.exec_driver_sql(f"EXPLAIN {sql}", tuple(None for _ in names)).close()

    def refine(self, connection: Connection, table: Table) -> None:
        """Nothing: its types say all."""

    def keeps_fractions(self, column: Column[Any]) -> bool:
        """All do."""
        return True

    def upsert(
        self, table: Table, values: dict[str, ColumnElement[Any]], key: Sequence[str], update: Sequence[str]
    ) -> Executable:
        """`INSERT ... ON CONFLICT (key) DO UPDATE`, or `DO NOTHING` without columns to update."""
        statement = insert(table).values(values).inline()
        if not update:
            return statement.on_conflict_do_nothing(index_elements=list(key))
        new = {name: statement.excluded[name] for name in update}
        return statement.on_conflict_do_update(index_elements=list(key), set_=new)

    def parameter(self, value: Any, column: Column[Any]) -> Any:
        """The value as the driver takes it; raises BodyError for one that cannot be stored without loss."""
        return parameter(value, column)

    def parameters(self, values: Sequence[Any], column: Column[Any]) -> Sequence[Any]:
        """The values of many rows for one column, each as `parameter` gives it."""
        return parameters(values, column)

    def moments(self, connection: Connection, seconds: float) -> tuple[Any, Any]:
        """Now, and so many seconds later, as text in UTC."""
        form = "strftime('%Y-%m-%d %H:%M:%f', 'now'"
        [found] = connection.exec_driver_sql(f"SELECT {form}), {form}, ?)", (f"{seconds:+} seconds",))
        return found[0], found[1]

    def version(self, connection: Connection) -> str:
        """The version of the library."""
        return f"SQLite {sqlite3.sqlite_version}"

    def fault(self, error: Exception, where: str) -> RouteKitError | None:
        """What an error means, by SQLite's result code."""
        if isinstance(error, OverflowError | UnicodeEncodeError):  # raised while binding, by no statement
            return BodyError(f"{where}: a value cannot be stored: {error}")
        if isinstance(error, PoolTimeout):
            return Unavailable(f"{where}: all connections are in use", hint="raise pool_size or timeout")
        if not isinstance(error, DBAPIError):
            return None
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
        return _meaning(code, str(error.orig), where)


def _set_up(connection: Any, settings: ConnectionSettings) -> None:
    # the driver begins each change by itself, and takes the lock at once: who waits for it holds no old view
    connection.isolation_level = "IMMEDIATE"
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", f"synchronous = {settings.synchronous}", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _meaning(code: int, text: str, where: str) -> RouteKitError:
    if code in _ROW:
        return BodyError(f"{where}: {text}", column=_column(text))
    if code in _AWAY:
        return Unavailable(f"{where}: {text}", hint=_AWAY[code])
    if code == sqlite3.SQLITE_NOTADB:
        return DefinitionError(
            f"{where}: the file of its url is not an SQLite database", hint="see url in its settings"
        )
    if text.startswith(("no such table", "no such column")):
        return UnknownName(f"{where}: {text}", hint="see the schema of the database")
    return DefinitionError(f"{where}: {text}", hint="see the statement and the schema of the database")


def _column(text: str) -> str | None:
    """The column that a constraint names: `UNIQUE constraint failed: contacts.email`."""
    kind, _, named = text.partition(" constraint failed: ")
    return named.rpartition(".")[2] if kind in ("UNIQUE", "NOT NULL") and ", " not in named else None


def _check_place(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"cannot make the folder {file.parent}: {error.strerror}"
        raise Unavailable(found, hint="see url in its settings") from error
    if file.is_dir():
        raise Unavailable(f"cannot open {file}: it is a folder", hint="see url in its settings")
