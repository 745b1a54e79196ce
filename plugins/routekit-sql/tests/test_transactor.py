"""The place of transactions: rows, the mark of their message and what it sends are there together, or none of it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest

from routekit import BadOption, BodyError, DefinitionError, Message, Outgoing, Transactions, Unavailable
from routekit_sql import SqlSink, SqlTransactor
from routekit_sql.database import database_of
from routekit_sql.ledger import Ledger

pytestmark = pytest.mark.anyio

ORDERS = SqlSink(target="crm/orders", columns="id,customer,number")
ITEMS = SqlSink(target="crm/items")
MARKED = "SELECT name, id FROM routekit_inbox ORDER BY name, id"
PUT = "SELECT id, target, lane, message FROM routekit_outbox ORDER BY number"


def order(number: int) -> dict[str, Any]:
    return {"id": number, "customer": "c", "number": number}


def outgoing(*ids: str, lane: str = "") -> list[Outgoing]:
    return [Outgoing(0, known_as, "queue:x", lane, f'["{known_as}"]', 5.0) for known_as in ids]


class Place:
    """An open place of transactions, and what it is to do for messages."""

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions

    async def do(self, id: str, *bodies: Any, sends: Sequence[Outgoing] = (), sink: SqlSink = ORDERS) -> bool:
        effects = [self.transactions.effect(sink, Message(body), {}) for body in bodies]
        return await self.transactions.commit(id, effects, sends)


@asynccontextmanager
async def opened(host: Any, name: str = "o", sinks: Any = (ORDERS, ITEMS), **options: Any) -> AsyncGenerator[Place]:
    host.now = lambda: 1000.0
    before, known = host.stack, dict(host.open)
    try:
        async with (
            AsyncExitStack() as host.stack,  # what is opened here is closed here, since it may have tasks
            SqlTransactor.of("crm", options).open(host, name, sinks) as transactions,
        ):
            yield Place(transactions)
    finally:
        host.stack, host.open = before, known


async def test_rows_mark_and_messages_are_committed_together(host: Any) -> None:
    """After a commit all of it is there."""
    async with opened(host) as place:
        assert await place.do("m1", order(1), order(2), sends=outgoing("a", "b", lane="k"))
    assert host.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,)]
    assert host.rows(MARKED) == [("o", "m1")]
    assert host.rows(PUT) == [("a", "queue:x", "k", '["a"]'), ("b", "queue:x", "k", '["b"]')]


async def test_a_message_that_is_marked_changes_nothing(host: Any) -> None:
    """It may come as often as it wants, and with whatever effects."""
    async with opened(host) as place:
        assert await place.do("m1", order(1), sends=outgoing("a"))
        assert not await place.do("m1", order(2), sends=outgoing("b"))
        assert host.figures["repeated_total"]() == 1
    assert host.rows("SELECT id FROM orders") == [(1,)]
    assert [row[0] for row in host.rows(PUT)] == ["a"]


async def test_a_row_that_is_refused_takes_mark_and_messages_with_it(host: Any) -> None:
    """Nothing of that message is there, and it can be done again."""
    async with opened(host) as place:
        assert await place.do("m1", order(1))
        with pytest.raises(BodyError):
            await place.do("m2", order(2), order(1), sends=outgoing("b"))
        assert host.rows(MARKED) == [("o", "m1")]
        assert host.rows(PUT) == []
        assert await place.do("m2", order(2))
    assert host.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,)]


async def test_messages_that_come_at_once_share_commits_and_no_fate(host: Any) -> None:
    """Those that are repeated, or refused, are told so; all others are done, each once."""
    async with opened(host) as place:
        await place.do("m7", order(7), sends=outgoing("m7"))
        outcomes: dict[int, Any] = {}

        async def one(number: int) -> None:
            body = {**order(number), "customer": None} if number % 10 == 3 else order(number)
            try:
                outcomes[number] = await place.do(f"m{number}", body, sends=outgoing(f"m{number}"))
            except BodyError as error:
                outcomes[number] = error

        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(one, number)
        commits = host.figures["commits_total"]()
    bad = [number for number in range(40) if number % 10 == 3]
    assert sorted(number for number, outcome in outcomes.items() if isinstance(outcome, BodyError)) == bad
    assert outcomes[7] is False
    good = [number for number in range(40) if number not in bad]
    assert host.rows("SELECT id FROM orders ORDER BY id") == [(number,) for number in good]
    assert sorted(row[0] for row in host.rows(PUT)) == sorted(f"m{number}" for number in good)
    assert len(host.rows(MARKED)) == len(good)
    assert commits < 40


async def test_twins_at_once_are_done_once(host: Any) -> None:
    """Two deliveries of one message at the same time: one of them is told that it was done."""
    async with opened(host) as place:
        done: list[bool] = []

        async def one() -> None:
            done.append(await place.do("m1", order(1), sends=outgoing("a")))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
    assert sorted(done) == [False] * 4 + [True]
    assert host.rows("SELECT count(*) FROM routekit_outbox") == [(1,)]


async def test_a_constraint_that_fails_at_the_commit_takes_all_with_it(host: Any) -> None:
    """A foreign key that is looked at late refuses the whole message as well."""
    async with opened(host) as place:
        with pytest.raises(BodyError):
            await place.do("m1", {"id": 1, "order_id": 99}, sends=outgoing("a"), sink=ITEMS)
        assert (host.rows(MARKED), host.rows(PUT), host.rows("SELECT id FROM items")) == ([], [], [])


async def test_a_locked_database_leaves_nothing_behind(host: Any) -> None:
    """While it cannot be written the message fails as a whole, and is done later."""
    async with opened(host) as place:
        with host.place.locked(), pytest.raises(Unavailable):
            await place.do("m1", order(1), sends=outgoing("a"))
        assert await place.do("m1", order(1), sends=outgoing("a"))
    assert host.rows("SELECT count(*) FROM routekit_outbox") == [(1,)]


@pytest.mark.parametrize("id", ["a", "A", "a ", "ä", "x" * 300, "a\nb", "a\0b", "sha256:1", "\ud800"])
async def test_ids_are_told_apart_exactly(host: Any, id: str) -> None:
    """Whatever a database makes of case, blanks, length and other characters: only the same id is the same."""
    async with opened(host) as place:
        others = ["A ", " a", "á", "x" * 299, "y"]
        for other in others:
            assert await place.do(other)
        assert await place.do(id)
        assert not await place.do(id)


async def test_words_have_marks_and_messages_of_their_own(host: Any) -> None:
    """What one word has done is nothing to another one."""
    async with opened(host) as one, opened(host, "other") as other:
        assert await one.do("m1", sends=outgoing("a"))
        assert await other.do("m1", sends=outgoing("b"))
        assert [parcel.id for parcel in await one.transactions.take(owner="me") or ()] == ["a"]
        assert [parcel.id for parcel in await other.transactions.take(owner="me") or ()] == ["b"]


async def test_what_waits_is_taken_in_order_and_page_by_page(host: Any) -> None:
    """In the order in which it was put in; what was sent is forgotten, the rest stays."""
    async with opened(host, page=2) as place:
        transactions = place.transactions
        await place.do("m1", sends=outgoing("a", "b", "c"))
        first = await transactions.take(owner="me")
        assert first is not None
        assert [(one.id, one.to, one.message, one.at) for one in first] == [
            ("a", "queue:x", '["a"]', 5.0),
            ("b", "queue:x", '["b"]', 5.0),
        ]
        second = await transactions.take(owner="me", after=first[-1].number)
        assert [one.id for one in second or ()] == ["c"]
        assert await transactions.waiting() == (3, 5.0)
        await transactions.sent([first[1].number])
        assert [one.id for one in await transactions.take(owner="me") or ()] == ["a", "c"]


async def test_one_owner_ships_at_a_time(host: Any) -> None:
    """Another one gets nothing until the first has left; the same one, started anew, goes on at once."""
    async with opened(host) as place, opened(host) as again, opened(host) as other:
        await place.do("m1", sends=outgoing("a"))
        assert await place.transactions.take(owner="me")
        assert await other.transactions.take(owner="you") is None
        assert await again.transactions.take(owner="me")
        await again.transactions.leave(owner="me")
        assert await other.transactions.take(owner="you")
        await place.transactions.leave(owner="me")  # not its own any more
        async with opened(host) as third:
            assert await third.transactions.take(owner="me") is None


async def test_a_lease_that_is_not_renewed_runs_out(host: Any) -> None:
    """Who is not heard of ships no more: another one may."""
    async with opened(host, lease=0.05) as place, opened(host, lease=0.05) as other:
        await place.do("m1", sends=outgoing("a"))
        assert await place.transactions.take(owner="me")
        with anyio.fail_after(30):
            while not await other.transactions.take(owner="you"):
                await anyio.sleep(0.01)


async def test_old_marks_are_forgotten(host: Any) -> None:
    """An id is remembered for `remember` seconds only."""
    async with opened(host) as place:
        await place.do("m1")
    async with opened(host, remember=10) as place:
        host.rows("UPDATE routekit_inbox SET at = 980")
        await place.do("m2")
        assert await place.transactions.take(owner="me") == []
    assert host.rows(MARKED) == [("o", "m2")]


async def test_tables_may_have_other_names(host: Any) -> None:
    """They are made where they are missing, and used where they are there."""
    names = {"inbox": "done_ids", "outbox": "to_send"}
    for number in (1, 2):
        async with opened(host, **names) as place:
            await place.do(f"m{number}", sends=outgoing("a"))
    assert host.rows("SELECT id FROM done_ids ORDER BY id") == [("m1",), ("m2",)]
    assert host.rows("SELECT count(*) FROM to_send") == [(2,)]


async def test_tables_are_made_by_several_at_once(host: Any) -> None:
    """Processes that start together do not fall over each other."""
    database = await database_of(host, "crm")
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(database.write, Ledger("routekit_inbox", "routekit_outbox").make)
    assert host.rows(MARKED) == []


@pytest.mark.parametrize("inbox", ["x; DROP TABLE orders", "a b", "", '"q"', "1a"])
async def test_a_table_is_named_by_a_plain_word(host: Any, inbox: str) -> None:
    """What is no name of a table is refused before anything is asked of the database."""
    with pytest.raises(BadOption, match="inbox"):
        SqlTransactor.of("crm", {"inbox": inbox})


async def test_a_statement_may_be_part_of_it_if_it_does_not_answer(host: Any) -> None:
    """Its values are those of the body; one that is there for its answer is refused."""
    change = SqlSink(target="crm", mode="execute", statement="UPDATE orders SET state = :state WHERE id = :id")
    async with opened(host, sinks=[ORDERS, change]) as place:
        await place.do("m1", order(1))
        assert await place.do("m2", {"id": 1, "state": "paid"}, sink=change)
    assert host.rows("SELECT state FROM orders") == [("paid",)]
    for statement in ("SELECT 1", "DELETE FROM orders RETURNING id"):
        with pytest.raises(DefinitionError, match="nobody takes its answer"):
            async with opened(host, sinks=[SqlSink(target="crm", mode="execute", statement=statement)]):
                pass


async def test_only_sinks_of_the_same_connection_join() -> None:
    """Another connection is another database, and a source is no sink."""
    place = SqlTransactor(connection="crm")
    assert place.joins(ORDERS)
    assert place.joins(SqlSink(target="crm", mode="execute", statement="x"))
    assert not place.joins(SqlSink(target="crm2/orders"))


async def test_it_is_probed(host: Any) -> None:
    """`check --connect` says whether the tables are there."""
    assert (await SqlTransactor(connection="crm").probe(host)).endswith("inbox and outbox will be made")
    async with opened(host):
        assert (await SqlTransactor(connection="crm").probe(host)).endswith("inbox and outbox are there")


async def test_an_outbox_can_be_read_by_the_source_as_well(host: Any) -> None:
    """It is a table as every other: who wants to ship by a route of his own can."""
    async with opened(host) as place:
        await place.do("m1", sends=outgoing("a", "b"))
        async with host.reading("crm/routekit_outbox", key="number", after="delete") as reading:
            found = await reading.poll()
            assert [delivery.message.body["id"] for delivery in found] == ["a", "b"]
            await found[0].ack(None)
    assert [row[0] for row in host.rows(PUT)] == ["b"]
