"""A database in a folder of its own, and a runtime that knows it."""

import gc
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from routekit import Message, RouteKitError, Send
from routekit_sql import SqlSink

SCHEMA = """
CREATE TABLE contacts (
    email TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    age INTEGER CHECK (age >= 0),
    vip BOOLEAN,
    tags JSON,
    note TEXT
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    number INTEGER NOT NULL,
    total NUMERIC,
    placed TIMESTAMP,
    state TEXT NOT NULL DEFAULT 'new',
    UNIQUE (customer, number)
);
CREATE TABLE lines (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    price REAL
);
"""


@pytest.fixture
def anyio_backend() -> str:
    """SQLAlchemy's async engines run on asyncio only."""
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database file with the tables of the tests."""
    path = tmp_path / "crm.db"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()
    return path


class Host:
    """A runtime that opens what routes share, and nothing else."""

    def __init__(self, file: Path, **settings: Any) -> None:
        self.file = file
        settings = {"url": f"sqlite:///{file}", "timeout": "50ms", **settings}
        self.tables = {("sql", "crm"): settings}
        self.route = "test"
        self.random = Random(1)
        self.stack = AsyncExitStack()
        self.open: dict[Any, Any] = {}

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return self.tables.get((table, name))

    async def shared(self, factory: Callable[..., AbstractAsyncContextManager[Any]], *args: Any) -> Any:
        key = (factory, args)
        if key not in self.open:
            self.open[key] = await self.stack.enter_async_context(factory(*args))
        return self.open[key]

    async def sink(self, path: str = "crm/contacts", **options: Any) -> Send:
        """An open sink."""
        return await self.stack.enter_async_context(SqlSink.of(path, options).open(self))  # type: ignore[arg-type]

    async def send_all(self, send: Send, *bodies: Any) -> list[Any]:
        """Send bodies at once; the answer or the error of each, in order."""
        outcomes: list[Any] = [None] * len(bodies)

        async def one(number: int, body: Any) -> None:
            try:
                outcomes[number] = await send(Message(body, id=str(number)))
            except RouteKitError as error:
                outcomes[number] = error

        async with anyio.create_task_group() as tasks:
            for number, body in enumerate(bodies):
                tasks.start_soon(one, number, body)
        return outcomes

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What another process finds in the file, or does to it, now."""
        connection = sqlite3.connect(self.file)
        try:
            found = connection.execute(statement, parameters).fetchall()
            connection.commit()
        finally:
            connection.close()
        return found


@pytest.fixture
async def host(file: Path) -> AsyncGenerator[Host]:
    """A runtime whose connection `crm` is the database file."""
    made = Host(file)
    async with made.stack:
        yield made


@pytest.fixture(autouse=True)
def nothing_left_open() -> Generator[None]:
    """A connection that was not closed is reported by the test that opened it."""
    yield
    gc.collect()


@pytest.fixture
def hosted() -> type[Host]:
    """For tests that need a runtime with settings of their own."""
    return Host
