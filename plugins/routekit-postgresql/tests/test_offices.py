"""Offices: one process leads; another follows when it leaves, is killed or stopped, or cannot reach the server."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import anyio
import pytest

from routekit import Electing, Office, Store
from routekit_postgresql.testing import PostgreSQL

pytestmark = pytest.mark.anyio

LEASE = 2
LEAD = """
import sys, time
import anyio
from anyio import to_thread
from routekit import RouteKitError
from routekit.testing import Catalog

async def main():
    try:
        async with Catalog().open_store(sys.argv[1], time.time) as store:
            async with store.leading("beats") as office:
                while not office.leads:
                    await office.changed().wait()
                print("leads", office.term, flush=True)
                while await to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                    print("leads" if office.leads else "leads no more", flush=True)
                    try:
                        await store.marks("m").put("k", "late")
                        print("written", flush=True)
                    except RouteKitError as error:
                        print("refused", error, flush=True)
    except RouteKitError as error:
        print("ended", error, flush=True)

anyio.run(main)
"""


@contextmanager
def leader(uri: str) -> Generator[subprocess.Popen[str]]:
    """A process that leads, and says whether it still does, and whether it can write, for each line that it is told."""
    command = [sys.executable, "-c", LEAD, uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


async def line(started: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert started.stdout is not None
    with anyio.fail_after(60):
        return (await anyio.to_thread.run_sync(started.stdout.readline)).strip()


@asynccontextmanager
async def standing(store: Store, name: str = "beats") -> AsyncGenerator[Office]:
    """Stands for an office within the block."""
    assert isinstance(store, Electing)
    async with store.leading(name) as office:
        yield office


async def until(office: Office, *, leads: bool = True) -> None:
    """Wait until it leads, or does no more."""
    with anyio.fail_after(60):
        while office.leads is not leads:
            await office.changed().wait()


async def known(office: Office) -> str:
    """Who leads."""
    with anyio.fail_after(60):
        while not office.leader:
            await office.changed().wait()
    return office.leader


async def test_one_leads_and_the_other_follows_at_once_when_it_leaves(opened: Any):
    """Of two one leads; when it gives the office up, the other has it, in a term of its own, and knows since when."""
    async with opened(lease=3600) as one, opened(lease=3600) as two:
        async with standing(one) as first:
            await until(first)
            assert (first.term, first.since, first.leader) == (1, None, "process-0")
            async with standing(two) as second:
                assert await known(second) == "process-0"
                assert (second.leads, second.term) == (False, 0)
                async with standing(two, "other") as other:
                    await until(other)
        # the block of `second` has been left: nobody leads
        async with standing(two) as later:
            await until(later)
            assert (later.term, later.since) == (2, None)


async def test_who_has_waited_knows_since_when_nobody_led(opened: Any):
    """The next leader is told when the one before it left, if it was there then: the gap that it has to make up."""
    async with opened(lease=3600) as one, opened(lease=3600) as two, anyio.create_task_group() as tasks:
        elected, leave = anyio.Event(), anyio.Event()

        async def lead_first() -> None:
            async with standing(one) as first:
                await until(first)
                elected.set()
                await leave.wait()

        tasks.start_soon(lead_first)
        await elected.wait()
        async with standing(two) as second:
            assert await known(second) == "process-0"
            leave.set()
            await until(second)
            assert second.term == 2
            assert second.since is not None


async def test_a_killed_leader_is_followed_without_waiting_for_its_lease(opened: Any, server: PostgreSQL, schema: str):
    """After SIGKILL on the same machine the next one leads as soon as the server has noticed."""
    uri = server.store(schema, lease=3600)
    with leader(uri) as other:
        assert await line(other) == "leads 1"
        async with opened(lease=3600) as store, standing(store) as office:
            assert await known(office) == "process-0"
            other.kill()
            await until(office)
            assert office.term == 2
            assert office.since is not None


async def test_a_leader_that_was_stopped_beyond_its_lease_cannot_act(opened: Any, server: PostgreSQL, schema: str):
    """It is followed when its lease is over; when it goes on it knows at once, and what it writes is refused."""
    with leader(server.store(schema, lease=LEASE)) as other:
        assert await line(other) == "leads 1"
        async with opened(lease=LEASE) as store, standing(store) as office:
            assert await known(office) == "process-0"
            os.kill(other.pid, signal.SIGSTOP)
            await until(office)
            assert office.term == 2
            await store.marks("m").put("k", "new")
            stdin = cast("Any", other.stdin)
            stdin.write("\n")
            stdin.flush()
            os.kill(other.pid, signal.SIGCONT)
            said: list[str] = []
            while not said or said[-1]:
                said.append(await line(other))
            assert not {"leads", "written"} & set(said)
            assert "held for dead" in " ".join(said)
            assert await store.marks("m").get("k") == "new"


async def test_a_leader_that_cannot_reach_the_server_stops_leading_when_its_lease_is_over(
    opened: Any, server: PostgreSQL
):
    """Nobody has told it anything: it looks at its own clock; when the server is back it leads on, in the same term."""
    async with opened(lease=LEASE) as store, standing(store) as office:
        await until(office)
        server.kill()
        try:
            await until(office, leads=False)
        finally:
            server.start()
        await until(office)
        assert office.term == 1
        assert office.since is not None


async def test_an_encrypted_store_elects_too(opened: Any):
    """Encryption keeps nobody from leading."""
    async with opened(key="A" * 43) as store, standing(store) as office:
        await until(office)


async def test_many_offices_are_won_together(opened: Any):
    """A thousand offices cost a few transactions, not a thousand, and all are known."""
    async with opened() as store, anyio.create_task_group() as tasks:
        won = 0

        async def stand(number: int) -> None:
            nonlocal won
            async with standing(store, f"office-{number}") as office:
                await until(office)
                won += 1
                while won < 1000:
                    await anyio.sleep(0.01)

        for number in range(1000):
            tasks.start_soon(stand, number)
    assert won == 1000
