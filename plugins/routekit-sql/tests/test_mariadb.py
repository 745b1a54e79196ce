"""What only MariaDB and MySQL have: types of their own, and a way to make values fit that is not let in."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from routekit import BadOption, BodyError, Message, UnknownName

pytestmark = pytest.mark.anyio

MARIADB = pytest.mark.parametrize("backing", [("mariadb", "asyncio"), ("mariadb", "trio")], ids="-".join)


@MARIADB
async def test_each_type_of_column_takes_and_gives_its_own_values(host: Any) -> None:
    """Values of Python reach the columns that are made for them, and come back equal."""
    host.rows(
        "CREATE TABLE kinds (id BIGINT PRIMARY KEY, moment DATETIME(6), day DATE, span TIME(6), amount DECIMAL(30, 4), "
        "ratio DOUBLE, raw LONGBLOB, data JSON, yes BOOLEAN, small SMALLINT, choice ENUM('abc', 'def'), words LONGTEXT)"
    )
    two = datetime(2026, 11, 21, 4, 5, 6, 7, UTC)
    row = {
        "moment": two,
        "day": date(2026, 11, 21),
        "span": -timedelta(days=1, seconds=2, microseconds=3),
        "amount": Decimal("12345678901234567890.1234"),
        "ratio": 0.1,
        "raw": b"\0\xff'\\",
        "data": {"a": [1, None, "x"]},
        "yes": True,
        "small": True,
        "choice": "abc",
        "words": "%s \\ ' \" 🐿",
    }
    number = 2**63 - 1
    send = await host.sink("crm/kinds", mode="upsert", key="id")
    for _ in range(2):
        await send(Message({"id": number, **row}))
    async with host.reading("crm/kinds", key="id", after="delete") as reading:
        [delivery] = await reading.poll()
        assert delivery.message.body == {"id": number, **row, "moment": two.replace(tzinfo=None), "small": 1}


@MARIADB
@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("age", 1.5, "it is no whole number"),
        ("age", "1.5", "it is no whole number"),
        ("age", "many", "it is no whole number"),
        ("age", True, ""),
        ("age", 2.0, ""),
        ("name", "x" * 101, "Data too long"),
        ("vip", 7, "it is neither true nor false"),
        ("vip", "false", ""),
        ("seen", "2026-11-21T04:05:06+01:00", ""),
        ("seen", "2026-02-30", "Incorrect datetime value"),
        ("seen", "soon", "Incorrect datetime value"),
    ],
)
async def test_nothing_is_rounded_or_cut_to_fit(host: Any, column: str, value: Any, why: str) -> None:
    """What does not fit a column is refused: it is not made fit, as the server would by itself."""
    host.rows("ALTER TABLE contacts ADD seen DATETIME")
    send = await host.sink()
    row = {"email": "a", "name": "A", column: value}
    if not why:
        await send(Message(row))
        return
    with pytest.raises(BodyError, match=why) as caught:
        await send(Message(row))
    assert caught.value.column == column


@MARIADB
async def test_a_text_is_no_number_by_its_first_digits(host: Any) -> None:
    """A key that only begins as that of a row does not reach the row."""
    host.orders(5)
    send = await host.sink("crm/orders", mode="delete", key="id")
    with pytest.raises(BodyError, match="column 'id': it is no whole number"):
        await send(Message({"id": "5abc"}))
    assert host.rows("SELECT count(*) FROM orders") == [(5,)]


@MARIADB
async def test_values_stay_out_of_the_text_of_a_broken_constraint(host: Any) -> None:
    """A letter about a duplicate does not tell what was in it, whatever that was."""
    send = await host.sink()
    for text in ("secret@example.com", "secret' for key 'secret"):
        await send(Message({"email": text, "name": "A"}))
        with pytest.raises(BodyError, match=r"Duplicate entry \.\.\. for key") as caught:
            await send(Message({"email": text, "name": "B"}))
        assert "secret" not in str(caught.value)


@MARIADB
async def test_claims_need_a_column_that_tells_fractions_of_seconds(host: Any) -> None:
    """A claim that is cut to whole seconds would run out before its time."""
    error = await host.refusal("crm/orders", key="id", after="delete", claim="placed")
    assert isinstance(error, BadOption)
    assert "whole seconds only; ALTER TABLE orders MODIFY placed DATETIME(6)" in str(error)


@MARIADB
async def test_a_statement_may_call_a_procedure(host: Any) -> None:
    """CALL is checked at the start like any statement; the rows that it selects are the answer."""
    host.rows(
        "CREATE PROCEDURE place(IN who TEXT, IN which INT) BEGIN "
        "INSERT INTO orders (customer, number) VALUES (who, which); SELECT LAST_INSERT_ID() AS made; END"
    )
    send = await host.sink("crm", mode="execute", statement="CALL place(:customer, :number)")
    for number in (1, 2):
        answer = await send(Message({"customer": "a", "number": number}))
        assert answer.body == [{"made": number}]
    assert host.rows("SELECT customer, number FROM orders ORDER BY number") == [("a", 1), ("a", 2)]
    with pytest.raises(UnknownName, match="there is no procedure 'nothing'"):
        await host.sink("crm", mode="execute", statement="CALL nothing(:a)")


@MARIADB
async def test_a_script_of_several_statements_is_run_at_start(hosted: Any, place: Any, tmp_path: Path) -> None:
    """The schema of a connection is made before the first route needs it; no message can bring a second statement."""
    script = tmp_path / "schema.sql"
    script.write_text("CREATE TABLE IF NOT EXISTS one (id INT PRIMARY KEY); CREATE TABLE IF NOT EXISTS two (id INT);")
    host = hosted(place, schema=str(script))
    async with host.stack:
        await (await host.sink("crm/one"))(Message({"id": 1}))
        assert host.rows("SELECT id FROM one") == [(1,)]
        assert host.rows("SELECT id FROM two") == []
