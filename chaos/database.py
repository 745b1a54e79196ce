"""The database from outside: its tables, how far the work is, and what is in them at the end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString

import psycopg

from .orders import Row

TABLES = """
CREATE TABLE lines (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL, customer TEXT NOT NULL, sku TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0), cents INTEGER NOT NULL, writes INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE totals (
    number INTEGER PRIMARY KEY, customer TEXT NOT NULL, lines INTEGER NOT NULL, cents INTEGER NOT NULL,
    writes INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE booked (
    place BIGSERIAL PRIMARY KEY, number INTEGER NOT NULL, customer TEXT NOT NULL, cents INTEGER NOT NULL
);
CREATE INDEX ON booked (number);
CREATE TABLE accounts (customer TEXT PRIMARY KEY, cents BIGINT NOT NULL);
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.writes := OLD.writes + 1; RETURN NEW; END';
CREATE TRIGGER counted BEFORE UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION counted();
CREATE TRIGGER counted BEFORE UPDATE ON totals FOR EACH ROW EXECUTE FUNCTION counted();
"""
"""`writes` counts how often a row was written: a repetition that leaves no other trace."""

_LINES = "SELECT id, number, customer, sku, quantity, cents FROM lines"
_TOTALS = "SELECT number, customer, lines, cents FROM totals"
_BOOKED = "SELECT number, customer, cents FROM booked ORDER BY place"
_ACCOUNTS = "SELECT customer, cents FROM accounts WHERE cents <> 0"
_DONE = "SELECT (SELECT count(*) FROM totals) + (SELECT count(DISTINCT number) FROM booked)"


def prepare(url: str, customers: Iterable[str]) -> None:
    """Make the tables, and an empty account for each customer."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        for customer in customers:
            connection.execute("INSERT INTO accounts VALUES (%s, 0)", [customer])


def progress(url: str) -> int:
    """How many orders have their total, and how many are booked, together; -1 while the database does not tell."""
    try:
        return int(_asked(url, _DONE)[0][0])
    except psycopg.OperationalError:
        return -1


def lines(url: str) -> Mapping[str, Row]:
    """The rows of `lines` by key."""
    return {row[0]: row[1:] for row in _asked(url, _LINES)}


def totals(url: str) -> Mapping[int, Row]:
    """The rows of `totals` by key."""
    return {row[0]: row[1:] for row in _asked(url, _TOTALS)}


def booked(url: str) -> Sequence[tuple[int, Row]]:
    """The rows of `booked` with their numbers, in the order in which they were inserted."""
    return [(row[0], row[1:]) for row in _asked(url, _BOOKED)]


def accounts(url: str) -> Mapping[str, Row]:
    """What was added to the accounts, by customer."""
    return {row[0]: (int(row[1]),) for row in _asked(url, _ACCOUNTS)}


def outgoing(url: str) -> int:
    """How many messages wait in the outbox; -1 while the database does not tell."""
    try:
        return int(_asked(url, "SELECT count(*) FROM routekit_outbox")[0][0])
    except psycopg.OperationalError:
        return -1


def sharing(url: str) -> int:
    """How many daemons share the store, as far as they have not been deposed."""
    return int(_asked(url, "SELECT count(*) FROM routekit.owners")[0][0])


def rewritten(url: str) -> Mapping[str, int]:
    """How often rows of each table were written once more."""
    found = _asked(url, "SELECT (SELECT sum(writes - 1) FROM lines), (SELECT sum(writes - 1) FROM totals)")
    return dict(zip(("lines", "totals"), (int(count or 0) for count in found[0]), strict=True))


def _asked(url: str, statement: LiteralString) -> list[Row]:
    with psycopg.connect(url, connect_timeout=10) as connection:
        return connection.execute(statement).fetchall()
