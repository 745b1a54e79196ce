"""An open SQLite file: its connection, the name by which its process is known, and those of others that share it."""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from ..errors import StoreError
from ._database import connect, explainer
from ._owner import alone, name_of, numbered, others


class File:
    """Opened when made; raises StoreError. `owner` is a name that no other living process has for this file."""

    def __init__(self, path: Path, *, busy_timeout: float, max_size: int | None) -> None:
        self.path = path
        self.explain = explainer(path)
        with ExitStack() as opening:
            self.connection = connect(path, busy_timeout=busy_timeout, max_size=max_size)
            opening.callback(self._disconnect)
            try:
                number = opening.enter_context(numbered(path))
            except OSError as error:
                raise self.explain(error) from error
            self.owner = name_of(number)
            self._identity = self._found()
            self.others: Callable[[], AbstractContextManager[Sequence[str]]] = partial(others, path, number)
            """The names of the other living processes, which cannot change as long as the context is open."""
            self._opened = opening.pop_all()

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
        """Be its only service; raises StoreError, naming the other one, if there is one."""
        with ExitStack() as held:
            try:
                held.enter_context(alone(self.path))
            except OSError as error:
                raise self.explain(error) from error
            yield

    def close(self) -> None:
        """Write what the log holds to the database, and let go of the file."""
        self._opened.close()

    def _disconnect(self) -> None:
        with suppress(sqlite3.Error):  # nothing is lost: who opens the file next does it
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.connection.close()
