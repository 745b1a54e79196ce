"""Connections to the database, and what its errors mean."""

from collections.abc import Sequence
from math import ceil
from typing import Any, Final

import psycopg
from psycopg.types.numeric import Int8Dumper

from routekit import StoreError

from .address import Address, PostgresqlOptions

_AWAY: Final = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "53300")
"""SQLSTATEs of a connection that was cut, or that the server could not take now (postgresql.org/docs: Appendix A)."""
_AGAIN: Final = ("40001", "40P01")
"""SQLSTATEs of a transaction that was given up for the sake of others."""
_MEANINGS: Final[Sequence[tuple[str, str]]] = (
    ("password authentication failed", "look at the user and the password in `store`"),
    ("no password supplied", "write postgresql://user:password@host/database"),
    ("no pg_hba.conf entry", "let this user in by pg_hba.conf of the server"),
    ("permission denied", "GRANT CONNECT ON DATABASE to this user"),
    ('role "', "make the user: CREATE ROLE ... LOGIN"),
    ('database "', "make it: CREATE DATABASE ..."),
)
_FINAL: Final = tuple(text for text, _ in _MEANINGS)
_BY_STATE: Final[Sequence[tuple[str, str]]] = (
    ("42501", "GRANT CREATE ON DATABASE to this user, or make the schema and let the user own it"),
    ("25006", "it takes no writes now: it may be a standby"),
    ("53100", "free space on its disk"),
    ("53", "it has no more room, memory or connections"),
    ("57014", "the statement took longer than `patience`"),
    ("42P01", "somebody has removed a table of the store; restore it from a backup"),
)


_UNWANTED: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
"""Every statement finds its rows by an index; a plan made when a table was new must not read all of it later."""


class Bounded(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed, with an OperationalError, when its server has not answered for too long.

    The driver by itself waits for ever, as long as the other side acknowledges its packets: a server that hangs.
    """

    patience = 60.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As the driver, but not for ever."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:  # pyright: ignore[reportPrivateUsage]  # nothing public is raised
            if timeout is not None:
                raise
            self.close()
            raise psycopg.OperationalError("the server has not answered") from None


class Database:
    """Makes connections to one database, whose names are found in the store's schema."""

    def __init__(self, address: Address, options: PostgresqlOptions) -> None:
        self.address = address
        self.options = options

    @property
    def schema(self) -> str:
        """The schema of the tables."""
        return self.options.db_schema

    def connect(self, purpose: str) -> Bounded:
        """A connection in autocommit, with its purpose where the server lists it; raises psycopg.Error. In a thread."""
        options = self.options
        milliseconds = ceil(options.patience * 1000)
        settings = {
            "search_path": options.db_schema,
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": ceil(options.lease * 1000),
            "client_min_messages": "error",
            "plan_cache_mode": "force_generic_plan",
            **dict.fromkeys(_UNWANTED, "off"),
        }
        given: dict[str, Any] = {
            **self.address.arguments(),
            "connect_timeout": max(2, ceil(options.timeout)),
            "application_name": f"routekit {purpose}",
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            "client_encoding": "utf8",
            "sslmode": options.sslmode,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": milliseconds,
        }
        if options.sslrootcert:
            given["sslrootcert"] = options.sslrootcert
        connection = Bounded.connect(autocommit=True, prepare_threshold=0, **given)
        connection.patience = options.patience + 1
        connection.adapters.register_dumper(int, Int8Dumper)  # one type, so that statements are prepared once
        connection.execute(_DURABLE)
        return connection

    def explain(self, error: Exception) -> StoreError:
        """What an error of the driver means, and what to do."""
        state = getattr(error, "sqlstate", None) or ""
        text = getattr(getattr(error, "diag", None), "message_primary", None) or _first_line(error)
        hint = next((hint for start, hint in _BY_STATE if state.startswith(start)), "")
        if not hint and not state and isinstance(error, psycopg.OperationalError):
            hint = next((hint for part, hint in _MEANINGS if part in text), "is it running, and reachable from here?")
        told = StoreError(f"the store {self.address} failed: {text}", hint=hint)
        told.__cause__ = error
        return told


_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


def lost(error: Exception, connection: Bounded | None) -> bool:
    """Whether it was the connection that failed, or the making of one, so that another one may do it."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return state.startswith(_AWAY)
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return connection is not None or not any(text in str(error) for text in _FINAL)


def given_up(error: Exception) -> bool:
    """Whether the same transaction may succeed if it is tried again."""
    return (getattr(error, "sqlstate", None) or "").startswith(_AGAIN)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
