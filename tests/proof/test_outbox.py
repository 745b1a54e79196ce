"""The proof of outbox and inbox: SQL to RabbitMQ to SQL by a real daemon, while everything is killed.

Rows of a table become rows of another and messages, in one transaction; the messages become rows of a second database,
in one transaction with their ids. Beside them an outbox that an application has written is read as work, sent to
RabbitMQ, and taken by an inbox as well. No table has a key that would hide an effect that is done twice. As it stands
it is small; `ROUTEKIT_PROOF=full` moves 20,000 rows on each way through twelve kills, and prints what it found.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

FULL = os.environ.get("ROUTEKIT_PROOF") == "full"
ROWS = 20_000 if FULL else 2_000
KILLS = ("daemon", "database", "broker", "daemon") * 3 if FULL else ("daemon", "broker", "database", "daemon")
WITHIN = 240.0
"""Seconds in which something must have moved on."""

SHOP = """
CREATE TABLE incoming (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total INTEGER NOT NULL, taken_until TIMESTAMPTZ);
CREATE TABLE orders (number SERIAL PRIMARY KEY, id INTEGER NOT NULL, customer TEXT NOT NULL, total INTEGER NOT NULL);
CREATE TABLE events (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total INTEGER NOT NULL, taken_until TIMESTAMPTZ);
INSERT INTO events SELECT n, 'customer ' || n % 50, n * 7 FROM generate_series(1, {rows}) AS n;
INSERT INTO incoming SELECT n, 'customer ' || n % 50, n * 7 FROM generate_series(1, {rows}) AS n;
"""
BOOKS = """
CREATE TABLE invoices (number SERIAL PRIMARY KEY, id INTEGER NOT NULL, customer TEXT NOT NULL, total INTEGER NOT NULL);
CREATE TABLE heard (number SERIAL PRIMARY KEY, id INTEGER NOT NULL, customer TEXT NOT NULL, total INTEGER NOT NULL);
CREATE TABLE delivered (number SERIAL PRIMARY KEY, id INTEGER NOT NULL);
"""
ROUTES = '''
"""Orders of a shop become invoices in the books."""

from pydantic import BaseModel

from routekit import Policy, Retry, from_

PATIENT = Policy(concurrency=100, retry=Retry(1000, first=0.05, most=0.5))


class Order(BaseModel):
    id: int
    customer: str
    total: int


placing = from_(
    "sql:shop/incoming?key=id&after=delete&claim=taken_until&lease=3s&batch=100&poll=20ms", Order, policy=PATIENT
).transaction(
    "sql:shop?lease=3s",
    lambda t: t.to("sql:shop/orders?columns=id,customer,total").to("rabbitmq:placed", codec="json"),
    name="placing",
    order_by=lambda order: order.customer,
)

booking = (
    from_("rabbitmq:placed?prefetch=100", Order, policy=PATIENT)
    .to("sql:books/delivered?columns=id")
    .transaction("sql:books", lambda t: t.to("sql:books/invoices?columns=id,customer,total"), name="booking")
)

relay = from_(
    "sql:shop/events?key=id&after=delete&claim=taken_until&lease=3s&batch=100&poll=20ms", Order, policy=PATIENT
).to("rabbitmq:events", codec="json")

hearing = (
    from_("rabbitmq:events?prefetch=100", Order, policy=PATIENT)
    .to("sql:books/delivered?columns=id")
    .transaction("sql:books", lambda t: t.to("sql:books/heard?columns=id,customer,total"), name="hearing")
)
'''


class Daemon:
    """`routekit serve` in a folder of its own."""

    def __init__(self, folder: Path, shop: str, books: str, broker: str) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "routes").mkdir(parents=True)
        (folder / "routes" / "orders.py").write_text(ROUTES)
        (folder / "routekit.toml").write_text(
            f'[sql.shop]\nurl = "{shop}"\n\n[sql.books]\nurl = "{books}"\n\n[rabbitmq.default]\nurl = "{broker}"\n'
        )

    def start(self) -> None:
        command = [Path(sys.executable).with_name("routekit"), "serve", "routes"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """End it orderly; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(WITHIN)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]


@contextmanager
def serving(folder: Path, *urls: str) -> Generator[Daemon]:
    daemon = Daemon(folder, *urls)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.kill()


def asked(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def number(url: str, statement: str) -> int:
    """One number that the database gives; -1 while it cannot be asked."""
    try:
        return asked(url, statement)[0][0]
    except psycopg.Error:
        return -1


def wait_until(reached: Callable[[], int], goal: int, daemon: Daemon) -> None:
    """Until so many are there; fails when nothing moves for a long time."""
    best, since = -1, monotonic()
    while (found := reached()) < goal:
        if found > best:
            best, since = found, monotonic()
        assert monotonic() - since < WITHIN, f"stuck at {found} of {goal}: {daemon.log}"
        sleep(0.05)


@pytest.mark.timeout(3000 if FULL else 900)
def test_every_effect_is_there_once_whatever_is_killed(tmp_path: Path, postgresql: Any, rabbitmq: Any) -> None:
    """Of all rows each is an order once and an invoice once; what was sent twice is because something was killed."""
    shop = postgresql.url
    books = f"{shop.rpartition('/')[0]}/books"
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute(SHOP.format(rows=ROWS))  # type: ignore[arg-type]
        connection.execute("CREATE DATABASE books")
    with psycopg.connect(books, autocommit=True) as connection:
        connection.execute(BOOKS)
    start = monotonic()

    def booked() -> int:
        counts = (number(books, f"SELECT count(DISTINCT id) FROM {table}") for table in ("invoices", "heard"))
        return min(counts)

    with serving(tmp_path, shop, books, rabbitmq.url) as daemon:
        victims = {"daemon": daemon, "database": postgresql, "broker": rabbitmq}
        for count, victim in enumerate(KILLS, 1):
            wait_until(booked, count * ROWS // (len(KILLS) + 1), daemon)
            victims[victim].kill()
            victims[victim].start()
        wait_until(booked, ROWS, daemon)
        for table in ("incoming", "events", "routekit_outbox"):
            wait_until(lambda table=table: -number(shop, f"SELECT count(*) FROM {table}"), 0, daemon)
        seconds = monotonic() - start
        assert daemon.stop() == 0, daemon.log

    complete = [(ROWS, ROWS, 7 * ROWS * (ROWS + 1) // 2)]
    [(delivered,)] = asked(books, "SELECT count(*) FROM delivered")
    again = delivered - 2 * ROWS
    print(f"\n2 x {ROWS} rows in {seconds:.1f} s, {len(KILLS)} kills, {again} messages delivered again")
    assert asked(shop, "SELECT count(*), count(DISTINCT id), sum(total) FROM orders") == complete
    assert asked(books, "SELECT count(*), count(DISTINCT id), sum(total) FROM invoices") == complete
    assert asked(books, "SELECT count(*), count(DISTINCT id), sum(total) FROM heard") == complete
    letters = subprocess.run(
        [Path(sys.executable).with_name("routekit"), "letters", "list", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert letters.stdout.strip() in ("", "[]"), letters.stdout
    assert again <= len(KILLS) * 800  # what can be in flight, in an outbox page and at a prefetch, at a kill
