"""Orders of a queue table become rows of another database; a bad one costs only itself.

$ python moving.py
done: [(1, 'anna', 10.0), (3, 'carl', 30.0)]
left in the queue: []
dead letter: column 'total': NULL is not allowed here
"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import anyio

from routekit import Policy, from_
from routekit.testing import Run, run_routes, setup_for

QUEUE = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total REAL, taken_until TIMESTAMP);
INSERT INTO orders (id, customer, total) VALUES (1, 'anna', 10), (2, 'bert', NULL), (3, 'carl', 30);
"""
DONE = "CREATE TABLE IF NOT EXISTS done (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total REAL NOT NULL);"

moved = from_(
    "sql:shop/orders?key=id&after=delete&claim=taken_until&poll=10ms",  # others may take from the same table
    policy=Policy(concurrency=10),
).to("sql:crm/done?mode=upsert&key=id&columns=id,customer,total")  # once, however often an order comes


async def main(folder: Path) -> None:
    """Move what is there."""
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.executescript(QUEUE)
    (folder / "crm.sql").write_text(DONE)
    tables = {
        "shop": {"url": f"sqlite:///{folder}/shop.db"},
        "crm": {"url": f"sqlite:///{folder}/crm.db", "schema": str(folder / "crm.sql")},
    }

    def settings(table: str, name: str) -> dict[str, str] | None:
        return tables.get(name)

    setup = setup_for(Run(), store=f"sqlite:{folder}/state.db", settings=settings)
    run = await run_routes(moved, setup=setup)
    with closing(sqlite3.connect(folder / "crm.db")) as crm:
        print("done:", crm.execute("SELECT id, customer, total FROM done ORDER BY id").fetchall())  # noqa: T201
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        print("left in the queue:", shop.execute("SELECT id FROM orders").fetchall())  # noqa: T201
    for letter in run.letters:
        print("dead letter:", letter.reason)  # noqa: T201


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        anyio.run(main, Path(temporary))
