"""Rows of one statement whose result stays open, so that it need not be run again for each page."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
from sqlalchemy import CursorResult, Executable
from sqlalchemy.engine import Connection

from .database import Database
from .reading import Reader, Row


class Stream:
    """The result of a query, on a connection of its own, from which rows are fetched when they are wanted.

    The database holds the result; here are no more rows than are fetched at once. It must be closed, in whatever state
    it is.
    """

    def __init__(self, database: Database, reader: Reader, query: Executable) -> None:
        self._database = database
        self._reader = reader
        self._query = query
        self._connection: Connection | None = None
        self._result: CursorResult[Any] | None = None
        self._cursor: Any = None

    async def next(self, most: int) -> Sequence[Row]:
        """Up to `most` rows; fewer if that is the end."""
        return await self._database.in_thread(partial(self._database.told, partial(self._next, most)))

    async def close(self) -> None:
        """Leave the rest of the rows where they are."""
        with anyio.CancelScope(shield=True):
            await self._database.in_thread(self._close)

    def _next(self, most: int) -> Sequence[Row]:
        result = self._result or self._opened(most)
        return self._reader.converted([dict(row) for row in result.mappings().fetchmany(most)])

    def _opened(self, most: int) -> CursorResult[Any]:
        self._connection = connection = self._database.connected()
        connection.detach()  # it stays open for as long as the rows take: the pool gets another one
        options: dict[str, Any] = {"stream_results": True, "max_row_buffer": most}
        self._result = connection.execution_options(**options).execute(self._query)
        assert self._result is not None
        self._cursor = self._result.cursor  # one that could not be closed has to be closed after its connection
        return self._result

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        result, self._result = self._result, None
        if connection is None:
            return
        raw: Any = None
        with suppress(Exception):  # here and below: it may be lost already, in whatever state, and is left all the same
            raw = connection.connection.dbapi_connection
            if result is not None:
                result.close()
        for one in (raw, self._cursor, connection):
            with suppress(Exception):
                one.close()
