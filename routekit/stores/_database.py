"""Opens a SQLite database: its settings, its tables, and what its errors mean."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreError
from ._lettertext import letter_of

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE routekit_keys (
            name TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, until REAL, at REAL NOT NULL,
            PRIMARY KEY (name, key)
        ) WITHOUT ROWID""",
        """CREATE TABLE routekit_marks (
            name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL,
            PRIMARY KEY (name, key)
        ) WITHOUT ROWID""",
        """CREATE TABLE routekit_letters (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, route TEXT NOT NULL, at REAL NOT NULL,
            letter TEXT NOT NULL
        )""",
        "CREATE INDEX routekit_letters_by_time ON routekit_letters (at, number)",
    ),
    (
        """CREATE TABLE routekit_groups (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,
            first REAL NOT NULL, last REAL NOT NULL, owner TEXT NOT NULL, until REAL
        )""",
        """CREATE UNIQUE INDEX routekit_groups_open ON routekit_groups (name, key)
            WHERE owner = '' AND until IS NULL""",
        "CREATE INDEX routekit_groups_by_key ON routekit_groups (name, key, number)",
        "CREATE INDEX routekit_groups_gone ON routekit_groups (name, until) WHERE until IS NOT NULL",
        """CREATE TABLE routekit_kept (
            number INTEGER NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL, message TEXT,
            PRIMARY KEY (number, place)
        ) WITHOUT ROWID""",
        "CREATE INDEX routekit_kept_by_id ON routekit_kept (id)",
    ),
    (
        "ALTER TABLE routekit_letters ADD COLUMN cluster TEXT NOT NULL DEFAULT ''",
        "UPDATE routekit_letters SET cluster = routekit_cluster(letter)",
        "CREATE INDEX routekit_letters_alike ON routekit_letters (cluster, at, number)",
        """CREATE TABLE routekit_journal (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, id TEXT NOT NULL, message TEXT NOT NULL,
            place TEXT NOT NULL, at REAL NOT NULL, owner TEXT NOT NULL, until REAL, UNIQUE (name, id)
        )""",
        "CREATE INDEX routekit_journal_open ON routekit_journal (name, number) WHERE until IS NULL",
        "CREATE INDEX routekit_journal_gone ON routekit_journal (name, until) WHERE until IS NOT NULL",
        """CREATE TABLE routekit_effects (
            number INTEGER NOT NULL, effect TEXT NOT NULL, result TEXT NOT NULL, PRIMARY KEY (number, effect)
        ) WITHOUT ROWID""",
        """CREATE TABLE routekit_values (
            name TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, version INTEGER NOT NULL, at REAL NOT NULL,
            until REAL, PRIMARY KEY (name, key)
        ) WITHOUT ROWID""",
        "CREATE INDEX routekit_values_gone ON routekit_values (name, until) WHERE until IS NOT NULL",
        """CREATE TABLE routekit_outbox (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, id TEXT NOT NULL, message TEXT NOT NULL,
            at REAL NOT NULL, owner TEXT NOT NULL, until REAL, UNIQUE (name, id)
        )""",
        "CREATE INDEX routekit_outbox_in_order ON routekit_outbox (name, number)",
        """CREATE TABLE routekit_audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
            what TEXT NOT NULL, details TEXT NOT NULL
        )""",
        "CREATE INDEX routekit_audit_by_time ON routekit_audit (at, number)",
    ),
)
"""What each version of the schema adds; `PRAGMA user_version` counts those that a database has. Only ever appended."""


def connect(path: Path, *, busy_timeout: float, max_size: int | None) -> sqlite3.Connection:
    """A connection, not bound to a thread, to the database with all its tables; raises StoreError."""
    explain = explainer(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise explain(error) from error
    try:
        _set(connection, time.monotonic() + busy_timeout, max_size)
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error) from error
    except StoreError:
        connection.close()
        raise
    return connection


def _set(connection: sqlite3.Connection, deadline: float, max_size: int | None) -> None:
    _into_wal(connection, deadline)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
    if max_size is not None:
        page: int = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(max_size // page, 1)}")


def _into_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Switch to write-ahead logging; here SQLite does not wait by itself for another process that does the same."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path) == len(MIGRATIONS):
        return
    connection.create_function("routekit_cluster", 1, _cluster, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[_version(connection, path) :]:  # asked again: another process may have been faster
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _cluster(text: str) -> str:
    """The cluster of a letter that an older version has kept; none if it cannot be read."""
    try:
        return letter_of(text).cluster
    except (ValueError, TypeError, StoreError):
        return ""


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        found = f"the store '{path}' has schema version {version}, this RouteKit knows up to {len(MIGRATIONS)}"
        raise StoreError(found, hint="upgrade RouteKit, or give it a store of its own")
    return version


_MEANINGS = {
    sqlite3.SQLITE_BUSY: ("is locked by another process", "end what holds it, or raise busy_timeout"),
    sqlite3.SQLITE_FULL: ("is full", "free space on its disk, raise max_size, or remove dead letters"),
    sqlite3.SQLITE_READONLY: ("is read-only", "let this user write the file and its folder"),
    sqlite3.SQLITE_NOTADB: ("is no SQLite database", "give another path; the file was not touched"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "stop the service and restore it from a backup, or run `.recover` on it"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "the path must be a file in a folder that this user may write"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "look at the disk and its mount"),
}


def explainer(path: Path) -> Callable[[Exception], StoreError]:
    """A function that makes an error of this database a StoreError that says what is wrong and what to do."""

    def explain(error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if isinstance(error, OSError):
            code = sqlite3.SQLITE_CANTOPEN
        what, hint = _MEANINGS.get(code, ("failed", ""))
        told = StoreError(f"the store '{path}' {what}: {error}", hint=hint)
        told.__cause__ = error
        return told

    return explain
