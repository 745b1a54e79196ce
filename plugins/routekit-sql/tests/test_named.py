"""Statements that the author wrote: values are bound by name, answers are bodies."""

from typing import Any

import pytest

from routekit import BodyError, DefinitionError, Message, UnknownName

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

WITH_CHANGES = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("postgresql", "asyncio")], ids="-".join)
"""MariaDB and MySQL know WITH before SELECT only."""

ADD = "INSERT INTO orders (customer, number) VALUES (:customer, :number)"


async def test_a_statement_takes_its_values_by_name(host: Any) -> None:
    """Each :name is the value of the body's field; other fields are ignored."""
    send = await host.sink("crm", mode="execute", statement=ADD)
    answer = await send(Message({"number": 5, "customer": "'); DROP TABLE orders; --", "other": 1}))
    assert host.rows("SELECT customer, number FROM orders") == [("'); DROP TABLE orders; --", 5)]
    assert answer.headers["sql.rows"] == 1


async def test_each_sender_hears_how_many_rows_its_statement_changed(host: Any) -> None:
    """Statements that are committed together are counted one by one."""
    host.rows("INSERT INTO orders (customer, number) VALUES ('a', 1), ('a', 2)")
    send = await host.sink("crm", mode="execute", statement="UPDATE orders SET total = :t WHERE customer = :c")
    outcomes = await host.send_all(send, {"t": 1, "c": "a"}, {"t": 2, "c": "b"})
    assert [answer.headers["sql.rows"] for answer in outcomes] == [2, 0]


async def test_a_list_runs_the_statement_for_each_or_for_none(host: Any) -> None:
    """A list is one transaction."""
    send = await host.sink("crm", mode="execute", statement=ADD)
    rows = [{"customer": "a", "number": number} for number in (1, 2, 1)]
    with pytest.raises(
        BodyError,
        match=host.told(
            sqlite="UNIQUE constraint failed",
            postgresql="violates unique constraint",
            mariadb="Duplicate entry ... for key",
        ),
    ):
        await send(Message(rows))
    assert host.rows("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT number FROM orders WHERE customer = :customer ORDER BY number",
        "WITH mine AS (SELECT * FROM orders WHERE customer = :customer) SELECT number FROM mine ORDER BY number",
    ],
)
async def test_a_select_answers_with_its_rows(host: Any, statement: str) -> None:
    """The rows of a query are the body of the answer, as a list of mappings."""
    host.rows("INSERT INTO orders (customer, number) VALUES ('a', 1), ('a', 2), ('b', 3)")
    send = await host.sink("crm", mode="execute", statement=statement)
    answer = await send(Message({"customer": "a"}, id="7"))
    assert (answer.id, answer.body, answer.headers["sql.rows"]) == ("7", [{"number": 1}, {"number": 2}], 2)


async def test_returning_answers_and_commits(host: Any) -> None:
    """INSERT ... RETURNING gives what the database made up, and the row is stored."""
    send = await host.sink("crm", mode="execute", statement=f"{ADD} RETURNING id, state")
    answer = await send(Message([{"customer": "a", "number": 1}, {"customer": "b", "number": 2}]))
    assert answer.body == [{"id": 1, "state": "new"}, {"id": 2, "state": "new"}]
    assert host.rows("SELECT count(*) FROM orders") == [(2,)]


@WITH_CHANGES
async def test_a_change_behind_with_is_all_or_nothing(host: Any) -> None:
    """A statement that the driver does not know for a change is still one transaction for the whole list."""
    new = "SELECT :customer AS c, CAST(:number AS INTEGER) AS n"
    statement = f"WITH new AS ({new}) INSERT INTO orders (customer, number) SELECT * FROM new"
    send = await host.sink("crm", mode="execute", statement=statement)
    rows = [{"customer": "a", "number": number} for number in (1, 2, 1)]
    with pytest.raises(
        BodyError,
        match=host.told(
            sqlite="UNIQUE constraint failed",
            postgresql="violates unique constraint",
            mariadb="Duplicate entry ... for key",
        ),
    ):
        await send(Message(rows))
    assert host.rows("SELECT count(*) FROM orders") == [(0,)]
    await send(Message(rows[:2]))
    assert host.rows("SELECT count(*) FROM orders") == [(2,)]


async def test_a_missing_value_is_named(host: Any) -> None:
    """A body without a field that the statement asks for is refused by its name."""
    send = await host.sink("crm", mode="execute", statement=ADD)
    with pytest.raises(BodyError, match="column 'number': the statement needs a value; the row has: customer"):
        await send(Message({"customer": "a"}))


@pytest.mark.parametrize(
    ("statement", "kind", "why"),
    [
        ("INSERT INTO ordrs VALUES (:a)", UnknownName, "no such table: ordrs|.ordrs. does(n't| not) exist"),
        (
            "UPDATE orders SET nope = :a",
            UnknownName,
            "no such column: nope|column .nope. of relation .orders. does not exist|Unknown column .nope.",
        ),
        ("SELEC 1", DefinitionError, "syntax error|error in your SQL syntax"),
        (
            "DELETE FROM orders; DELETE FROM items",
            DefinitionError,
            "one statement at a time|multiple commands|near .DELETE FROM items",
        ),
    ],
)
async def test_a_wrong_statement_is_found_at_open(host: Any, statement: str, kind: Any, why: str) -> None:
    """The database reads the statement before the first message, and nothing is changed by that."""
    host.rows("INSERT INTO orders (customer, number) VALUES ('a', 1)")
    with pytest.raises(kind, match=why):
        await host.sink("crm", mode="execute", statement=statement)
    assert host.rows("SELECT count(*) FROM orders") == [(1,)]


async def test_opening_a_statement_runs_nothing(host: Any) -> None:
    """A statement is checked without being run."""
    host.rows("INSERT INTO orders (customer, number) VALUES ('a', 1)")
    await host.sink("crm", mode="execute", statement="DELETE FROM orders")
    assert host.rows("SELECT count(*) FROM orders") == [(1,)]
