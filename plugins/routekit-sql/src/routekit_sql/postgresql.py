"""PostgreSQL: how it is connected, its upsert, and what its errors mean."""

import re
from collections.abc import Mapping, Sequence
from itertools import count
from math import ceil
from typing import Any, Final

from sqlalchemy import Column, Executable, Table, create_engine, event
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.elements import ColumnElement

from routekit import BodyError, DefinitionError, RouteKitError, Unavailable, UnknownName

from .bounded import bounded
from .drivers import driver, watched
from .settings import ConnectionSettings
from .texts import PLAIN, text_of, texts_of

_AWAY: Final[Mapping[str, str]] = {
    "08": "the connection was lost",
    "25006": "it takes no writes now: it may be a standby",
    "40": "it gave up this transaction for the sake of others",
    "53": "it has no more room, memory or connections",
    "55": "another transaction holds the lock",
    "57": "it stops, starts, or has cut the statement off",
    "58": "check its disk and its log",
    "XX": "check its log",
}
"""What is worth another try, by the SQLSTATE or its class (postgresql.org/docs: Appendix A)."""
_ROW: Final = ("22", "23", "42804", "42846", "42883")
"""What is wrong with a value: its form, a constraint, or its type, since statements were checked before."""
_PLACES = re.compile("%%|%s")
_KEY = re.compile(r"Key \(([^,()]+)\)=")


class PostgreSQL:
    """PostgreSQL by psycopg. Values go as text, which the server reads by the type of their column."""

    one_writer = False
    tells_upserts = True
    notifies = True
    streams = True
    compares_rows = True
    numbers_null = False
    plain = PLAIN

    def engine(self, url: URL, settings: ConnectionSettings) -> Engine:
        """An engine whose sessions are in UTC and wait for locks no longer than `timeout`."""
        psycopg = driver("psycopg", extra="postgresql", of="PostgreSQL")
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            paramstyle="format",
            use_native_hstore=False,
            pool_size=settings.pool_size + 1,
            max_overflow=0,
            pool_timeout=settings.timeout,
            pool_use_lifo=True,
            connect_args=connect_arguments(settings),
            hide_parameters=True,  # bodies stay out of error texts
        )

        def set_up(connection: Any) -> None:
            limits = f"SET lock_timeout = {ceil(settings.timeout * 1000)}"
            connection.execute(f"SET timezone = 'UTC'; {limits}; SET statement_timeout = {_patience(settings)}")
            connection.commit()
            _read_all_times(psycopg, connection)

        connection_class = bounded(settings.patience + 1)

        def connect(_: object, __: object, given: Any, options: Any) -> Any:
            return connection_class.connect(*given, **options)

        event.listen(engine, "do_connect", connect)
        return watched(engine, set_up)

    def run_script(self, connection: Connection, script: str) -> None:
        """Run a script of several statements, as one transaction."""
        driver_connection: Any = connection.connection.driver_connection
        driver_connection.execute(script)
        driver_connection.commit()

    def begin(self, connection: Connection) -> None:
        """Nothing: the driver begins each transaction by itself."""

    def check(self, connection: Connection, sql: str, names: Sequence[str]) -> None:
        """Let the server read the statement, without running it."""
        driver_connection: Any = connection.connection.driver_connection
        numbers = count(1)
        written = _PLACES.sub(lambda place: "%" if place[0] == "%%" else f"${next(numbers)}", sql)
        result = driver_connection.pgconn.prepare(b"", written.encode())
        if result.error_message:
            psycopg = driver("psycopg", extra="postgresql", of="PostgreSQL")
            raise psycopg.errors.error_from_result(result)

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
        """The value as text; raises BodyError for one that cannot be stored without loss."""
        return text_of(value, column)

    def parameters(self, values: Sequence[Any], column: Column[Any]) -> Sequence[Any]:
        """The values of many rows for one column, each as `parameter` gives it."""
        return texts_of(values, column)

    def moments(self, connection: Connection, seconds: float) -> tuple[Any, Any]:
        """Now, and so many seconds later, in UTC."""
        statement = "SELECT clock_timestamp(), clock_timestamp() + make_interval(secs => %s)"
        [found] = connection.exec_driver_sql(statement, (float(seconds),))
        return found[0], found[1]

    def version(self, connection: Connection) -> str:
        """The version of the server, and whether it takes no writes."""
        [(version, standby)] = connection.exec_driver_sql("SELECT version(), pg_is_in_recovery()")
        return " ".join(str(version).split()[:2]) + (", a standby" if standby else "")

    def fault(self, error: Exception, where: str) -> RouteKitError | None:
        """What an error means, by its SQLSTATE."""
        if isinstance(error, UnicodeEncodeError):
            return BodyError(f"{where}: a value cannot be stored: {error.reason}")
        if isinstance(error, PoolTimeout):
            return Unavailable(f"{where}: all connections are in use", hint="raise pool_size or timeout")
        found: Any = error.orig if isinstance(error, DBAPIError) else error
        if not type(found).__module__.startswith("psycopg"):
            return None
        return _meaning(found, where)


def connect_arguments(settings: ConnectionSettings) -> dict[str, Any]:
    """How a connection is made, and how long it takes until a server that is silent counts as lost."""
    return {
        "connect_timeout": max(2, ceil(settings.timeout)),
        "application_name": "routekit",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": _patience(settings),
    }


def _patience(settings: ConnectionSettings) -> int:
    return ceil(settings.patience * 1000)


def _read_all_times(psycopg: Any, connection: Any) -> None:
    """Let times that Python has no value for, such as infinity, come as their text: they must not stop a source."""
    datetimes = driver("psycopg.types.datetime", extra="postgresql", of="PostgreSQL")
    for name, base in (
        ("date", datetimes.DateLoader),
        ("timestamp", datetimes.TimestampLoader),
        ("timestamptz", datetimes.TimestamptzLoader),
        ("interval", datetimes.IntervalLoader),
    ):
        connection.adapters.register_loader(name, _tolerant(base, psycopg.DataError))


def _tolerant(base: Any, refusal: type[Exception]) -> type[Any]:
    class Tolerant(base):
        def load(self, data: Any) -> Any:
            try:
                return base.load(self, data)
            except refusal:
                return bytes(data).decode()

    return Tolerant


def _meaning(error: Any, where: str) -> RouteKitError:
    state: str = error.sqlstate or ""
    text = (error.diag.message_primary or str(error).strip()) if state else str(error).strip()
    if any(state.startswith(prefix) for prefix in _ROW) or (not state and type(error).__name__ == "DataError"):
        return BodyError(f"{where}: {text}", column=_column(error))
    away = next((hint for prefix, hint in _AWAY.items() if state.startswith(prefix)), None)
    if away or not state:  # without a state it was the driver that met the fault: no connection, or one that was lost
        return Unavailable(f"{where}: {text}", hint=away or "see url in its settings, and whether the server runs")
    if state in ("42P01", "42703", "3F000"):
        return UnknownName(f"{where}: {text}", hint="see the schema of the database")
    return DefinitionError(f"{where}: {text}", hint="see the statement and the schema of the database")


def _column(error: Any) -> str | None:
    """The column that a constraint is of; its detail, `Key (email)=(...)`, is not told, since it holds the value."""
    named = _KEY.match(error.diag.message_detail or "")
    return error.diag.column_name or (named[1] if named else None)
