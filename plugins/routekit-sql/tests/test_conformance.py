"""The SQL endpoints keep the contracts that every endpoint has to keep."""

import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, ClassVar

from routekit import Capabilities, Message
from routekit.testing.conformance import SinkContract, SourceContract
from routekit_sql import SqlSink, SqlSource

TEXTS = {"plain": "plain", "empty": "", "unicode": "Grüße, 你好, 🐿", "quotes": "'; DROP TABLE notes; --", "none": None}


class Table:
    """A table of notes, seen from outside."""

    bodies: ClassVar[Mapping[str, Any]] = {
        name: {"id": number, "note": text} for number, (name, text) in enumerate(TEXTS.items(), 1)
    }
    large = 8 << 20

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.file = folder / "notes.db"
        self.rows("CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT, state TEXT)")
        yield

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return {"url": f"sqlite:///{self.file}", "timeout": "1s"} if (table, name) == ("sql", "crm") else None

    def body(self, number: int) -> Any:
        return {"id": number, "note": f"note {number}"}

    def large_body(self, size: int) -> Any:
        return {"id": 1, "note": "é" * (size // 2)}

    def rows(self, statement: str, parameters: Any = ()) -> list[Any]:
        with closing(sqlite3.connect(self.file, timeout=5)) as connection:
            found = connection.execute(statement, parameters).fetchall()
            connection.commit()
            return found

    async def put(self, message: Message[Any]) -> None:
        self.rows("INSERT INTO notes (id, note) VALUES (:id, :note)", message.body)

    async def delivered(self) -> Sequence[Any]:
        return [{"id": key, "note": note} for key, note in self.rows("SELECT id, note FROM notes ORDER BY rowid")]


class TestWork(Table, SourceContract):
    kind = SqlSource

    def source(self) -> SqlSource:
        return SqlSource(target="crm/notes", key="id", after="delete", poll=0.02)

    def expected(self, body: Any) -> Any:
        return {**body, "state": None}


class TestMarkedWork(TestWork):
    loops = ("trio",)

    def source(self) -> SqlSource:
        return SqlSource(target="crm/notes", key="id", after="mark", set="state:done", poll=0.02)


class TestCursor(TestWork):
    loops = ("asyncio",)
    promised = Capabilities(replayable=True, ordered=True)

    def source(self) -> SqlSource:
        return SqlSource(target="crm/notes", cursor="id", name="kit", poll=0.02)


class TestSink(Table, SinkContract):
    kind = SqlSink

    def sink(self) -> str:
        return "sql:crm/notes"

    def poison(self) -> Any:
        return {"id": "no number", "nothing": 1}

    def half_good(self) -> Any:
        return [{"id": 1, "note": "good"}, {"id": 1, "note": "the same key"}]


class TestUpsertingSink(TestSink):
    loops = ("trio",)
    promised = Capabilities(ordered=True, transactional=True, idempotent=True)

    def sink(self) -> str:
        return "sql:crm/notes?mode=upsert&key=id"

    def half_good(self) -> Any:
        return [{"id": 1, "note": "good"}, {"id": 2, "nothing": 1}]
