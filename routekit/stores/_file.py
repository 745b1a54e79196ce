"""An open SQLite file: its connection, and the number by which its process is known."""

import sqlite3
from contextlib import ExitStack, suppress
from pathlib import Path

from ._database import connect, explainer
from ._owner import numbered


class File:
    """Opened when made; raises StoreError. `number` is one that no other living process has for this file."""

    def __init__(self, path: Path, *, busy_timeout: float, max_size: int | None) -> None:
        self.explain = explainer(path)
        with ExitStack() as opening:
            self.connection = connect(path, busy_timeout=busy_timeout, max_size=max_size)
            opening.callback(self._disconnect)
            try:
                self.number = opening.enter_context(numbered(path))
            except OSError as error:
                raise self.explain(error) from error
            self._opened = opening.pop_all()

    def close(self) -> None:
        """Write what the log holds to the database, and let go of the file."""
        self._opened.close()

    def _disconnect(self) -> None:
        with suppress(sqlite3.Error):  # nothing is lost: who opens the file next does it
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.connection.close()
