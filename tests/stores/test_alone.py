"""One service at a time runs routes with a SQLite store; tools may open it beside."""

import os
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from routekit import Exclusive, StoreError, from_
from routekit.runtime.service import Service
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, setup_for

pytestmark = pytest.mark.anyio

DAEMON = """
import sys
import anyio
from routekit import from_
from routekit.testing import Sink, run_routes

print("ready", flush=True)
anyio.run(lambda: run_routes(from_("timer:1h", float).to(Sink()), store=sys.argv[1]))
"""


async def test_a_second_service_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    """While one service runs, another on the same file ends with an error that names the process of the first."""
    uri = f"sqlite:{tmp_path}/s.db"
    setup = setup_for(Run(), store=uri)
    async with Service(routes_of(from_("timer:1h", float).to(Sink())), setup).started():
        with pytest.raises(StoreError, match=rf"in use by another service, process {os.getpid()}\b"):
            await run_routes(from_(Feed([1]), int).to(Sink()), store=uri)


async def test_tools_open_it_beside_the_service(tmp_path: Path) -> None:
    """What looks at letters, or replays them, opens the store while the service runs."""
    uri = f"sqlite:{tmp_path}/s.db"
    service = Service(routes_of(from_("timer:1h", float).to(Sink())), setup_for(Run(), store=uri))
    async with service.started(), open_sqlite(f"{tmp_path}/s.db", {}, time.time) as store:
        assert await store.letters.count() == 0
        await run_routes(from_(Feed([1]), int).idempotent("seen", key=lambda n: n).to(Sink()), store=store)


async def test_the_next_service_may_start_when_one_has_ended(tmp_path: Path) -> None:
    """Ended in order or by an error, it leaves the store free."""
    uri = f"sqlite:{tmp_path}/s.db"
    for _ in range(2):
        out = Sink()
        await run_routes(from_(Feed([1]), int).to(out), store=uri)
        assert out.bodies == [1]
    async with open_sqlite(f"{tmp_path}/s.db", {}, time.time) as store:
        assert isinstance(store, Exclusive)
        with pytest.raises(ValueError, match="mine"), store.serving():
            raise ValueError("mine")
        with store.serving():
            pass


def test_a_killed_service_leaves_the_store_free(tmp_path: Path) -> None:
    """Its lock dies with the process, whatever the file says."""
    uri = f"sqlite:{tmp_path}/s.db"
    lock = tmp_path / "s.db.service"
    with subprocess.Popen([sys.executable, "-c", DAEMON, uri], stdout=subprocess.PIPE) as daemon:
        try:
            assert daemon.stdout is not None
            daemon.stdout.readline()
            end = time.monotonic() + 60
            while not (lock.exists() and lock.read_text() == str(daemon.pid)):
                assert time.monotonic() < end
                time.sleep(0.02)
            with pytest.raises(StoreError, match=rf"process {daemon.pid}\b"):
                anyio.run(lambda: run_routes(from_(Feed([1]), int).to(Sink()), store=uri))
        finally:
            daemon.kill()
    out = Sink()
    anyio.run(lambda: run_routes(from_(Feed([1]), int).to(out), store=uri))
    assert out.bodies == [1]
