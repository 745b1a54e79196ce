"""What `delay`, `hand_over` and `resequence` share, where a store takes its time or has several processes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from routekit import Delivery, Flow, Policy, Runtime, Store, Unavailable, from_
from routekit.events import GapSkipped
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from .crashing import DurableStore, Outside, live, wall
from .fakes import Trickle, Watched

pytestmark = pytest.mark.anyio

Word = Callable[[Flow[int]], Flow[int]]

WORDS: dict[str, Word] = {
    "delay": lambda flow: flow.delay("s", int, by=1),
    "hand_over": lambda flow: flow.hand_over("s", int, workers=2),
    "resequence": lambda flow: flow.resequence("s", int, number=lambda n: n, gap=1, start=1),
}

each_word = pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)


class SlowStore:
    """A store whose operations on groups and marks take a while, or only those of some names; with another owner."""

    def __init__(self, store: Store, seconds: float, *names: str, owner: str = "process-0") -> None:
        self._store = store
        self._seconds = seconds
        self._names = names
        self.durable = store.durable
        self.owner = owner
        self.letters = store.letters
        self.contents = store.contents
        self.values = store.values

    def groups(self, name: str) -> Any:
        return _Slow(self._store.groups(name), self._seconds, self._names)

    def marks(self, name: str) -> Any:
        return _Slow(self._store.marks(name), self._seconds, self._names)


class _Slow:
    def __init__(self, state: Any, seconds: float, names: tuple[str, ...]) -> None:
        self._state = state
        self._seconds = seconds
        self._names = names

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._state, name)

        async def operation(*args: Any, **kwargs: Any) -> Any:
            seconds = self._seconds if not self._names or name in self._names else 0
            await anyio.sleep(seconds / 2)
            result = await method(*args, **kwargs)
            await anyio.sleep(seconds / 2)
            return result

        return operation


class Pausing(Trickle):
    """Rests when it has nothing more, as a source that polls."""

    scheme = "pausing"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        async for delivery in super().consume(runtime):
            yield delivery
        while True:
            with runtime.resting():
                await anyio.sleep(1000)


def setup(store: Any, run: Run | None = None) -> Any:
    return setup_for(run or Run(), store=store, now=wall)


@each_word
async def test_a_stop_ends_what_was_begun(word: Word) -> None:
    """Whenever it comes, what has gone on is forgotten: nothing goes on twice, and nothing is lost."""
    for tenths in range(45):
        store, outside = DurableStore(), Outside([1, 2, 3])
        slow = SlowStore(store, 0.3)
        for seconds in (tenths / 10, 60):
            async with running(word(from_(outside.source, int)).to(outside.sink), setup=setup(slow)):
                await anyio.sleep(seconds)
        assert outside.bodies == [1, 2, 3]
        assert await store.groups("s").all() == []


@pytest.mark.parametrize("word", ["hand_over", "resequence"])
async def test_an_idle_route_has_nothing_left_to_do(word: str) -> None:
    """However slow the store is, a run until all is idle ends after the last message that can go on."""
    out, source = Sink(), Watched([1, 2, 3, 4])
    await run_routes(WORDS[word](from_(source, int)).to(out), setup=setup(SlowStore(DurableStore(), 0.3)))
    assert out.bodies == [1, 2, 3, 4]


async def test_a_route_is_not_idle_while_a_worker_is_at_work() -> None:
    """Also not while it waits for the store only: what it does may bring more."""
    out = Sink()
    flow = from_(Pausing(items=[(0, 1), (0.8, 2)]), int).hand_over("s", int, workers=2).to(out)
    async with running(flow, setup=setup(SlowStore(DurableStore(), 0.3))) as service:
        await anyio.sleep(0.01)
        while len(out.bodies) < 2:
            assert not service.runners[0].idle
            await anyio.sleep(0.05)
        await anyio.sleep(1)
        assert service.runners[0].idle


@each_word
async def test_two_processes_share_the_work(word: Word) -> None:
    """What both know is released by one of them."""
    store, out = DurableStore(), Sink()
    first, second = (SlowStore(store, 0.01, owner=f"process-{n}") for n in range(2))
    async with running(word(from_(Watched([4, 3, 2]), int)).to(out), setup=setup(first)):
        await anyio.sleep(0.2)
        async with running(word(from_(Watched([]), int)).to(out), setup=setup(second)):
            await anyio.sleep(60)
    assert sorted(out.bodies) == [2, 3, 4]
    assert await store.groups("s").all() == []


async def test_what_another_process_releases_is_not_ours() -> None:
    """It takes no room here, and is left to the process that closed it, or to the next of its name."""
    store, out = DurableStore(), Sink()
    _, group = await store.groups("s").add("m1", "m1", "", owner="process-7/route-1")
    await store.groups("s").close(group.number, owner="process-7/route-1")
    async with running(WORDS["delay"](from_(Watched([]), int)).to(out), setup=setup(SlowStore(store, 0))) as service:
        await anyio.sleep(60)
        assert await service.control("stats", "s") == {"waiting": 0}
    assert [one.owner for one in await store.groups("s").all()] == ["process-7/route-1"]


@each_word
async def test_a_deadline_leaves_nothing_half_kept(word: Word) -> None:
    """A message whose deadline passes while it is being kept is kept, and no dead letter as well."""
    store, out = DurableStore(), Sink()
    flow = from_(Watched([1]), int, policy=Policy(deadline=1))
    async with running(word(flow).to(out), setup=setup(SlowStore(store, 2, "add"))):
        await anyio.sleep(60)
    assert out.bodies == [1]
    assert await store.letters.list() == []


@each_word
async def test_in_memory_a_refused_message_may_come_again_at_once(word: Word) -> None:
    """Even before the store has forgotten it: it is not taken for a message that is on its way."""
    outside = Outside([1], store=MemoryStore(wall), again=0.0)
    slow = SlowStore(outside.store, 1, "remove")
    failures = [Unavailable("away")]

    def once(body: int) -> int:
        if failures:
            raise failures.pop()
        return body

    flow = word(from_(outside.source, int, policy=Policy(dead_letter="refuse"))).transform(once).to(outside.sink)
    async with running(flow, setup=setup(slow)):
        await anyio.sleep(60)
    assert (outside.bodies, outside.refused["m1"], outside.done) == ([1], 1, True)


@each_word
async def test_in_memory_a_start_leaves_nothing_behind(word: Word) -> None:
    """What the source has not brought again is not kept for an earlier start of the route."""
    store = MemoryStore(wall)
    flow = word(from_(Watched([3, 2, OSError("lost")]), int).transform(lambda n: n)).transform(
        lambda n: anyio.sleep(99)
    )
    async with running(flow, setup=setup(SlowStore(store, 0.5))):
        await anyio.sleep(90)
    assert await store.groups("s").all() == []


async def test_what_is_due_twice_goes_on_once() -> None:
    """A message that waits for a worker and is flushed meanwhile is released by one of them."""
    out = Sink()

    async def slow(body: int) -> int:
        await anyio.sleep(10)
        return body

    flow = from_(Watched([1, 2, 3]), int).delay("s", int, by=1, workers=2).transform(slow).to(out)
    async with running(flow, setup=setup(SlowStore(DurableStore(), 0))) as service:
        await anyio.sleep(5)
        assert await service.control("flush", "s") == 1
        await anyio.sleep(60)
    assert sorted(out.bodies) == [1, 2, 3]


async def test_room_is_made_as_soon_as_a_gap_is_known() -> None:
    """Who waits for room while another message is being kept does not wait for the whole gap of that."""
    out = Sink()
    flow = from_(Trickle(items=[(0, 5), (0.1, 7)]), int, policy=Policy(concurrency=2))
    flow = flow.resequence("s", int, number=lambda n: n, gap=1000, start=1, most=1).to(out)
    async with running(flow, setup=setup(SlowStore(DurableStore(), 1, "add"))):
        await anyio.sleep(10)
    assert out.bodies == [5]


async def test_room_is_waited_for_while_something_is_on_its_way() -> None:
    """A slow sequence makes no other give up its gap."""
    out, run = Sink(), Run()

    async def slow(body: str) -> str:
        await anyio.sleep(10 if body[0] == "a" else 0)
        return body

    bodies = enumerate(["a1", "b2", "a2", "b3", "b1"])
    flow = from_(Trickle(items=[(float(at), body) for at, body in bodies]), str)
    flow = flow.resequence(
        "s", str, number=lambda b: int(b[1:]), per=lambda b: b[0], gap=1000, start=1, most=2, workers=2
    )
    async with running(flow.transform(slow).to(out), setup=setup(DurableStore(), run)):
        await anyio.sleep(100)
    assert out.bodies == ["a1", "b1", "b2", "b3", "a2"]
    assert run.of(GapSkipped) == []


async def test_what_is_on_its_way_may_make_no_room() -> None:
    """If no message waits behind it, a gap is given up at once, not when it is done."""
    out = Sink()

    async def slow(body: str) -> str:
        await anyio.sleep(10 if body == "a1" else 0)
        return body

    flow = from_(Feed(["a1", "b2", "c2", "d2"]), str)
    flow = flow.resequence(
        "s", str, number=lambda b: int(b[1:]), per=lambda b: b[0], gap=1000, start=1, most=2, workers=2
    )
    async with running(flow.transform(slow).to(out), setup=setup(DurableStore())):
        await anyio.sleep(5)
        assert out.bodies == ["b2"]


async def test_a_crash_harness_sees_the_same() -> None:
    """All words lose nothing when the process dies over and over at its first operations."""
    for word in WORDS.values():
        outside = Outside([1, 2, 3])
        for _ in range(3):
            await live(
                lambda outside, word=word: word(from_(outside.source, int)).to(outside.sink), outside, patience=5
            )
        assert outside.bodies == [1, 2, 3]


@each_word
async def test_in_memory_many_are_held_by_one_slot(word: Word) -> None:
    """One message in flight at a time is enough for any number that waits."""
    out, feed = Sink(), Feed([3, 1, 2])
    await run_routes(word(from_(feed, int)).to(out))
    assert sorted(out.bodies) == [1, 2, 3]
    assert len(feed.acknowledged) == 3


async def test_a_flush_of_the_last_group_lets_it_go_on() -> None:
    """Also when the source has nothing more, and the route waits for that group alone: it ends afterwards."""
    out, store = Sink(), DurableStore()
    flow = from_(Feed([1]), int).aggregate("t", int, key=lambda n: n, timeout=3600).to(out)
    async with running(flow, setup=setup(SlowStore(store, 0.3))) as service:
        await anyio.sleep(5)
        assert await service.control("flush", "t") == 1
        assert out.bodies == [[1]]
    assert await store.groups("t").all() == []
