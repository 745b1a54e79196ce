"""A database in a folder of its own, and a runtime that knows it."""

import gc
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from routekit import Delivery, Message, RouteKitError, Send
from routekit.testing import Catalog
from routekit_sql import SqlSink, SqlSource

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


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Drivers run in threads, so all that is here runs on both."""
    return request.param


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
        self.resting = anyio.Event()
        self.polls = anyio.Event()
        self.refusing = False
        self.store: Any = None

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

    async def rest(self, seconds: float) -> None:
        """Wait until the test wants another poll."""
        assert not self.refusing, "the source was to be refused, but it reads"
        self.polls = anyio.Event()
        self.resting.set()
        await self.polls.wait()

    @asynccontextmanager
    async def reading(self, path: str = "crm/contacts", **options: Any) -> AsyncGenerator["Reading"]:
        """A source that is read as the engine reads it, one delivery after the other."""
        reading = Reading(self, SqlSource.of(path, options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading.run)
            yield reading
            tasks.cancel_scope.cancel()

    async def refusal(self, path: str = "crm/contacts", **options: Any) -> Exception:
        """What a source raises as soon as it is read."""
        self.refusing = True
        with pytest.raises(RouteKitError) as caught:
            await anext(SqlSource.of(path, options).consume(self))  # type: ignore[arg-type]
        return caught.value

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


class Reading:
    """What a source delivered."""

    def __init__(self, host: Host, source: SqlSource) -> None:
        self.host = host
        host.resting = anyio.Event()
        self.source = source
        self.deliveries: list[Delivery[Any]] = []
        self.polled = False

    async def run(self) -> None:
        async with aclosing(self.source.consume(self.host)) as deliveries:  # type: ignore[arg-type]
            async for delivery in deliveries:
                self.deliveries.append(delivery)

    async def poll(self) -> list[Delivery[Any]]:
        """What is delivered until the source has nothing more for now."""
        if self.polled:
            self.host.resting = anyio.Event()
            self.host.polls.set()
        self.polled = True
        await self.host.resting.wait()
        found, self.deliveries = self.deliveries, []
        return found


@pytest.fixture
async def host(file: Path) -> AsyncGenerator[Host]:
    """A runtime whose connection `crm` is the database file."""
    made = Host(file)
    async with made.stack, Catalog().open_store(f"sqlite:{file.parent}/state.db", lambda: 0.0) as made.store:
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
