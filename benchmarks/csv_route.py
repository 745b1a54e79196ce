"""Rows per second from a CSV file into SQLite, beside a hand-written csv + SQLAlchemy loop.

The loop does what the route does to each row: read, check into the same model, upsert by key. It commits every 500
rows and knows nothing of retries, rejects, restarts or other files.
"""

import csv
import random
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter, time

import anyio
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, create_engine, func, select
from sqlalchemy.dialects.sqlite import insert

from routekit import Batches, Flow, Records, Tally, from_
from routekit.testing import Run, run_routes, setup_for

from .figures import Figure, alternately

ROWS = 100_000
ROUNDS = 3


class Customer(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    email: str
    phone: str
    city: str
    country: str
    segment: str
    revenue: float


CUSTOMERS = Table(
    "customers",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("name", "email", "phone", "city", "country", "segment")),
    Column("revenue", Float, nullable=False),
)


def write(file: Path) -> None:
    """A CSV of customers, each of them twice in a thousand."""
    chance = random.Random(7)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(Customer.model_fields)
        for number in range(ROWS):
            key = number if chance.random() > 0.002 else chance.randrange(ROWS)
            writer.writerow(
                [key, f"Name, {key}", f"c{key}@mail.example.com", f"+4989{key:07}", "Munich", "DE", "b2b", key / 7]
            )


def by_hand(file: Path, folder: Path) -> float:
    """Rows per second of the loop."""
    database = f"sqlite:///{folder / 'hand.db'}"
    statement = insert(CUSTOMERS)
    columns = {name: statement.excluded[name] for name in Customer.model_fields if name != "id"}
    upsert = statement.on_conflict_do_update(index_elements=["id"], set_=columns)
    engine = create_engine(database)
    start = perf_counter()
    CUSTOMERS.metadata.create_all(engine)
    with file.open(encoding="utf-8", newline="") as stream, engine.connect() as connection:
        rows = (Customer.model_validate(row).model_dump() for row in csv.DictReader(stream))
        for batch in _batches(rows):
            connection.execute(upsert, batch)
            connection.commit()
    seconds = perf_counter() - start
    engine.dispose()
    return _rate(database, seconds)


def row_by_row(paths: Flow[Path]) -> Flow[Tally]:
    """Each row a message of its own, 64 in flight: retried, refused and told apart by itself."""
    return paths.for_each(
        Records(Customer),
        lambda rows: rows.to("sql:crm/customers?mode=upsert&key=id"),
        parallel=64,
        on_error="dead_letter_items",
    )


def in_batches(paths: Flow[Path]) -> Flow[Tally]:
    """Rows in lists of 500, each list written whole: the same batches as by hand. Rows that do not fit stand alone."""
    return paths.for_each(
        Batches(Customer, size=500),
        lambda batches: batches.to("sql:crm/customers?mode=upsert&key=id"),
        on_error="dead_letter_items",
    )


def routed(file: Path, folder: Path, store: Callable[[Flow[Path]], Flow[Tally]]) -> float:
    """Rows per second of a route from the drop folder, from its start to its end."""
    incoming = folder / "in"
    incoming.mkdir()
    incoming.joinpath(file.name).hardlink_to(file)
    database = f"sqlite:///{folder / 'route.db'}"
    engine = create_engine(database)
    CUSTOMERS.metadata.create_all(engine)
    engine.dispose()
    flow = store(from_(f"file:{incoming}?read=path&after=move&poll=10ms", Path))
    settings = {"url": database}
    setup = setup_for(
        Run(), now=time, data=folder, store=f"sqlite:{folder}/routekit.db", settings=lambda table, name: settings
    )
    start = perf_counter()
    run = anyio.run(lambda: run_routes(flow, setup=setup))
    seconds = perf_counter() - start
    assert not run.letters, run.letters[0]
    return _rate(database, seconds)


def _rate(database: str, seconds: float) -> float:
    engine = create_engine(database)
    with engine.connect() as connection:
        rows = connection.scalar(select(func.count()).select_from(CUSTOMERS)) or 0
    engine.dispose()
    assert rows > ROWS * 0.98
    return ROWS / seconds


def _batches(rows: Iterator[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    while batch := list(islice(rows, 500)):
        yield batch


def _fresh(measure: Callable[[Path, Path], float], file: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return measure(file, Path(folder))


def figures() -> list[Figure]:
    """Rows per second, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "customers.csv"
        write(file)
        hand, batches, rows = alternately(
            ROUNDS,
            lambda: _fresh(by_hand, file),
            lambda: _fresh(lambda file, folder: routed(file, folder, in_batches), file),
            lambda: _fresh(lambda file, folder: routed(file, folder, row_by_row), file),
        )
    beside = f"by hand {hand:,.0f} rows/s, in batches of 500"
    return [
        Figure("CSV to SQLite: route in batches of 500", batches, "rows/s", beside),
        Figure("CSV to SQLite: route in batches / by hand", batches / hand, "ratio", beside, 0.5, "higher"),
        Figure("CSV to SQLite: route row by row", rows, "rows/s", beside),
        Figure("CSV to SQLite: route row by row / by hand", rows / hand, "ratio", beside),
    ]
