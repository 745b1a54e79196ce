"""Reception: callers of a durable route are answered once their message is kept, and what was left is worked off."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest
from pydantic import ConfigDict

from routekit import BodyError, Deliver, Listener, Message, Policy, Producer, Runtime, Send, from_
from routekit.runtime.journaling import SWEEP
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for
from routekit.written import written
from tests.crashing import DurableStore

pytestmark = pytest.mark.anyio

DURABLE = Policy(durable="store")


class Calls(Listener):
    """A listener whose callers are in the test."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme: ClassVar[str] = "calls"
    deliver: list[Any]

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        self.deliver.append(deliver)
        await anyio.sleep_forever()


class Gate(Producer):
    """A sink that lets messages pass once it is opened."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme: ClassVar[str] = "gate"
    event: Any
    waiting: list[Any]
    passed: list[Any]

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            self.waiting.append(message.body)
            await self.event.wait()
            self.passed.append(message.body)

        yield send

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def gate() -> Gate:
    return Gate.model_construct(event=anyio.Event(), waiting=[], passed=[])


def calls() -> Calls:
    return Calls.model_construct(deliver=[])


async def until_there(found: list[Any], many: int = 1) -> None:
    while len(found) < many:
        await anyio.sleep(0.01)


async def test_a_caller_is_answered_as_soon_as_its_message_is_kept() -> None:
    """Without a reply; the message goes on, and the stop waits for it."""
    source, sink = calls(), gate()
    async with running(from_(source, int, policy=DURABLE).to(sink)) as service:
        await until_there(source.deliver)
        assert await source.deliver[0](Message(1)) is None
        await until_there(sink.waiting)
        assert service.counts()["route-1"].in_flight == 1
        assert sink.passed == []
        sink.event.set()
    assert sink.passed == [1]


async def test_a_caller_whose_body_does_not_fit_is_refused() -> None:
    """As ever; a route that says what becomes of failures takes it."""
    source = calls()
    async with running(from_(source, int, policy=DURABLE).log("x")):
        await until_there(source.deliver)
        with pytest.raises(BodyError):
            await source.deliver[0](Message("seven"))
    letters, feed = calls(), Policy(durable="store", dead_letter="store")
    async with running(from_(letters, int, policy=feed).log("x")) as service:
        await until_there(letters.deliver)
        assert await letters.deliver[0](Message("seven")) is None
        while service.counts()["route-1"].dead == 0:
            await anyio.sleep(0.01)


async def test_callers_wait_while_all_slots_are_taken() -> None:
    """A message that is not begun is not kept either: its caller may go elsewhere."""
    source, sink, done = calls(), gate(), list[int]()

    async def call(n: int) -> None:
        await source.deliver[0](Message(n))
        done.append(n)

    policy = Policy(durable="store", concurrency=2)
    async with running(from_(source, int, policy=policy).to(sink)) as service, anyio.create_task_group() as callers:
        await until_there(source.deliver)
        for n in (1, 2, 3):
            callers.start_soon(call, n)
        await until_there(done, 2)
        assert service.store is not None
        assert await service.store.journal("route-1").count() == 2
        sink.event.set()
    assert sorted(done) == [1, 2, 3] == sorted(sink.passed)


async def test_a_route_that_calls_another_one_waits_only_until_it_is_kept() -> None:
    """What the called one does is no part of the caller's message, and is recorded by its own journal."""
    feed, one, two = Feed([1, 2]), Sink(), Sink()
    await run_routes(
        from_(feed, int, policy=DURABLE).to(one).to("direct:inner").to(one),
        from_("direct:inner", int, policy=DURABLE).to(two).to(two),
    )
    assert (one.bodies, sorted(two.bodies)) == ([1, 1, 2, 2], [1, 1, 2, 2])


async def test_a_listener_works_off_what_was_left_while_it_listens() -> None:
    """And a run until all is idle waits for it."""
    store, sink = DurableStore(), Sink()
    for n in range(500):
        await store.journal("route-1").add(f"m{n}", written(Message(n, {}, f"m{n}"), 1.0), owner=store.owner)
    await run_routes(from_("direct:inner", int, policy=DURABLE).to(sink), store=store)
    assert sorted(sink.bodies) == list(range(500))
    assert await store.journal("route-1").count() == 0


async def test_what_another_process_has_left_is_taken_up_later() -> None:
    """Also by a route that runs already."""
    store, sink, source = DurableStore(), Sink(), calls()
    async with running(from_(source, int, policy=DURABLE).to(sink), setup=setup_for(Run(), store=store)):
        await until_there(source.deliver)
        await anyio.sleep(1.0)
        await store.journal("route-1").add("m1", written(Message(1, {}, "m1"), 1.0), owner="another")
        await anyio.sleep(SWEEP + 1.0)
        assert sink.bodies == [1]


class HearingStore(DurableStore):
    """A store that hears of other processes."""

    def __init__(self) -> None:
        super().__init__()
        self.news = anyio.Event()

    def changed(self, kind: str, name: str) -> anyio.Event:
        assert (kind, name) == ("journal", "route-1")
        return self.news


async def test_what_another_process_gives_up_is_taken_up_at_once() -> None:
    """Where the store tells of it, nobody waits for the next look."""
    store, sink, source = HearingStore(), Sink(), calls()
    async with running(from_(source, int, policy=DURABLE).to(sink), setup=setup_for(Run(), store=store)):
        await until_there(source.deliver)
        await anyio.sleep(1.0)
        for n in (1, 2):
            await store.journal("route-1").add(f"m{n}", written(Message(n, {}, f"m{n}"), 1.0), owner="another")
            news, store.news = store.news, anyio.Event()
            news.set()
            await anyio.sleep(1.0)
            assert len(sink.bodies) == n
