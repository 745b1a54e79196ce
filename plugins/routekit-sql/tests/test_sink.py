"""Bodies become rows."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, SecretStr

from routekit import BodyError, Message

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

IN_ORDER = pytest.mark.parametrize(
    "backing", [("sqlite", "asyncio"), ("postgresql", "asyncio"), ("mariadb", "asyncio")]
)
"""For tests of what is sent in order at once: trio starts tasks in any order."""

ANNA = {"email": "anna@example.com", "name": "Anna"}
BERT = {"email": "bert@example.com", "name": "Bert"}


class Contact(BaseModel):
    email: str
    name: str
    age: int | None = None


@dataclass
class Person:
    email: str
    name: str


async def test_a_mapping_is_inserted_as_a_row(host: Any) -> None:
    """A sent mapping is in the table when send returns, and the answer counts it."""
    send = await host.sink()
    answer = await send(Message(ANNA, {"from": "web"}, "1"))
    assert host.rows("SELECT email, name, age FROM contacts") == [("anna@example.com", "Anna", None)]
    assert (answer.id, answer.body, dict(answer.headers)) == ("1", ANNA, {"from": "web", "sql.rows": 1})


@pytest.mark.parametrize("body", [Contact(**ANNA), Person(**ANNA), ANNA], ids=["model", "dataclass", "mapping"])
async def test_a_row_may_be_a_model_a_dataclass_or_a_mapping(host: Any, body: Any) -> None:
    """The fields of a body are the columns of its row, whatever kind of object it is."""
    await (await host.sink())(Message(body))
    assert host.rows("SELECT email, name FROM contacts") == [("anna@example.com", "Anna")]


async def test_a_list_is_stored_whole(host: Any) -> None:
    """The rows of a list are stored in one go, and the answer counts them all."""
    answer = await (await host.sink())(Message([ANNA, BERT]))
    assert host.rows("SELECT count(*) FROM contacts") == [(2,)]
    assert answer.headers["sql.rows"] == 2


async def test_a_list_with_one_bad_row_is_not_stored_at_all(host: Any) -> None:
    """A list is all or nothing: one duplicate refuses every row of it."""
    send = await host.sink()
    with pytest.raises(
        BodyError,
        match=host.told(
            sqlite="UNIQUE constraint failed",
            postgresql="violates unique constraint",
            mariadb="Duplicate entry ... for key",
        ),
    ):
        await send(Message([BERT, ANNA, ANNA]))
    assert host.rows("SELECT count(*) FROM contacts") == [(0,)]


async def test_an_empty_list_writes_nothing(host: Any) -> None:
    """An empty list is delivered: there was nothing to store."""
    answer = await (await host.sink())(Message([]))
    assert answer.headers["sql.rows"] == 0


async def test_upsert_updates_the_row_of_the_same_key(host: Any) -> None:
    """A second row with the key replaces the values of the first, and only those it brings."""
    send = await host.sink(mode="upsert", key="email")
    await send(Message({**ANNA, "age": 30}))
    await send(Message({**ANNA, "name": "Anna B."}))
    assert host.rows("SELECT name, age FROM contacts") == [("Anna B.", 30)]


async def test_upsert_can_leave_existing_rows_alone(host: Any) -> None:
    """With on_conflict=ignore an existing row stays as it is, and the answer counts no row."""
    send = await host.sink(mode="upsert", key="email", on_conflict="ignore")
    await send(Message(ANNA))
    answer = await send(Message({**ANNA, "name": "Another"}))
    assert host.rows("SELECT name FROM contacts") == [("Anna",)]
    assert answer.headers["sql.rows"] == (1 if host.kind == "mariadb" else 0)  # it does not tell


async def test_an_upsert_never_changes_the_row_of_another_key(host: Any) -> None:
    """A row that is new by its key, but not by another unique one, is refused, and the row there stays as it is."""
    send = await host.sink("crm/orders", mode="upsert", key="id")
    await send(Message({"id": 1, "customer": "a", "number": 1}))
    rows = ({"id": n, "customer": "a", "number": 1 if n == 3 else n, "state": "changed"} for n in range(2, 6))
    outcomes = await host.send_all(send, *rows)
    assert [isinstance(outcome, BodyError) for outcome in outcomes] == [False, True, False, False]
    assert host.rows("SELECT id, state FROM orders WHERE number = 1") == [(1, "new")]
    ignore = await host.sink("crm/orders", mode="upsert", key="id", on_conflict="ignore")
    with pytest.raises(BodyError):
        await ignore(Message({"id": 9, "customer": "a", "number": 1}))


@IN_ORDER
async def test_the_last_of_equal_keys_in_one_batch_wins(host: Any) -> None:
    """Rows with the same key that are sent at once end as if they had been sent one after the other."""
    send = await host.sink(mode="upsert", key="email")
    await host.send_all(send, *({**ANNA, "age": age} for age in range(20)), {"email": ANNA["email"], "name": "Last"})
    assert host.rows("SELECT name, age FROM contacts") == [("Last", 19)]


async def test_upsert_takes_a_composite_key(host: Any) -> None:
    """A key of several columns finds the row by all of them, in whatever order they are named."""
    send = await host.sink("crm/orders", mode="upsert", key="number, customer")
    for total in (1, 2):
        await send(Message({"customer": "A", "number": 7, "total": total}))
    await send(Message({"customer": "B", "number": 7, "total": 3}))
    assert host.rows("SELECT customer, number, total FROM orders") == [("A", 7, 2), ("B", 7, 3)]


async def test_update_changes_what_the_row_brings(host: Any) -> None:
    """Update sets the other columns of the rows with this key and counts those it found."""
    await (await host.sink())(Message([ANNA, BERT]))
    send = await host.sink(mode="update", key="email")
    outcomes = await host.send_all(send, {"email": "anna@example.com", "age": 3}, {"email": "nobody@x", "age": 4})
    assert [answer.headers["sql.rows"] for answer in outcomes] == [1, 0]
    assert host.rows("SELECT name, age FROM contacts ORDER BY email") == [("Anna", 3), ("Bert", None)]


async def test_update_by_a_key_that_is_not_unique_counts_for_each_sender(host: Any) -> None:
    """Each sender hears how many rows its own statement changed, also if many are committed together."""
    await (await host.sink())(Message([ANNA, {**BERT, "name": "Anna"}]))
    send = await host.sink(mode="update", key="name")
    outcomes = await host.send_all(send, {"name": "Anna", "age": 3}, {"name": "Nobody", "age": 4})
    assert [answer.headers["sql.rows"] for answer in outcomes] == [2, 0]


async def test_delete_needs_only_the_key(host: Any) -> None:
    """Delete takes the row with this key away; other fields of the body do not matter."""
    await (await host.sink())(Message([ANNA, BERT]))
    answer = await (await host.sink(mode="delete", key="email"))(Message({**ANNA, "no_column": 1}))
    assert host.rows("SELECT email FROM contacts") == [("bert@example.com",)]
    assert answer.headers["sql.rows"] == 1


async def test_a_list_of_columns_limits_what_is_written(host: Any) -> None:
    """With columns= the other fields are ignored, even those that are no columns."""
    send = await host.sink(mode="upsert", key="email", columns="name")
    await send(Message({**ANNA, "age": 5, "whatever": 1}))
    assert host.rows("SELECT email, name, age FROM contacts") == [("anna@example.com", "Anna", None)]


async def test_a_generated_key_may_be_missing_or_none(host: Any) -> None:
    """The database numbers rows whose INTEGER PRIMARY KEY is not given."""
    send = await host.sink("crm/orders")
    await send(Message({"customer": "A", "number": 1}))
    await send(Message({"id": None, "customer": "A", "number": 2}))
    assert host.rows("SELECT id, state FROM orders") == [(1, "new"), (2, "new")]


class Colour(Enum):
    RED = "red"


VALUES = {
    "decimal": (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
    "naive": (datetime(2026, 11, 21, 4, 5, 6), "2026-11-21 04:05:06"),
    "utc": (datetime(2026, 11, 21, 4, 5, 6, 7, UTC), "2026-11-21 04:05:06.000007+00:00"),
    "offset": (datetime(2026, 11, 21, 4, tzinfo=timezone(timedelta(hours=2))), "2026-11-21 02:00:00+00:00"),
    "date": (date(2026, 11, 21), "2026-11-21"),
    "uuid": (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "enum": (Colour.RED, "red"),
    "list": ([1, {"a": None}], '[1,{"a":null}]'),
    "model": (Contact(email="a", name="b"), '{"email":"a","name":"b","age":null}'),
    "text": ("Grüße, 'x'; --", "Grüße, 'x'; --"),
    "nul": ("a\0b", "a\0b"),
    "bytes": (b"\0\xff", b"\0\xff"),
    "none": (None, None),
    "big": (2**63 - 1, str(2**63 - 1)),
}

NOT_STORED = {"sqlite": [], "postgresql": ["a\0b", b"\0\xff"], "mariadb": [b"\0\xff"]}


@pytest.mark.parametrize(("value", "stored"), VALUES.values(), ids=VALUES)
async def test_a_value_is_stored_without_loss(host: Any, value: Any, stored: Any) -> None:
    """Each type of value has one form in a text column, which loses nothing."""
    if value in NOT_STORED[host.kind]:
        with pytest.raises(BodyError, match=r"cannot contain NUL|a bytes does not fit a column of type TEXT"):
            await (await host.sink())(Message({**ANNA, "note": value}))
        return
    await (await host.sink())(Message({**ANNA, "note": value}))
    assert host.rows("SELECT note FROM contacts") == [(stored,)]


@pytest.mark.parametrize("value", [{"a": [1]}, "text", 5, None, [Decimal("1.5")]], ids=str)
async def test_a_json_column_holds_any_value_as_json(host: Any, value: Any) -> None:
    """What goes to a JSON column is JSON there, texts and numbers too; None is NULL."""
    await (await host.sink())(Message({**ANNA, "tags": value}))
    # the column has numeric affinity in SQLite
    [(stored,)] = host.rows("SELECT CAST(tags AS CHAR(100)) FROM contacts")
    assert stored is None if value is None else json.loads(stored) == (["1.5"] if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("age", [1], "a list does not fit a column of type INTEGER"),
        ("age", object(), "a object does not fit"),
        ("age", float("nan"), "NaN cannot be stored"),
        ("age", 2**63, "a value cannot be stored|[oO]ut of range"),
        ("age", -1, "CHECK constraint failed|violates check constraint|CONSTRAINT .* failed"),
        ("note", SecretStr("hunter2"), "a SecretStr does not fit"),
        ("note", "\ud800", "a value cannot be stored"),
        ("name", None, "column 'name': NULL is not allowed here"),
        ("nmae", "x", r"column 'nmae': table contacts has no such column; did you mean 'name'\? Known: email, name"),
        ('name") --', "x", "has no such column"),
    ],
)
async def test_a_value_that_cannot_be_stored_is_refused(host: Any, column: str, value: Any, why: str) -> None:
    """A row that the table cannot take is refused with the reason, and nothing is stored."""
    with pytest.raises(BodyError, match=why):
        await (await host.sink())(Message({**ANNA, column: value}))
    assert host.rows("SELECT count(*) FROM contacts") == [(0,)]


async def test_a_missing_value_is_named(host: Any) -> None:
    """A row without a value for a NOT NULL column is refused before it reaches the database."""
    send = await host.sink(mode="upsert", key="email")
    with pytest.raises(BodyError, match="column 'name': table contacts needs a value") as caught:
        await send(Message({"email": "x@example.com"}))
    assert caught.value.column == "name"


@pytest.mark.parametrize("mode", ["upsert", "update", "delete"])
async def test_a_row_without_its_key_is_refused(host: Any, mode: str) -> None:
    """Without a value for the key nobody knows which row is meant."""
    send = await host.sink(mode=mode, key="email")
    with pytest.raises(BodyError, match="column 'email': the key is missing"):
        await send(Message({"name": "x"}))
    with pytest.raises(BodyError, match="column 'email': NULL is not allowed"):
        await send(Message({"name": "x", "email": None}))


@pytest.mark.parametrize("body", ["text", None, 5, b"x", [["nested"]]], ids=str)
async def test_a_body_that_is_no_row_is_refused(host: Any, body: Any) -> None:
    """Only mappings, models, dataclasses and lists of them are rows."""
    with pytest.raises(BodyError, match="the sink takes a mapping"):
        await (await host.sink())(Message(body))


async def test_the_bad_row_of_a_list_is_numbered(host: Any) -> None:
    """An error in a list says which of its rows it is."""
    with pytest.raises(BodyError, match="row 2, column 'name'"):
        await (await host.sink())(Message([ANNA, {"email": "x"}, BERT]))


@pytest.mark.parametrize("text", ["'; DROP TABLE contacts; --", '" OR 1=1', "?", ":name", "%s", "\\", "$1"])
async def test_values_are_never_part_of_a_statement(host: Any, text: str) -> None:
    """Whatever a text holds, it is stored as it is."""
    await (await host.sink(mode="upsert", key="email"))(Message({"email": text, "name": text}))
    assert host.rows("SELECT email, name FROM contacts") == [(text, text)]


async def test_rows_of_different_columns_go_together(host: Any) -> None:
    """Rows that bring different columns in a different order are each stored right, even at once."""
    send = await host.sink(mode="upsert", key="email")
    await host.send_all(
        send,
        {"name": "A", "email": "a"},
        {"email": "b", "age": 2, "name": "B"},
        {"age": 3, "name": "C", "email": "c", "note": "n"},
    )
    expected = [("a", "A", None, None), ("b", "B", 2, None), ("c", "C", 3, "n")]
    assert host.rows("SELECT email, name, age, note FROM contacts ORDER BY email") == expected
