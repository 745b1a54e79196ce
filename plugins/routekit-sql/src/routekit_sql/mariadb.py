"""MariaDB and MySQL: how they are connected, their upsert, and what their errors mean."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from math import ceil
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Executable, LargeBinary, Table, create_engine, func, literal_column
from sqlalchemy.dialects.mysql import DATETIME as PRECISE
from sqlalchemy.dialects.mysql import LONGBLOB, MEDIUMBLOB, TIMESTAMP, TINYBLOB, TINYINT, insert
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import Integer

from routekit import BodyError, DefinitionError, RouteKitError, Unavailable, UnknownName

from .drivers import driver, watched
from .loose import PLAIN, loose_text_of
from .settings import ConnectionSettings

_MODE: Final = (
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,"
    "NO_AUTO_VALUE_ON_ZERO"
)
"""Without it values are cut and guessed to fit, and 0 becomes a new number."""
_ROW: Final = frozenset(
    {1048, 1062, 1136, 1153, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1451, 1452, 1525, 1586, 1644}
    | {1690, 1761, 1762, 3140, 3141, 3156, 3819, 3854, 4025, 4078, 4079, 4080, 4161}
)
"""What is wrong with a value: its form, its size, or a constraint (mariadb.com/kb: Error codes)."""
_UNKNOWN: Final = frozenset({1051, 1054, 1109, 1146, 1176, 1305})
_AWAY: Final[Mapping[int, str]] = {
    1021: "it has no more room",
    1030: "check its disk and its log",
    1037: "it has no more memory",
    1040: "it has no more connections",
    1041: "it has no more memory",
    1044: "see user and database of url in its settings",
    1045: "see user and password of url in its settings",
    1047: "it takes no commands now",
    1049: "see the database of url in its settings",
    1053: "it stops",
    1114: "the table has no more room",
    1129: "it has blocked this host",
    1158: "the connection was lost",
    1159: "the connection was lost",
    1160: "the connection was lost",
    1161: "the connection was lost",
    1180: "check its disk and its log",
    1203: "its user has no more connections",
    1205: "another transaction holds the lock",
    1213: "it gave up this transaction for the sake of others",
    1226: "its user has used up what it may use",
    1290: "it takes no writes now: it may be a replica",
    1317: "the statement was cut off",
    1698: "see user and password of url in its settings",
    1792: "it takes no writes now: it may be a replica",
    1836: "it takes no writes now: it may be a replica",
    1927: "the connection was cut off",
    1969: "it took longer than patience in its settings",
    3024: "it took longer than patience in its settings",
    3572: "another transaction holds the lock",
}
"""What is worth another try. Codes from 2000 to 2999 are those of the client: no connection, or one that was lost."""
_PLACES = re.compile("%%|%s")
_CALLS = re.compile(r"\s*call\s+([`\w.$]+)", re.IGNORECASE)
_VALID_JSON = re.compile(r"json_valid\(`([^`]+)`\)", re.IGNORECASE)
_COLUMN = re.compile(r"(?:[Cc]olumn|Field) '(?:[^']*\.)?`?([^`'.]+)`?'|for column (?:`[^`]+`\.){2}`([^`]+)`")
_VALUE = (
    re.compile(r" '.*'(?= for (?:key|column) |[^']* at row \d+$)", re.DOTALL),
    re.compile(r" '.*'$", re.DOTALL),
)


class MariaDB:
    """MariaDB and MySQL by PyMySQL. Values go as text, except into parameters of no column."""

    one_writer = False
    numbers_null = True
    tells_upserts = False
    notifies = False
    streams = False
    compares_rows = False
    plain = PLAIN

    def engine(self, url: URL, settings: ConnectionSettings) -> Engine:
        """An engine whose sessions are strict, in UTC, and wait for locks no longer than `timeout`."""
        driver("pymysql", extra="mariadb", of="MariaDB")
        patience = ceil(settings.patience)
        engine = create_engine(
            url.set(drivername="mysql+pymysql"),
            paramstyle="format",
            isolation_level="READ COMMITTED",  # else what is read stays locked, and gaps before it too
            pool_size=settings.pool_size + 1,
            max_overflow=0,
            pool_timeout=settings.timeout,
            pool_use_lifo=True,
            connect_args={
                "connect_timeout": max(2, ceil(settings.timeout)),
                "read_timeout": patience + 1,
                "write_timeout": patience + 1,
            },
            hide_parameters=True,  # bodies stay out of error texts
        )
        lock = ceil(settings.timeout)  # it knows whole seconds only

        def set_up(connection: Any) -> None:
            limit = (
                f"max_statement_time = {patience}"
                if "maria" in connection.get_server_info().lower()
                else f"max_execution_time = {patience * 1000}"
            )
            with closing(connection.cursor()) as cursor:
                cursor.execute(
                    f"SET SESSION sql_mode = '{_MODE}', time_zone = '+00:00', innodb_lock_wait_timeout = {lock}, "
                    f"lock_wait_timeout = {lock}, {limit}"
                )

        return watched(engine, set_up)

    def run_script(self, connection: Connection, script: str) -> None:
        """Run a script of several statements, by a connection of its own: no other may run several at once."""
        pymysql = driver("pymysql", extra="mariadb", of="MariaDB")
        flags = driver("pymysql.constants.CLIENT", extra="mariadb", of="MariaDB")
        engine = connection.engine
        given, options = engine.dialect.create_connect_args(engine.url)
        options = {**options, "client_flag": flags.MULTI_STATEMENTS | flags.FOUND_ROWS}
        with closing(pymysql.connect(*given, **options)) as own, closing(own.cursor()) as cursor:
            cursor.execute(f"SET SESSION sql_mode = '{_MODE}'")
            cursor.execute(script)
            while cursor.nextset():
                pass
            own.commit()

    def begin(self, connection: Connection) -> None:
        """Nothing: the driver begins each transaction by itself."""

    def check(self, connection: Connection, sql: str, names: Sequence[str]) -> None:
        """Let the server read the statement, without running it; whether a procedure exists, it has to be asked."""
        called = _CALLS.match(sql)
        if called:
            _check_procedure(connection, called[1].replace("`", ""))
        written = _PLACES.sub(lambda place: "%" if place[0] == "%%" else "?", sql)
        connection.exec_driver_sql("PREPARE routekit FROM %s", (written,))
        connection.exec_driver_sql("DEALLOCATE PREPARE routekit")

    def refine(self, connection: Connection, table: Table) -> None:
        """Say of its columns what they are for: JSON is a text with a constraint, a boolean a small number."""
        sql = (
            connection.exec_driver_sql(
                "SELECT check_clause FROM information_schema.check_constraints "
                "WHERE constraint_schema = coalesce(%s, database()) AND table_name = %s",
                (table.schema, table.name),
            )
            if _is_mariadb(connection)
            else ()
        )
        json = {name for (clause,) in sql for name in _VALID_JSON.findall(str(clause))}
        for column in table.columns:
            if column.name in json:
                column.type = JSON()
            elif isinstance(column.type, TINYINT) and getattr(column.type, "display_width", None) == 1:
                column.type = Boolean()
            elif isinstance(column.type, TINYBLOB | MEDIUMBLOB | LONGBLOB):
                column.type = LargeBinary()

    def upsert(
        self, table: Table, values: dict[str, ColumnElement[Any]], key: Sequence[str], update: Sequence[str]
    ) -> Executable:
        """`INSERT ... ON DUPLICATE KEY UPDATE`, which looks at all unique keys: one of another row is refused."""
        statement = insert(table).values(values).inline()
        new: list[tuple[str, ColumnElement[Any]]] = [
            (name, _same_or_refused(table.columns[name], statement.inserted[name])) for name in key
        ]
        return statement.on_duplicate_key_update([*new, *((name, statement.inserted[name]) for name in update)])

    def parameter(self, value: Any, column: Column[Any]) -> Any:
        """The value as text; raises BodyError for one that cannot be stored without loss."""
        return loose_text_of(value, column)

    def parameters(self, values: Sequence[Any], column: Column[Any]) -> Sequence[Any]:
        """The values of many rows for one column, each as `parameter` gives it."""
        return [loose_text_of(value, column) for value in values]

    def moments(self, connection: Connection, seconds: float) -> tuple[Any, Any]:
        """Now, and so many seconds later, in UTC."""
        statement = "SELECT UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND"
        [found] = connection.exec_driver_sql(statement, (int(seconds * 1_000_000),))
        return found[0], found[1]

    def keeps_fractions(self, column: Column[Any]) -> bool:
        """Whether a column of times tells milliseconds apart."""
        return not isinstance(column.type, PRECISE | TIMESTAMP) or (column.type.fsp or 0) >= 3

    def version(self, connection: Connection) -> str:
        """The version of the server, and whether it takes no writes."""
        [(version, standby)] = connection.exec_driver_sql("SELECT version(), @@global.read_only")
        number, _, flavour = str(version).partition("-")
        kind = "MariaDB" if flavour.startswith("MariaDB") else "MySQL"
        return f"{kind} {number}" + (", which takes no writes" if standby else "")

    def fault(self, error: Exception, where: str) -> RouteKitError | None:
        """What an error means, by its code."""
        if isinstance(error, UnicodeEncodeError):
            return BodyError(f"{where}: a value cannot be stored: {error.reason}")
        if isinstance(error, PoolTimeout):
            return Unavailable(f"{where}: all connections are in use", hint="raise pool_size or timeout")
        if isinstance(error, RuntimeError) and "cryptography" in str(error):
            return DefinitionError(f"{where}: {error}", hint="pip install 'pymysql[rsa]'")
        found: Any = error.orig if isinstance(error, DBAPIError) else error
        if not type(found).__module__.startswith("pymysql"):
            return None
        return _meaning(found, where)


def _same_or_refused(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """The key as it is, if it is that of the new row."""
    refused = literal_column("~0 + 1", Integer()) + func.LENGTH(old)  # too large as soon as it is looked at
    return getattr(func, "IF")(old.op("<=>")(new), old, refused)  # noqa: B009 - a word of SQL


def _check_procedure(connection: Connection, name: str) -> None:
    schema, _, plain = name.rpartition(".")
    asked = (
        "SELECT 1 FROM information_schema.routines WHERE routine_type = 'PROCEDURE' AND routine_name = %s "
        "AND routine_schema = coalesce(%s, database())"
    )
    if connection.exec_driver_sql(asked, (plain, schema or None)).first() is None:
        raise UnknownName(f"there is no procedure '{name}'", hint="see the schema of the database")


def _is_mariadb(connection: Connection) -> bool:
    return bool(getattr(connection.dialect, "is_mariadb", False))


def _meaning(error: Any, where: str) -> RouteKitError:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if code == 1690 and "~0 + 1" in text:
        return BodyError(f"{where}: another row has a value that is unique in its table, and not the row of this key")
    if code in _ROW:
        column = _COLUMN.search(text)
        return BodyError(f"{where}: {_without_value(text)}", column=(column[1] or column[2]) if column else None)
    if code in _AWAY:
        return Unavailable(f"{where}: {text}", hint=_AWAY[code])
    if code == 0 or 2000 <= code < 3000:
        return Unavailable(
            f"{where}: {text or 'the connection is closed'}",
            hint="see url in its settings, and whether the server runs",
        )
    if code in _UNKNOWN:
        return UnknownName(f"{where}: {text}", hint="see the schema of the database")
    return DefinitionError(f"{where}: {text}", hint="see the statement and the schema of the database")


def _without_value(text: str) -> str:
    """The text of an error about a value, without the value.

    >>> _without_value("Duplicate entry 'a@b' for key 'PRIMARY'")
    "Duplicate entry ... for key 'PRIMARY'"
    """
    if not text.startswith(("Duplicate entry", "Incorrect", "Truncated incorrect")):
        return text
    return next((found for value in _VALUE if (found := value.sub(" ...", text)) != text), text)
