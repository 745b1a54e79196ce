"""LISTEN and NOTIFY of PostgreSQL wake a source; what was not heard is polled for."""

from typing import Any

import anyio
import pytest

from routekit import Policy, Retry, from_
from routekit.testing import Sink, running

pytestmark = pytest.mark.anyio

POSTGRESQL = pytest.mark.parametrize("backing", [("postgresql", "asyncio"), ("postgresql", "trio")], ids="-".join)
PATIENT = Retry(30, first=0.02, most=0.2)


@POSTGRESQL
async def test_a_notification_wakes_the_source(host: Any, setup: Any) -> None:
    """With listen= a row is delivered when NOTIFY tells of it, however long the poll is."""
    done = Sink()
    flow = from_("sql:crm/orders?key=id&after=delete&poll=1h&listen=New Orders").to(done)
    async with running(flow, setup=setup()):
        with anyio.fail_after(20):
            for number in (1, 2, 3):
                host.rows("INSERT INTO orders (id, customer, number) VALUES (?, 'c', ?)", number, number)
                host.rows("SELECT pg_notify('New Orders', 'whatever')")
                while len(done.bodies) < number:
                    await anyio.sleep(0.005)


@POSTGRESQL
async def test_notifications_are_heard_again_after_the_server_was_away(
    host: Any, setup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that listens is made anew, and what came meanwhile is read without a notification."""
    monkeypatch.setattr("routekit_sql.listening._AGAIN", 0.05)
    done = Sink()
    flow = from_("sql:crm/orders?key=id&after=delete&poll=1h&listen=orders", policy=Policy(retry=PATIENT)).to(done)
    async with running(flow, setup=setup()):
        with anyio.fail_after(20):
            host.rows("INSERT INTO orders (id, customer, number) VALUES (1, 'c', 1)")
            host.rows("NOTIFY orders")
            while len(done.bodies) < 1:
                await anyio.sleep(0.005)
            host.place.server.kill()
            host.place.server.start()
            host.rows("INSERT INTO orders (id, customer, number) VALUES (2, 'c', 2)")  # nobody is told
            while len(done.bodies) < 2:
                await anyio.sleep(0.005)
            host.rows("INSERT INTO orders (id, customer, number) VALUES (3, 'c', 3)")
            host.rows("NOTIFY orders")
            while len(done.bodies) < 3:
                await anyio.sleep(0.005)
