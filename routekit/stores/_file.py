"""An open SQLite file: its connection, the name by which its process is known, and those of others that share it."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import StoreError
from ._database import connect, explainer
from ._owner import SERVICE, alone, name_of, numbered, others


class File:
    """Opened when made; raises StoreError."""

    def __init__(self, path: Path, *, busy_timeout: float, max_size: int | None) -> None:
        self.path = path
        self.explain = explainer(path)
        with ExitStack() as opening:
            self.connection = connect(path, busy_timeout=busy_timeout, max_size=max_size)
            opening.callback(self._disconnect)
            try:
                self._numbers = [opening.enter_context(numbered(path))]
            except OSError as error:
                raise self.explain(error) from error
            self._identity = self._found()
            self._opened = opening.pop_all()

    @property
    def owner(self) -> str:
        """A name that no other living process has for this file."""
        return name_of(self._numbers[-1])

    def others(self) -> AbstractContextManager[Sequence[str]]:
        """The names of the other living processes, which cannot change as long as the context is open."""
        return others(self.path, self._numbers)

    def there(self) -> None:
        """Raises StoreError if the file has been moved or removed: what is written to it now would be lost."""
        if self._found() != self._identity:
            hint = "put it back where it was, or stop the service and start it with what is there now"
            raise StoreError(f"the store '{self.path}' was moved, removed or replaced while it was open", hint=hint)

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def serving(self) -> Generator[None]:
        """Be its only service, under the name of the one before; raises StoreError, naming another if there is one."""
        with ExitStack() as held:
            try:
                held.enter_context(alone(self.path))
                self._numbers.append(held.enter_context(numbered(self.path, SERVICE)))
            except OSError as error:
                raise self.explain(error) from error
            held.callback(self._numbers.pop)
            yield

    def close(self) -> None:
        """Write what the log holds to the database, and let go of the file."""
        self._opened.close()

    def _disconnect(self) -> None:
        with suppress(sqlite3.Error):  # nothing is lost: who opens the file next does it
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.connection.close()
