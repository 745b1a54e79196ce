"""The tables that transactions need beside those of the author: the inbox, the outbox, and who ships what is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Executable,
    Index,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, VARCHAR
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection
from sqlalchemy.engine import Dialect as Engine

from routekit import DefinitionError

from .database import transaction
from .plan import AsGiven, compiled

LONGEST = 200
"""Characters that the name of a word, or an id that is kept as it is, may have."""

_NAME = String(LONGEST).with_variant(VARCHAR(LONGEST, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
_ID = String(255).with_variant(VARCHAR(255, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
_LONG = Text().with_variant(LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
_MOMENT = DateTime(timezone=True).with_variant(DATETIME(fsp=6), "mysql", "mariadb").with_variant(Text(), "sqlite")
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def known_as(id: str) -> str:
    """An id as the inbox keeps it: as it is, or, if a column could take it for another one, its digest.

    >>> known_as("orders/17"), known_as("Ä")
    ('orders/17', 'sha256:2fe5ca1c1a3d50bd92f1d3cf6da34ceddabe02022b2a0183ab0b805ada6f787a')
    """
    if len(id) <= LONGEST and id.isascii() and id.isprintable() and id == id.strip() and not id.startswith("sha256:"):
        return id
    return f"sha256:{sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()}"


class Ledger:
    """The tables by their names, and the statements on them, as one database wants them."""

    def __init__(self, inbox: str, outbox: str) -> None:
        self._metadata = MetaData()
        schema, _, plain = inbox.rpartition(".")
        self.inbox = Table(
            plain,
            self._metadata,
            Column("name", _NAME, primary_key=True),
            Column("id", _ID, primary_key=True),
            Column("at", Double, nullable=False),
            Index(f"{plain}_at", "name", "at"),
            schema=schema or None,
            sqlite_with_rowid=False,
        )
        schema, _, plain = outbox.rpartition(".")
        self.outbox = Table(
            plain,
            self._metadata,
            Column("number", _NUMBER, primary_key=True, autoincrement=True),
            Column("name", _NAME, nullable=False),
            Column("id", _LONG, nullable=False),
            Column("target", _LONG, nullable=False),
            Column("lane", _LONG, nullable=False),
            Column("message", _LONG, nullable=False),
            Column("at", Double, nullable=False),
            Index(f"{plain}_name", "name", "number"),
            schema=schema or None,
            sqlite_autoincrement=True,  # a number must not come again
        )
        self.lease = Table(
            f"{plain}_lease",
            self._metadata,
            Column("name", _NAME, primary_key=True),
            Column("owner", _LONG, nullable=False),
            Column("until", _MOMENT, nullable=False),
            schema=schema or None,
        )

    def make(self, connection: Connection) -> None:
        """Make the tables that are missing; several processes may do so at once."""
        missing = [table for table in self._metadata.sorted_tables if not self._is_there(connection, table)]
        connection.rollback()
        for table in missing:
            try:
                with transaction(connection):
                    table.create(connection, checkfirst=True)
            except Exception:  # whatever the driver raises if another one has just made it
                if not self._is_there(connection, table):
                    raise
                connection.rollback()

    def missing(self, connection: Connection) -> Sequence[str]:
        """The tables that will have to be made."""
        return [table.fullname for table in self._metadata.sorted_tables if not self._is_there(connection, table)]

    def statements(self, engine: Engine) -> "Statements":
        """The statements of one database."""
        inbox, outbox = self.inbox.c, self.outbox.c
        marks = {name: _mark(name) for name in ("name", "id", "at")}
        puts = {name: _mark(name) for name in ("name", "id", "target", "lane", "message", "at")}
        return Statements(
            mark=_text(_insert_or_leave(self.inbox, marks, engine.name), engine, list(marks)),
            put=_text(insert(self.outbox).values(puts).inline(), engine, list(puts)),
            page=select(outbox.number, outbox.id, outbox.target, outbox.lane, outbox.message, outbox.at)
            .where(outbox.name == bindparam("of"), outbox.number > bindparam("after"))
            .order_by(outbox.number)
            .limit(bindparam("most")),
            count=select(func.count(), func.min(outbox.at)).where(outbox.name == bindparam("of")),
            forget=delete(self.outbox).where(outbox.number.in_(bindparam("numbers", expanding=True))),
            prune=delete(self.inbox).where(inbox.name == bindparam("of"), inbox.at < bindparam("before")),
            renew=update(self.lease)
            .where(
                self.lease.c.name == bindparam("of"),
                or_(self.lease.c.owner == bindparam("mine"), self.lease.c.until < bindparam("now", type_=AsGiven())),
            )
            .values(owner=bindparam("mine"), until=bindparam("later", type_=AsGiven())),
            first=_insert_or_leave(
                self.lease,
                {"name": bindparam("of"), "owner": bindparam("mine"), "until": bindparam("later", type_=AsGiven())},
                engine.name,
            ).execution_options(preserve_rowcount=True),
            leave=delete(self.lease).where(
                self.lease.c.name == bindparam("of"), self.lease.c.owner == bindparam("mine")
            ),
        )

    def _is_there(self, connection: Connection, table: Table) -> bool:
        return connection.dialect.has_table(connection, table.name, schema=table.schema)


@dataclass(frozen=True)
class Statements:
    """The statements of one database; those that are texts take their values in the order of the columns."""

    mark: str
    put: str
    page: Executable
    count: Executable
    forget: Executable
    prune: Executable
    renew: Executable
    first: Executable
    leave: Executable


def _mark(name: str) -> Any:
    return bindparam(f"routekit_{name}", type_=AsGiven())


def _text(statement: Executable, engine: Engine, names: Sequence[str]) -> str:
    sql, order = compiled(statement, engine)
    if [name.removeprefix("routekit_") for name in order] != list(names):
        raise DefinitionError(f"the statement takes its values in the order {order}")
    return sql


def _insert_or_leave(table: Table, values: Mapping[str, Any], engine: str) -> Insert:
    """Insert a row; where one with this key exists, change nothing."""
    if engine == "sqlite":
        return sqlite_insert(table).values(values).inline().on_conflict_do_nothing()
    if engine == "postgresql":
        return postgresql_insert(table).values(values).inline().on_conflict_do_nothing()
    return insert(table).values(values).inline().prefix_with("IGNORE")
