"""Several processes on one store: one that is stalled or killed, what others take over, and what is refused then."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from routekit import Adding, Arrival, Claim, Store, StoreError
from routekit_postgresql.testing import PostgreSQL

pytestmark = pytest.mark.anyio

LEASE = 2
WORK = """
import sys, time
import anyio
from anyio import to_thread
from routekit import RouteKitError
from routekit.testing import Catalog

async def main():
    try:
        async with Catalog().open_store(sys.argv[1], time.time) as store:
            me = f"{store.owner}/r"
            await store.journal("r").add("m1", "one", owner=me)
            await store.journal("r").record("m1", "to(crm)", "done", owner=me)
            await store.keys("seen").claim("k", owner=me, lease=3600)
            await store.outbox("out").add([("p1", "one")])
            await store.outbox("out").take(owner=me, lease=3600, limit=10)
            await store.groups("g").add("key", "m1", "one", owner=me, full=1)
            print("ready", store.owner, flush=True)
            while await to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                try:
                    await store.marks("cursor").put("at", "late")
                    print("written", flush=True)
                except RouteKitError as error:
                    print("refused", error, flush=True)
            print("left", flush=True)
    except RouteKitError as error:
        print("ended", error, flush=True)

anyio.run(main)
"""


STALL = """
import os, signal, time
from routekit_postgresql import connecting

execute = connecting.Bounded.execute

def stalling(self, query, *given, **more):
    if query == "COMMIT" and os.path.exists("stall"):
        os.unlink("stall")
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(1)  # the other threads may be stopped before this one
    return execute(self, query, *given, **more)

connecting.Bounded.execute = stalling
"""
"""Before `WORK`: where there is a file `stall`, the whole process stops between its writes and their commit."""


@contextmanager
def process(uri: str, work: str = WORK, folder: Path | None = None) -> Generator[subprocess.Popen[str]]:
    """A process that has something of each kind in its hands, and writes a mark for each line that it is told."""
    command = [sys.executable, "-c", work, uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as started:
        try:
            yield started
        finally:
            started.kill()


async def line(started: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert started.stdout is not None
    with anyio.fail_after(60):
        return (await anyio.to_thread.run_sync(started.stdout.readline)).strip()


async def told(started: subprocess.Popen[str]) -> str:
    """What comes of its next write."""
    assert started.stdin is not None
    started.stdin.write("\n")
    started.stdin.flush()
    return await line(started)


async def free(store: Store) -> None:
    """Wait until what the other process had is free."""
    with anyio.fail_after(60):
        while not await store.journal("r").take(owner=f"{store.owner}/r", limit=10):
            await anyio.sleep(0.02)


async def taken_over(store: Store) -> None:
    """All that the other process had is this one's now."""
    me = f"{store.owner}/r"
    (entry,) = await store.journal("r").take(owner=me, limit=10)
    assert (entry.id, entry.message) == ("m1", "one")
    assert await store.journal("r").effects("m1") == {"to(crm)": "done"}
    assert await store.keys("seen").claim("k", owner=me, lease=60) is Claim.MINE
    assert [parcel.id for parcel in await store.outbox("out").take(owner=me, lease=60, limit=10)] == ["p1"]
    (group,) = await store.groups("g").all()
    assert group.owner == me
    assert await store.groups("g").close(group.number, owner=me)


async def not_taken_over(store: Store) -> None:
    """What the other process has is left to it."""
    me = f"{store.owner}/r"
    assert await store.journal("r").take(owner=me, limit=10) == []
    assert await store.journal("r").add("m1", "one", owner=me) is Arrival.OPEN
    assert await store.keys("seen").claim("k", owner=me, lease=60) is Claim.HELD
    assert await store.outbox("out").take(owner=me, lease=60, limit=10) == []
    (group,) = await store.groups("g").all()
    assert group.owner not in ("", me)
    assert not await store.groups("g").close(group.number, owner=me)
    assert (await store.groups("g").add("key", "m1", "one", owner=me))[0] is Adding.CLOSED


async def test_what_a_living_process_has_is_left_to_it(opened: Any, server: PostgreSQL, schema: str):
    """Claims, entries, parcels and closed groups of a living process are nobody else's."""
    with process(server.store(schema)) as other:
        assert await line(other) == "ready process-0"
        async with opened() as store:
            assert store.owner == "process-1"
            await not_taken_over(store)
        assert await told(other) == "written"


async def test_the_work_of_a_killed_process_is_taken_over(opened: Any, server: PostgreSQL, schema: str):
    """After SIGKILL another living process has all of it; on the same machine it need not wait for the lease."""
    with process(server.store(schema, lease=3600)) as other:
        await line(other)
        async with opened(lease=LEASE) as store:
            await not_taken_over(store)
            other.kill()
            other.wait()
            await free(store)
            await taken_over(store)


async def test_the_successor_of_a_killed_process_has_its_name(opened: Any, server: PostgreSQL, schema: str):
    """Who comes next is called as the dead one was, and has what that one held at once."""
    with process(server.store(schema, lease=3600)) as other:
        await line(other)
        other.kill()
        other.wait()
        async with opened(lease=3600) as store:
            assert store.owner == "process-0"
            await taken_over(store)


async def test_a_successor_adopts_what_a_survivor_was_faster_to_take(opened: Any, server: PostgreSQL, schema: str):
    """Who has the group of a dead process has the message it brings too, whoever took that with the other ones."""
    with process(server.store(schema, lease=3600)) as other:
        await line(other)
        async with opened(lease=3600) as survivor:
            other.kill()
            other.wait()
            async with opened(lease=3600) as successor:
                assert successor.owner == "process-0"
                await free(survivor)
                journal, me = successor.journal("r"), f"{successor.owner}/r"
                assert await journal.take(owner=me, limit=10) == []
                await journal.adopt("m1", owner=me)
                with pytest.raises(StoreError):
                    await survivor.journal("r").finish("m1", owner=f"{survivor.owner}/r")
                await journal.record("m1", "e", "r", owner=me)
                await journal.finish("m1", owner=me)


async def test_a_stalled_process_is_superseded_and_writes_no_more(opened: Any, server: PostgreSQL, schema: str):
    """One that was stopped beyond its lease and goes on finds its write refused, and ends; it may come back anew."""
    with process(server.store(schema, lease=LEASE)) as other:
        await line(other)
        async with opened(lease=LEASE) as store:
            await store.marks("cursor").put("at", "1")
            os.kill(other.pid, signal.SIGSTOP)
            await free(store)
            await taken_over(store)
            await store.marks("cursor").put("at", "2")
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()
            os.kill(other.pid, signal.SIGCONT)
            said = [await line(other), await line(other)]
            assert "written" not in said
            assert "held for dead" in " ".join(said)
            assert said[-1] == "" or said[-1].startswith("ended")
            assert await store.marks("cursor").get("at") == "2"
            await store.journal("r").finish("m1", owner=f"{store.owner}/r")
        async with opened() as store:
            assert store.owner == "process-0"


async def test_a_process_that_stalls_within_a_transaction_is_superseded_too(
    opened: Any, server: PostgreSQL, schema: str, tmp_path: Path
):
    """What it has not committed is undone by the others, who do not wait for it; when it goes on it is refused."""
    with process(server.store(schema, lease=LEASE), STALL + WORK, tmp_path) as other:
        await line(other)
        async with opened(lease=LEASE) as store:
            (tmp_path / "stall").touch()
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()
            await free(store)
            assert await store.marks("cursor").get("at") is None
            os.kill(other.pid, signal.SIGCONT)
            assert "held for dead" in await line(other)


async def test_a_process_that_leaves_gives_everything_up(opened: Any, server: PostgreSQL, schema: str):
    """After an orderly end nobody waits, and those who wait for a change are told."""
    with process(server.store(schema, lease=3600)) as other:
        await line(other)
        async with opened(lease=3600) as store:
            changed = store.changed("journal", "r")
            assert other.stdin is not None
            other.stdin.close()
            assert await line(other) == "left"
            with anyio.fail_after(30):
                await changed.wait()
            await taken_over(store)


async def test_another_process_hears_of_parcels_at_once(opened: Any):
    """Who waits for an outbox is woken by what another process puts in."""
    async with opened() as one, opened() as two:
        changed = two.changed("outbox", "out")
        await one.outbox("other").add([("p0", "zero")])
        await one.outbox("out").add([("p1", "one")])
        with anyio.fail_after(30):
            await changed.wait()
        assert [parcel.id for parcel in await two.outbox("out").take(owner=two.owner, lease=60, limit=9)] == ["p1"]


async def test_an_encrypted_store_hears_of_other_processes_too(opened: Any):
    """Encryption keeps nothing from being told."""
    async with opened(key="A" * 43) as one, opened(key="A" * 43) as two:
        changed = two.changed("outbox", "out")
        await one.outbox("out").add([("p1", "one")])
        with anyio.fail_after(30):
            await changed.wait()


async def test_takers_do_not_wait_for_each_other(opened: Any):
    """Parcels that many take at once go to one taker each, and none is left."""
    async with opened() as one, opened() as two:
        await one.outbox("out").add([(f"p{number}", "") for number in range(100)])
        got: list[str] = []

        async def take(store: Store, owner: str) -> None:
            while found := await store.outbox("out").take(owner=owner, lease=3600, limit=7):
                got.extend(parcel.id for parcel in found)
                await store.outbox("out").sent([parcel.number for parcel in found], owner=owner)

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(take, one, f"one-{number}")
                tasks.start_soon(take, two, f"two-{number}")
        with anyio.fail_after(30):
            while await one.outbox("out").count():
                await take(one, "last")
        assert sorted(got) == sorted(f"p{number}" for number in range(100))


async def test_nobody_is_superseded_right_after_the_server_has_started(server: PostgreSQL, opened: Any):
    """A server that was away longer than all leases gives everybody the time of a lease to come back."""
    async with opened(lease=3600) as store:
        server.rows(f"UPDATE {_schema(store)}.owners SET until = clock_timestamp() - interval '1 day'")
        server.kill()
        server.start()
        async with opened(lease=3600) as other:
            assert other.owner == "process-1"
        await store.marks("m").put("k", "v")


def _schema(store: Any) -> str:
    return store._database.schema
