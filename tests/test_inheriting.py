"""Groups of several processes on one store, in virtual time: what a dead one kept, and what a living one adds."""

from typing import Any

import anyio
import pytest

from routekit import Consumer, Flow, Message, from_
from routekit.keeping import Keeping
from routekit.runtime.service import Setup
from routekit.testing import Run, Sink, running, setup_for

from .crashing import DurableStore, wall
from .fakes import Trickle, Watched

pytestmark = pytest.mark.anyio


class Common(DurableStore):
    """A store that several processes share, and that tells of a death."""

    def __init__(self) -> None:
        super().__init__()
        self.died = anyio.Event()

    def changed(self, kind: str, name: str) -> anyio.Event:
        """Set at the next death."""
        return self.died

    def bury(self) -> None:
        """Tell that a process has died."""
        died, self.died = self.died, anyio.Event()
        died.set()


class Process:
    """The store as one process of that name has it."""

    def __init__(self, common: Common, owner: str) -> None:
        self._common = common
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._common, name)

    def changed(self, kind: str, name: str) -> anyio.Event:
        """Set at the next death."""
        return self._common.changed(kind, name)


def on(store: Common, owner: str) -> Setup:
    return setup_for(Run(), store=Process(store, owner), now=wall)


def quiet(feed: Consumer, sink: Sink) -> Flow[list[str]]:
    return from_(feed, str).aggregate("g", str, key=lambda body: "all", timeout=10.0).to(sink)


async def test_a_group_that_another_process_adds_to_is_not_closed_too_early() -> None:
    """Who has found the group of another one looks again, before it lets it go on."""
    store, sink = Common(), Sink()
    first = Trickle(items=[(0.0, "a"), (8.0, "b")])
    async with running(quiet(first, sink), setup=on(store, "process-0")):
        await anyio.sleep(1)
        async with running(quiet(Watched(), sink), setup=on(store, "process-1")):
            await anyio.sleep(15)
            assert sink.bodies == []
            await anyio.sleep(4)
    assert sink.bodies == [["a", "b"]]


async def test_what_a_dead_process_kept_goes_on_in_one_that_runs_already() -> None:
    """It is found when the store tells of the death, and goes on at its time, once."""
    store, sink = Common(), Sink()
    async with (
        running(quiet(Watched(), sink), setup=on(store, "process-0")),
        running(quiet(Watched(), sink), setup=on(store, "process-1")),
    ):
        await anyio.sleep(1)
        await store.groups("g").add("all", "m1", _kept("a"), owner="dead/route-1")
        await anyio.sleep(60)
        assert sink.bodies == []  # nobody knows of it
        store.bury()
        await anyio.sleep(1)
        assert sink.bodies == [["a"]]


async def test_nobody_looks_again_where_the_store_is_for_one_process() -> None:
    """A group in a store that is not shared is as it was."""
    store, sink = DurableStore(), Sink()
    async with running(quiet(Watched(["a"]), sink), setup=setup_for(Run(), store=store, now=wall)):
        await anyio.sleep(11)
    assert sink.bodies == [["a"]]


def _kept(body: str) -> str:
    return Keeping(str, lambda value: value).text(Message(body, id="m1"))
