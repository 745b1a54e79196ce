"""The tables of the store: made when they are not there, brought up to date when they are older."""

import psycopg
from psycopg import sql

from routekit import StoreError

from .connecting import Bounded
from .migrations import MIGRATIONS

_VERSION = "SELECT coalesce(max(version), 0) FROM version"
_VERSIONED = "CREATE TABLE IF NOT EXISTS version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"


def migrate(connection: Bounded, schema: str) -> None:
    """Make the tables; raises StoreError if a newer RouteKit has made them. One process after the other does this."""
    if _current(connection) == len(MIGRATIONS):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7262))", (f"routekit {schema}",))
        if not connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).rowcount:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(_VERSIONED)
        found = _version(connection)
        for number, scripts in enumerate(MIGRATIONS[found:], found + 1):
            for script in scripts:
                connection.execute(script, prepare=False)
            connection.execute("INSERT INTO version (version) VALUES (%s)", (number,))


def _current(connection: Bounded) -> int:
    """The version that is there; 0 if there is none, or nobody may look."""
    try:
        return _version(connection)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return 0


def _version(connection: Bounded) -> int:
    row = connection.execute(_VERSION).fetchone()
    found: int = row[0] if row else 0
    if found > len(MIGRATIONS):
        told = f"the store has schema version {found}, this routekit-postgresql knows up to {len(MIGRATIONS)}"
        raise StoreError(told, hint="upgrade routekit-postgresql, or give it a schema of its own")
    return found
