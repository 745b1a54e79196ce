"""How traces are written: beside the routes, bounded, and without ever failing a message."""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from routekit import Message, Policy, StoreError, Value, from_
from routekit.operating.traces import trace, traces
from routekit.stores.memory import MemoryStore
from routekit.testing import Clock, Feed, Run, Sink, run_routes, setup_for
from routekit.tracing.tracer import WAITING, Tracer

pytestmark = pytest.mark.anyio


class Values:
    """Values of which some cannot be written, or only slowly."""

    def __init__(self, inner: Any, fails: bool, takes: float) -> None:
        self._inner = inner
        self._fails = fails
        self._takes = takes

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        if self._fails:
            raise StoreError("the store is away")
        await anyio.sleep(self._takes)
        return await self._inner.put(key, text, version=version, until=until)

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        return await self._inner.items(after=after, limit=limit)


class Spoilt(MemoryStore):
    """A store in memory whose values are spoilt."""

    fails = False
    takes = 0.0

    def values(self, name: str) -> Any:
        return Values(super().values(name), self.fails, self.takes)


def feed(count: int) -> Any:
    """A route without a policy of its own."""
    return from_(Feed(list(range(count))), int).to(Sink()).route("numbers")


async def followed(tracer: Tracer, count: int) -> Run:
    """Run messages that a tracer of the test follows, which nothing writes by itself."""
    store = MemoryStore(Clock().now)
    return await run_routes(feed(count), setup=setup_for(Run(), store=store, observers=[tracer.observe]))


async def test_a_store_that_is_away_fails_no_message(caplog: pytest.LogCaptureFixture) -> None:
    """The messages are done, the traces are left out, and the log says how many."""
    store = Spoilt(Clock().now)
    store.fails = True
    run = await run_routes(feed(3), setup=setup_for(Run(), store=store, policy=Policy(trace=True)))
    assert (run.counts["numbers"].done, run.counts["numbers"].dead) == (3, 0)
    assert "traces could not be written: the store is away" in caplog.text


async def test_a_slow_store_holds_up_no_message() -> None:
    """Messages are done at once while a trace takes long to write; the rest is written when the service stops."""
    store = Spoilt(Clock().now)
    store.takes = 2.0
    began = anyio.current_time()
    done: list[float] = []
    sink = from_(Feed(list(range(20))), int).transform(lambda n: done.append(anyio.current_time())).to(Sink())
    await run_routes(sink, setup=setup_for(Run(), store=store, policy=Policy(trace=True)))
    assert max(done) - began < 1.0
    assert len(await traces(store)) == 20


async def test_what_was_being_written_at_a_stop_is_written_then() -> None:
    """Who is cancelled while it writes leaves nothing half: the next one writes all that was not done."""
    store = Spoilt(Clock().now)
    tracer = Tracer(store, Clock().now, policy=Policy(trace=True))
    await followed(tracer, 5)
    store.takes = 3600.0
    with anyio.move_on_after(1):
        await tracer.flush()
    assert await traces(store) == []
    store.takes = 0.0
    await tracer.close()
    assert len(await traces(store)) == 5
    assert not tracer.waiting


async def test_only_so_many_wait_to_be_written() -> None:
    """What comes while too many wait is not traced, and counted."""
    tracer = Tracer(MemoryStore(Clock().now), Clock().now, policy=Policy(trace=True))
    await followed(tracer, WAITING + 200)
    assert len(tracer.waiting) == WAITING
    assert tracer.dropped["numbers"] == 200


async def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    """The store keeps so many of the newest, in both of its lists."""
    clock = Clock()
    store = MemoryStore(clock.now)
    tracer = Tracer(store, clock.now, policy=Policy(trace=True), most=3)
    for number in range(3):
        await run_routes(
            from_(Feed([Message(n, id=f"{number}-{n}") for n in range(2)]), int).to(Sink()).route("numbers"),
            setup=setup_for(Run(), store=MemoryStore(clock.now), observers=[tracer.observe]),
        )
        await clock.advance(1)
    await tracer.flush()
    assert {one.message for one in await traces(store)} >= {"2-0", "2-1"}
    assert len(await traces(store)) == 3
    assert await trace(store, "0-0") == []
    assert len(await store.values("routekit.traces").items()) == 3


async def test_a_message_of_which_nothing_fits_json_is_traced_all_the_same() -> None:
    """Half a character, a NUL, an object without a name for its kind: the trace is written."""
    bodies = ["\ud800 half", "nul \x00", object(), float("nan"), {1: {2: b"x"}}]
    store = MemoryStore(Clock().now)
    flow = from_(Feed(bodies)).filter(lambda body: body is not None).to(Sink()).route("odd")
    await run_routes(flow, setup=setup_for(Run(), store=store, policy=Policy(trace=True)))
    assert [one.ended for one in await traces(store)] == ["done"] * 5
