"""Messages per second of the word `transaction`, beside a plain `to` the same table in the same run.

Each message is one row of eight columns, 64 are in flight, and what is told done is on the disk. With the word there is
a row of the inbox more, and with something to send a row of the outbox, which is sent to a sink in memory and deleted;
the clock stops when the outbox is empty.
"""

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import anyio

from routekit import Flow, Policy, from_
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

from .figures import Figure, alternately
from .sql import SINK, Database, Row, databases, made

MESSAGES = 20_000
ROUNDS = 3
IN_FLIGHT = 64

Branch = Callable[[Flow[Any]], Flow[Any]]


def plain(flow: Flow[Any]) -> Flow[Any]:
    """The row alone."""
    return flow.to(SINK)


def marked(flow: Flow[Any]) -> Flow[Any]:
    """The row and the mark of its message."""
    return flow.transaction("sql:crm", lambda t: t.to(SINK), name="benchmark")


def sending(flow: Flow[Any]) -> Flow[Any]:
    """The row, the mark and a message."""
    return flow.transaction("sql:crm", lambda t: t.to(SINK).to(Sink(name="elsewhere")), name="benchmark")


def measured(database: Database, rows: Sequence[Row], branch: Branch) -> float:
    """Messages per second, from the first to the end of the route."""
    url = database.fresh()
    setup = setup_for(Run(), settings=lambda table, name: {"url": url})  # pyright: ignore[reportUnknownLambdaType]
    begun: list[float] = []

    def begin(number: int) -> Row:
        if not begun:
            begun.append(perf_counter())
        return rows[number]

    source = from_(Feed(range(len(rows))), int, policy=Policy(concurrency=IN_FLIGHT))
    run = anyio.run(partial(run_routes, branch(source.transform(begin)), setup=setup))
    seconds = perf_counter() - begun[0]
    assert not run.letters, run.letters[0]
    assert database.count() == len(rows)
    return len(rows) / seconds


def figures() -> list[Figure]:
    """Messages per second for each database, and what the word adds to a message."""
    rows = made(MESSAGES)
    found: list[Figure] = []
    with databases() as all_:
        for database in all_:
            measures = [partial(measured, database, rows, branch) for branch in (plain, marked, sending)]
            alone, mark, send = alternately(ROUNDS, *measures)
            name, beside = f"transaction: {database.name}", f"a plain `to` {alone:,.0f} messages/s"
            found += [
                Figure(f"{name}, row and inbox", mark, "messages/s", beside, better="higher"),
                Figure(f"{name}, row, inbox and outbox, sent", send, "messages/s", beside, better="higher"),
                Figure(f"{name}, the inbox adds", (1 / mark - 1 / alone) * 1e6, "us/message", beside),
                Figure(f"{name}, inbox and outbox add", (1 / send - 1 / alone) * 1e6, "us/message", beside),
            ]
    return found
