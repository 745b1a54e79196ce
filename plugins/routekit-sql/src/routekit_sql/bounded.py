"""A connection to PostgreSQL that waits no longer for its server than it was told to.

The driver by itself waits for an answer for ever, as long as the other side acknowledges its packets: a server that
hangs, or a proxy whose server is gone.
"""

from typing import Any

from .drivers import driver


def bounded(patience: float) -> Any:
    """The class of connections that are closed, with an OperationalError, after so many seconds without an answer."""
    psycopg: Any = driver("psycopg", extra="postgresql", of="PostgreSQL")

    class Bounded(psycopg.Connection):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return psycopg.Connection.wait(self, gen, interval, patience if timeout is None else timeout)
            except psycopg.errors._WaitTimeout:  # nothing public is raised
                if timeout is not None:
                    raise
                self.close()
                raise psycopg.OperationalError("the server has not answered") from None

    return Bounded
