"""Rows per second of the SQL sink, beside a hand-written executemany with the same batches and the same guarantees.

Both upsert lists of 500 rows by their key, each in a transaction that is on the disk when it is told done: SQLite with
WAL and synchronous=FULL, PostgreSQL as it comes. The rows are mappings, as they come from a codec. The loop by hand
knows nothing of retries, bad rows or types. Two lists are in flight: one is made ready while the other is written.
Row by row, 64 messages in flight share transactions.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
import psycopg

from routekit import Policy, from_
from routekit.testing import Feed, Run, run_routes, setup_for
from routekit_sql.testing import PostgreSQL

from .figures import Figure, alternately

ROWS = 100_000
SIZE = 500
ROUNDS = 3
COLUMNS = ("id", "name", "email", "phone", "city", "country", "segment", "revenue")
TABLE = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, "
    "city TEXT NOT NULL, country TEXT NOT NULL, segment TEXT NOT NULL, revenue DOUBLE PRECISION NOT NULL)"
)
SINK = "sql:crm/customers?mode=upsert&key=id"
Row = dict[str, Any]


def made(count: int) -> list[Row]:
    """So many customers."""
    return [
        {
            "id": number,
            "name": f"Name, {number}",
            "email": f"c{number}@mail.example.com",
            "phone": f"+4989{number:07}",
            "city": "Munich",
            "country": "DE",
            "segment": "b2b",
            "revenue": number / 7,
        }
        for number in range(count)
    ]


def batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Lists of the same size for all that are compared."""
    for start in range(0, len(rows), SIZE):
        yield list(rows[start : start + SIZE])


def statement(mark: str) -> str:
    """The upsert, with marks for parameters as the driver has them."""
    others = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
    marks = ", ".join([mark] * len(COLUMNS))
    return f"INSERT INTO customers ({', '.join(COLUMNS)}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {others}"


class Sqlite:
    """A new file each time."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = 0

    def fresh(self) -> str:
        """The URL of an empty table."""
        self._made += 1
        self.file = self.folder / f"{self._made}.db"
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(TABLE)
        return f"sqlite:///{self.file}"

    def by_hand(self, rows: Sequence[Row]) -> None:
        """Write all rows."""
        upsert = statement("?")
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            for batch in batches(rows):
                connection.executemany(upsert, [tuple(row[name] for name in COLUMNS) for row in batch])
                connection.commit()

    def count(self) -> int:
        """The rows that are there."""
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute("SELECT count(*) FROM customers").fetchone()[0]


class Postgresql:
    """A table that is made anew each time, on a server that syncs."""

    name = "PostgreSQL"

    def __init__(self, url: str) -> None:
        self.url = url

    def fresh(self) -> str:
        """The URL of an empty table."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for table in ("customers", "routekit_inbox", "routekit_outbox", "routekit_outbox_lease"):
                connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
            connection.execute(TABLE.encode())
            connection.execute("CHECKPOINT")
        return self.url

    def by_hand(self, rows: Sequence[Row]) -> None:
        """Write all rows."""
        upsert = statement("%s").encode()
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            for batch in batches(rows):
                cursor.executemany(upsert, [tuple(row[name] for name in COLUMNS) for row in batch])
                connection.commit()

    def count(self) -> int:
        """The rows that are there."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT count(*) FROM customers").fetchone()
            return found[0] if found else 0


Database = Sqlite | Postgresql


def by_hand(database: Database, rows: Sequence[Row]) -> float:
    """Rows per second of the loop."""
    database.fresh()
    start = perf_counter()
    database.by_hand(rows)
    return _rate(database, rows, perf_counter() - start)


def routed(database: Database, rows: Sequence[Row], bodies: Sequence[Any], in_flight: int) -> float:
    """Rows per second of a route whose messages have these bodies, from its first to its last message."""
    url = database.fresh()
    setup = setup_for(Run(), settings=lambda table, name: {"url": url})  # pyright: ignore[reportUnknownLambdaType]
    times: list[float] = []

    def begun(number: int) -> Any:
        if not times:
            times.append(perf_counter())
        return bodies[number]

    def ended(body: Any) -> Any:
        times[1:] = [perf_counter()]
        return body

    flow = (
        from_(Feed(range(len(bodies))), int, policy=Policy(concurrency=in_flight))
        .transform(begun)
        .to(SINK)
        .transform(ended)
    )
    run = anyio.run(partial(run_routes, flow, setup=setup))
    assert not run.letters, run.letters[0]
    return _rate(database, rows, times[1] - times[0])


def _rate(database: Database, rows: Sequence[Row], seconds: float) -> float:
    found = database.count()
    assert found == len(rows), f"the figure of a loop that lost something says nothing: {found}"
    return len(rows) / seconds


@contextmanager
def databases() -> Generator[Sequence[Database]]:
    """SQLite, and PostgreSQL if it is installed."""
    with ExitStack() as stack:
        found: list[Database] = [Sqlite(Path(stack.enter_context(tempfile.TemporaryDirectory())))]
        if PostgreSQL.missing() is None:
            found.append(Postgresql(stack.enter_context(PostgreSQL(durable=True)).url))
        yield found


def figures() -> list[Figure]:
    """Rows per second, and their ratio, for each database."""
    rows = made(ROWS)
    lists = list(batches(rows))
    found: list[Figure] = []
    with databases() as all_:
        for database in all_:
            measures: list[Callable[[], float]] = [
                partial(by_hand, database, rows),
                partial(routed, database, rows, lists, 2),
                partial(routed, database, rows, rows, 64),
            ]
            hand, whole, single = alternately(ROUNDS, *measures)
            name, beside = f"SQL: upsert into {database.name}", f"executemany by hand {hand:,.0f} rows/s"
            found += [
                Figure(f"{name}, lists of {SIZE}", whole, "rows/s", beside),
                Figure(f"{name}, lists / by hand", whole / hand, "ratio", beside, 0.8, "higher"),
                Figure(f"{name}, row by row", single, "rows/s", beside),
                Figure(f"{name}, row by row / by hand", single / hand, "ratio", beside),
            ]
    return found
