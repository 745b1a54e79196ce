"""What a SQLite database holds, counted beside the work, and its unused space given back."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import anyio.to_thread

from ..errors import StoreError
from ..store import Held, StoreFacts

_COUNTS = """
    SELECT 'audit', '', count(*), min(at) FROM routekit_audit HAVING count(*) > 0
    UNION ALL SELECT 'finished', name, count(*), min(at) FROM routekit_journal WHERE until IS NOT NULL GROUP BY name
    UNION ALL SELECT 'groups', name, count(*), min(first) FROM routekit_groups JOIN routekit_kept USING (number)
        WHERE until IS NULL AND message IS NOT NULL GROUP BY name
    UNION ALL SELECT 'journal', name, count(*), min(at) FROM routekit_journal WHERE until IS NULL GROUP BY name
    UNION ALL SELECT 'keys', name, count(*), min(at) FROM routekit_keys GROUP BY name
    UNION ALL SELECT 'letters', route, count(*), min(at) FROM routekit_letters GROUP BY route
    UNION ALL SELECT 'marks', name, count(*), min(at) FROM routekit_marks GROUP BY name
    UNION ALL SELECT 'outbox', name, count(*), min(at) FROM routekit_outbox GROUP BY name
    UNION ALL SELECT 'values', name, count(*), min(at) FROM routekit_values
        WHERE until IS NULL OR until > ? GROUP BY name
"""


class Holdings:
    """Looks into the file by a connection of its own, so that no writer waits for the counting."""

    def __init__(self, path: Path, explain: Callable[[Exception], StoreError], busy_timeout: float) -> None:
        self._path = path
        self._explain = explain
        self._busy_timeout = busy_timeout

    async def read(self, now: float) -> Sequence[Held]:
        """What there is of each kind under each name; raises StoreError."""
        rows = await anyio.to_thread.run_sync(self._rows, now)
        return sorted((Held(*row) for row in rows), key=lambda held: (held.kind, held.name))

    async def facts(self) -> StoreFacts:
        """The library that reads the file, and the version of its tables; raises StoreError."""
        return StoreFacts(f"SQLite {sqlite3.sqlite_version}", await anyio.to_thread.run_sync(self._schema))

    def _schema(self) -> int:
        try:
            with closing(sqlite3.connect(self._path, timeout=self._busy_timeout, isolation_level=None)) as connection:
                schema: int = connection.execute("PRAGMA user_version").fetchone()[0]
                return schema
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _rows(self, now: float) -> list[tuple[str, str, int, float]]:
        try:
            with closing(sqlite3.connect(self._path, timeout=self._busy_timeout, isolation_level=None)) as connection:
                return connection.execute(_COUNTS, (now,)).fetchall()
        except sqlite3.Error as error:
            raise self._explain(error) from error


def vacuum(connection: sqlite3.Connection) -> None:
    """Write the database anew without its gaps, and empty its log."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
