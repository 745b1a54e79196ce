"""Orphans: messages in the journal of a route that is gone are told of at the start."""

from pathlib import Path
from time import time

import anyio
import pytest

from routekit import Event, Logged, Message, Policy, from_
from routekit.runtime.orphans import tell_of_orphans
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Run, running, setup_for
from routekit.written import written
from tests.crashing import DurableStore

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]


async def told(run: Run) -> str:
    while True:
        for event in run.events:
            if isinstance(event, Logged) and event.level == "warning":
                return event.text
        await anyio.sleep(0.01)


async def test_messages_of_a_route_that_is_gone_are_told_of(tmp_path: Path) -> None:
    """By name and number; those of a route that is there, and those of a durable queue, are not."""
    address, run = f"sqlite:{tmp_path}/store.db", Run()
    async with open_sqlite(f"{tmp_path}/store.db", {}, time) as store:
        for name in ("gone", "kept", "queue:q"):
            await store.journal(name).add("m1", written(Message(1, {}, "m1"), 1.0), owner=store.owner)
    flow = from_(Feed([], gate=anyio.Event()), int, policy=Policy(durable="store")).log("x")
    with anyio.fail_after(30.0):
        async with running(kept=flow, setup=setup_for(run, store=address, now=time)):
            assert (await told(run)).startswith("the journal has 1 messages of route 'gone', which is not here")
    assert len([event for event in run.events if isinstance(event, Logged) and event.level == "warning"]) == 1


async def test_what_is_there_at_once_is_no_orphan() -> None:
    """Also while it is being worked off."""
    store, events = DurableStore(time), list[Event]()
    await store.journal("kept").add("m1", "x", owner="a")
    await tell_of_orphans(store, {"kept"}, events.append)
    assert events == []
    await tell_of_orphans(store, set(), events.append)
    assert len(events) == 1
