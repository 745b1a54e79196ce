"""The SQL endpoints keep the contracts on servers too: these go away, come back, and cut connections off."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

from routekit import Capabilities, Message
from routekit.testing.conformance import SinkContract, SourceContract
from routekit_sql import SqlSink, SqlSource
from routekit_sql.testing import PASSWORD, Server

TEXTS = {"plain": "plain", "empty": "", "unicode": "Grüße, 你好, 🐿", "quotes": "'; DROP TABLE notes; --", "none": None}


class Table:
    """A table of notes on a server, seen from outside."""

    fixture: ClassVar[str]
    secrets = (PASSWORD,)
    loops = ("asyncio",)
    bodies: ClassVar[Mapping[str, Any]] = {
        name: {"id": number, "note": text} for number, (name, text) in enumerate(TEXTS.items(), 1)
    }
    large = 4 << 20
    address: tuple[str, int]

    @pytest.fixture(autouse=True)
    def running(self, request: pytest.FixtureRequest) -> None:
        self.one: Server = request.getfixturevalue(self.fixture)

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        if not self.one.running:
            self.one.start()
        self.rows("DROP TABLE IF EXISTS notes")
        self.rows(
            f"CREATE TABLE notes (id INTEGER PRIMARY KEY, note {self.text}, state VARCHAR(10), place {self.number})"
        )
        yield
        if not self.one.running:
            self.one.start()

    text = "TEXT"
    number = "INTEGER GENERATED ALWAYS AS IDENTITY"

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        if (table, name) != ("sql", "crm"):
            return None
        url = make_url(self.one.url).set(port=self.address[1] or self.one.port).render_as_string(hide_password=False)
        return {"url": url, "timeout": "1s", "patience": "2s"}

    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.one.port

    async def stop_server(self) -> None:
        self.one.kill()

    async def start_server(self) -> None:
        self.one.start()

    def body(self, number: int) -> Any:
        return {"id": number, "note": f"note {number}"}

    def large_body(self, size: int) -> Any:
        return {"id": 1, "note": "é" * (size // 2)}

    def rows(self, statement: str, parameters: Any = None) -> Sequence[Any]:
        with psycopg.connect(self.one.url, autocommit=True) as connection:
            found = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    async def put(self, message: Message[Any]) -> None:
        self.rows("INSERT INTO notes (id, note) VALUES (%s, %s)", (message.body["id"], message.body["note"]))

    async def delivered(self) -> Sequence[Any]:
        if not self.one.running:
            self.one.start()
        return [{"id": key, "note": note} for key, note in self.rows("SELECT id, note FROM notes ORDER BY place")]


class OnMariaDB(Table):
    text = "LONGTEXT"
    number = "INTEGER AUTO_INCREMENT UNIQUE"

    def rows(self, statement: str, parameters: Any = None) -> Sequence[Any]:
        options: Any = {"user": "routekit", "password": PASSWORD, "database": "crm", "autocommit": True}
        connection = pymysql.connect(host="127.0.0.1", port=self.one.port, **options)
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()


class Source(Table):
    def expected(self, body: Any) -> Any:
        return {**body, "state": None}


class Sink(Table):
    def poison(self) -> Any:
        return {"id": "no number", "nothing": 1}

    def half_good(self) -> Any:
        return [{"id": 1, "note": "good"}, {"id": 1, "note": "the same key"}]


QUERY = "SELECT id, note, state FROM notes"


class TestCursorOnPostgreSQL(Source, SourceContract):
    fixture = "postgresql"
    kind = SqlSource
    promised = Capabilities(replayable=True, ordered=True)

    def source(self) -> SqlSource:
        return SqlSource(target="crm", query=QUERY, cursor="id", key="id", name="kit", poll=0.02)


class TestWorkOnPostgreSQL(TestCursorOnPostgreSQL):
    loops = ("trio",)
    promised = Capabilities(replayable=True)

    def source(self) -> SqlSource:
        return SqlSource(target="crm/notes", query=QUERY, key="id", after="mark", set="state:done", poll=0.02)


class TestSinkOnPostgreSQL(Sink, SinkContract):
    fixture = "postgresql"
    kind = SqlSink

    def sink(self) -> str:
        return "sql:crm/notes"


class TestUpsertingSinkOnPostgreSQL(TestSinkOnPostgreSQL):
    loops = ("trio",)
    promised = Capabilities(ordered=True, transactional=True, idempotent=True)

    def sink(self) -> str:
        return "sql:crm/notes?mode=upsert&key=id"

    def half_good(self) -> Any:
        return [{"id": 1, "note": "good"}, {"id": 2, "nothing": 1}]


class TestCursorOnMariaDB(OnMariaDB, TestCursorOnPostgreSQL):
    fixture = "mariadb"
    loops = ("trio",)


class TestWorkOnMariaDB(OnMariaDB, TestWorkOnPostgreSQL):
    fixture = "mariadb"
    loops = ("asyncio",)


class TestSinkOnMariaDB(OnMariaDB, TestSinkOnPostgreSQL):
    fixture = "mariadb"
    loops = ("trio",)


class TestUpsertingSinkOnMariaDB(OnMariaDB, TestUpsertingSinkOnPostgreSQL):
    fixture = "mariadb"
    loops = ("asyncio",)
