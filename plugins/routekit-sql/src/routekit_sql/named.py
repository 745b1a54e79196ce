"""A statement that the author wrote, with :named parameters that are bound and never formatted."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, text
from sqlalchemy.engine import Connection

from routekit import BadOption, BodyError, Message, Send

from .body import Row, Rows
from .database import Database, transaction
from .group import GroupCommit
from .plan import Parameters, Plan, compiled, taking

_READS = re.compile(r"\s*(select|values)\b", re.IGNORECASE)
_CHANGES = re.compile(r"\s*(insert|update|delete|replace)\b", re.IGNORECASE)
_ANSWERS = re.compile(r"\breturning\b", re.IGNORECASE)


class Named:
    """A compiled statement, which takes its parameters from a row by their names."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._bind = plan.binder()

    def bind(self, row: Row) -> Parameters:
        """The parameters for a row; raises BodyError for one that the row does not have. Other fields are ignored."""
        for column in self.plan.columns:
            if column.name not in row:
                raise BodyError("the statement needs a value", column=column.name, hint=f"the row has: {_list(row)}")
        return self._bind(row)


def _list(row: Row) -> str:
    return ", ".join(map(str, row)) or "nothing"


def answers(statement: str) -> bool:
    """Whether a statement is there for its answer."""
    return bool(_READS.match(statement) or _ANSWERS.search(statement))


def checked(connection: Connection, statement: str, database: Database) -> Named:
    """The statement, compiled and checked by the database; raises DefinitionError."""
    sql, names = compiled(text(statement), connection.dialect)
    try:
        database.dialect.check(connection, sql, names)
    except Exception as error:
        meaning = database.meaning(error)
        if isinstance(meaning, BodyError):
            raise BadOption(f"statement={statement}: {meaning.reason}") from error
        raise
    columns = [Column[Any](name) for name in names]
    return Named(Plan(database.dialect, sql, taking(names), columns, frozenset(), at_most_one=False))


async def named_sender(database: Database, statement: str, group: GroupCommit) -> Send:
    """A send function that runs the statement with the values of each body.

    A statement that gives rows (SELECT, RETURNING) answers with a list of dicts. The count of those, or of the rows
    changed, is in the header `sql.rows`.
    """
    named = await database.read(lambda connection: checked(connection, statement, database))
    rows = Rows()

    async def change(message: Message[Any]) -> Message[Any]:
        unit = [(named.plan, named.bind(row)) for row in rows.of(message.body)]
        return message.with_header("sql.rows", await group.commit(unit) if unit else 0)

    async def ask(message: Message[Any]) -> Message[Any]:
        parameters = [named.bind(row) for row in rows.of(message.body)]
        found = await database.read(lambda connection: _answers(connection, named.plan.sql, parameters))
        return message.with_body(found).with_header("sql.rows", len(found))

    async def change_and_ask(message: Message[Any]) -> Message[Any]:
        parameters = [named.bind(row) for row in rows.of(message.body)]

        def work(connection: Connection) -> Sequence[Mapping[str, Any]]:
            with transaction(connection):
                database.dialect.begin(connection)
                return _answers(connection, named.plan.sql, parameters)

        found = await database.write(work)
        return message.with_body(found).with_header("sql.rows", len(found))

    if _READS.match(statement):
        return ask
    return change if _CHANGES.match(statement) and not _ANSWERS.search(statement) else change_and_ask


def _answers(connection: Connection, sql: str, rows: Sequence[Parameters]) -> Sequence[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for parameters in rows:
        result = connection.exec_driver_sql(sql, parameters)
        if result.returns_rows:
            found += [dict(row) for row in result.mappings()]
    return found
