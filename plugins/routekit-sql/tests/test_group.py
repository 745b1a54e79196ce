"""Many senders, one commit: what each of them may rely on."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from routekit import BodyError, Message, Unavailable

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("backing", [("sqlite", "asyncio"), ("sqlite", "trio")], ids="-".join)

IN_ORDER = pytest.mark.parametrize(
    "backing", [("sqlite", "asyncio"), ("postgresql", "asyncio"), ("mariadb", "asyncio")]
)
"""For tests of what is sent in order at once: trio starts tasks in any order."""


def contact(email: str, **values: Any) -> dict[str, Any]:
    return {"email": email, "name": "x", **values}


def database_of(host: Any) -> Any:
    """The database that the host has open."""
    return next(iter(host.open.values()))


def full(connection: Any) -> None:
    """Let the file of this connection grow no more."""
    connection.exec_driver_sql("PRAGMA max_page_count = 1").close()
    connection.commit()


async def commits(host: Any, work: Awaitable[Any]) -> int:
    """How many transactions `work` commits."""
    seen: list[object] = []
    await database_of(host).read(lambda connection: event.listen(connection.engine, "commit", seen.append))
    await work
    return len(seen)


async def test_senders_that_come_together_share_a_commit(host: Any) -> None:
    """64 rows that are sent at once cost one commit, not 64."""
    send = await host.sink()
    assert await commits(host, host.send_all(send, *(contact(str(n)) for n in range(64)))) == 1
    assert host.rows("SELECT count(*) FROM contacts") == [(64,)]


async def test_a_batch_has_a_limit(host: Any) -> None:
    """No more than `batch` rows go into one commit."""
    send = await host.sink(batch=10)
    assert await commits(host, host.send_all(send, *(contact(str(n)) for n in range(64)))) == 7
    assert host.rows("SELECT count(*) FROM contacts") == [(64,)]


async def test_only_the_bad_rows_of_a_batch_are_refused(host: Any) -> None:
    """Rows that break a constraint are refused each with its reason; all the others are stored."""
    send = await host.sink()
    bodies = [contact(str(n), age=-1 if n in (0, 5, 6, 31) else n) for n in range(32)]
    outcomes = await host.send_all(send, *bodies)
    refused = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, BodyError)]
    assert refused == [0, 5, 6, 31]
    broken = host.told(
        sqlite="CHECK constraint failed: age >= 0",
        postgresql='check constraint "contacts_age_check"',
        mariadb="CONSTRAINT `contacts.age` failed",
    )
    assert broken in str(outcomes[5])
    assert host.rows("SELECT count(*) FROM contacts") == [(28,)]


@IN_ORDER
async def test_a_duplicate_is_refused_by_the_name_of_its_column(host: Any) -> None:
    """Of two equal keys that are inserted at once the first is stored, the second hears why it is not."""
    outcomes = await host.send_all(await host.sink(), contact("a"), contact("b"), contact("a"))
    assert [isinstance(outcome, BodyError) for outcome in outcomes] == [False, False, True]
    assert outcomes[2].column == host.told(sqlite="email", postgresql="email", mariadb=None)  # it names its index


@IN_ORDER
async def test_the_lists_of_a_batch_stand_or_fall_alone(host: Any) -> None:
    """A list is all or nothing for itself, also when it is committed together with others."""
    outcomes = await host.send_all(
        await host.sink(),
        [contact("a"), contact("b")],
        [contact("c"), contact("a")],
        [contact("d")],
    )
    assert [isinstance(outcome, BodyError) for outcome in outcomes] == [False, True, False]
    assert host.rows("SELECT email FROM contacts ORDER BY email") == [("a",), ("b",), ("d",)]


async def test_a_cancelled_sender_does_not_harm_the_others(host: Any) -> None:
    """Whoever stops waiting, the first or a later one of a batch, the rest of it is stored and told so."""
    send = await host.sink()
    stored: list[str] = []

    async def one(email: str, scope: anyio.CancelScope) -> None:
        with scope:
            await send(Message(contact(email)))
            stored.append(email)

    scopes = {email: anyio.CancelScope() for email in "abcde"}
    async with anyio.create_task_group() as tasks:
        for email, scope in scopes.items():
            tasks.start_soon(one, email, scope)
        await anyio.lowlevel.checkpoint()  # all have joined the batch, and none is done
        scopes["a"].cancel()
        scopes["c"].cancel()
    assert {"b", "d", "e"} <= set(stored)
    assert {email for (email,) in host.rows("SELECT email FROM contacts")} >= {"b", "d", "e"}
    await send(Message(contact("f")))


@pytest.mark.parametrize("backing", [("sqlite", "asyncio")])
async def test_what_was_stored_before_the_disk_was_full_is_not_reported_as_failed(host: Any) -> None:
    """If a batch breaks off in its middle, the senders of what is stored succeed: they must not send it again."""
    send = await host.sink()
    await send(Message(contact("first")))
    await database_of(host).write(full)
    outcomes = await host.send_all(send, contact("a"), contact("b", age=-1), contact("c", note="x" * 100_000))
    assert [type(outcome) for outcome in outcomes] == [Message, BodyError, Unavailable]
    assert host.rows("SELECT email FROM contacts ORDER BY email") == [("a",), ("first",)]


ROWS = st.lists(
    st.fixed_dictionaries(
        {"email": st.sampled_from("abc"), "name": st.text(max_size=3).filter(str.isprintable)},
        optional={"age": st.one_of(st.none(), st.integers(-1, 5)), "note": st.text(max_size=2).filter(str.isprintable)},
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, batch=st.integers(1, 5))
def test_a_batch_ends_as_if_its_rows_had_been_sent_one_by_one(hosted: Any, file: Path, rows: Any, batch: int) -> None:
    """For any rows, equal keys and bad ones among them, sending at once leaves what sending in turn leaves."""

    async def run(together: bool) -> tuple[list[bool], list[Any]]:
        host = hosted(file)
        host.rows("DELETE FROM contacts")
        async with host.stack:
            send = await host.sink(mode="upsert", key="email", batch=batch)
            if together:
                outcomes = await host.send_all(send, *rows)
            else:
                outcomes = [(await host.send_all(send, row))[0] for row in rows]
        return [isinstance(outcome, BodyError) for outcome in outcomes], host.rows("SELECT * FROM contacts ORDER BY 1")

    assert anyio.run(run, True) == anyio.run(run, False)


WRITER = """
import anyio, sys
from contextlib import AsyncExitStack, nullcontext
from types import SimpleNamespace
from routekit import Message
from routekit_sql import SqlSink

async def main():
    async with AsyncExitStack() as stack:
        opened = {}
        async def shared(factory, *args):
            if args not in opened:
                opened[args] = await stack.enter_async_context(factory(*args))
            return opened[args]
        runtime = SimpleNamespace(settings=lambda table, name: {"url": f"sqlite:///{sys.argv[1]}"}, shared=shared)
        runtime.metered = lambda *_: nullcontext()
        send = await stack.enter_async_context(SqlSink(target="crm/orders").open(runtime))
        for batch in range(100_000):
            await send(Message([{"customer": str(batch), "number": n} for n in range(50)]))
            print(batch, flush=True)
anyio.run(main)
"""


def test_a_kill_leaves_whole_batches(file: Path) -> None:
    """After kill -9 in the middle of writing, a list is there whole or not at all, and none is lost that was told."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(file)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout:
        told = -1
        for line in process.stdout:
            told = int(line)
            if told >= 20:
                process.send_signal(signal.SIGKILL)
    with closing(sqlite3.connect(file)) as connection:
        sizes = dict(connection.execute("SELECT customer, count(*) FROM orders GROUP BY customer"))
    assert set(sizes.values()) == {50}
    assert {str(batch) for batch in range(told + 1)} <= set(sizes)
