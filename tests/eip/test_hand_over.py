"""hand_over"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import DefinitionError, Flow, Message, Policy, Retry, Store, Unavailable, from_
from routekit.check import check
from routekit.eip.hand_over import HandOver
from routekit.plugins import Catalog
from routekit.replay import replay
from routekit.stores.memory import MemoryStore
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..crashing import Crash, DurableStore, Outside, every_crash, lives, wall
from ..fakes import Calls, Watched

pytestmark = pytest.mark.anyio

PATIENT = Policy(retry=Retry(3))


def setup(store: Store) -> Any:
    return setup_for(Run(), store=store, now=wall)


@pytest.fixture(params=["memory", "durable"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore(wall) if request.param == "memory" else DurableStore()


class Slow:
    """A function for `transform` that takes its time, and notes when each body was begun and ended."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.seconds = seconds
        self.spans: dict[Any, tuple[float, float]] = {}
        self.order: list[Any] = []
        self.start = anyio.current_time()

    async def __call__(self, body: Any) -> Any:
        began = anyio.current_time() - self.start
        self.order.append(body)
        await anyio.sleep(body if self.seconds < 0 else self.seconds)
        self.spans[body] = (round(began, 3), round(anyio.current_time() - self.start, 3))
        return body

    @property
    def busiest(self) -> int:
        """How many were at work at the same time, at most."""
        times = [time for span in self.spans.values() for time in span]
        return max(sum(began <= time < ended for began, ended in self.spans.values()) for time in times)


async def test_the_source_goes_on(store: Store) -> None:
    """It is free as soon as a message is kept; the rest of the route goes at its own pace, in order."""
    source, slow, out = Watched([1, 2, 3]), Slow(), Sink()
    async with running(from_(source, int).hand_over("q", int).transform(slow).to(out), setup=setup(store)):
        await anyio.sleep(1)
        assert source.state["asked"] == 3
        assert source.told == ([("ack", "m1"), ("ack", "m2"), ("ack", "m3")] if store.durable else [])
        await anyio.sleep(100)
    assert slow.spans == {1: (0, 10), 2: (10, 20), 3: (20, 30)}
    assert out.bodies == [1, 2, 3]
    assert source.told == [("ack", "m1"), ("ack", "m2"), ("ack", "m3")]


@pytest.mark.parametrize("workers", [1, 2, 5, 40])
async def test_so_many_workers_go_on(workers: int, store: Store) -> None:
    """As many messages as there are workers are under way at the same time, begun in the order of arrival."""
    slow = Slow()
    flow = from_(Watched(range(50)), int).hand_over("q", int, workers=workers).transform(slow)
    async with running(flow, setup=setup(store)):
        await anyio.sleep(1000)
    assert slow.busiest == workers
    assert [slow.spans[n][0] for n in range(50)] == [n // workers * 10 for n in range(50)]


async def test_workers_take_no_slots_of_the_source(store: Store) -> None:
    """The route's concurrency bounds what comes from the source, the workers what follows the hand-over."""
    source, slow = Watched(range(10)), Slow()
    flow = from_(source, int, policy=Policy(concurrency=2)).hand_over("q", int, workers=3).transform(slow)
    async with running(flow, setup=setup(store)):
        await anyio.sleep(1)
        assert source.state["asked"] == 10


async def test_a_server_is_answered_when_the_message_is_kept() -> None:
    """With a durable store; and while workers are at work, an idle server can be stopped."""
    calls, slow = Calls([1, 2, 3]), Slow()
    flow = from_(calls, int, policy=Policy(concurrency=1)).hand_over("q", int).transform(slow)
    async with running(flow, setup=setup(DurableStore())):
        await anyio.sleep(1)
        assert calls.answers == {1: None, 2: None, 3: None}
        await anyio.sleep(4)
    assert anyio.current_time() - slow.start == pytest.approx(10)


async def test_no_more_than_so_many_wait(store: Store) -> None:
    """Besides those at work; then the sender waits for a place."""
    source, slow = Watched(range(10)), Slow()
    flow = from_(source, int).hand_over("q", int, workers=2, size=3).transform(slow)
    async with running(flow, setup=setup(store)) as service:
        await anyio.sleep(5)
        assert source.state["asked"] == 2 + 3 + 1
        assert await service.control("stats", "q") == {"waiting": 3, "working": 2}
        await anyio.sleep(10)
        assert source.state["asked"] == 4 + 3 + 1
        await anyio.sleep(100)
    assert len(slow.spans) == 10


async def test_keys_go_on_one_after_the_other(store: Store) -> None:
    """Messages of one key never overlap and never overtake; those of other keys do not wait for them."""
    slow = Slow(-1)
    bodies = [10.0, 10.1, 1.0, 1.1, 10.2, 1.2]
    flow = from_(Watched(bodies), float).hand_over("q", float, workers=2, order_by=lambda n: int(n)).transform(slow)
    async with running(flow, setup=setup(store)):
        await anyio.sleep(100)
    assert [n for n in slow.order if n >= 10] == [10.0, 10.1, 10.2]
    assert [n for n in slow.order if n < 10] == [1.0, 1.1, 1.2]
    assert slow.spans[1.2][1] == pytest.approx(3.3)
    assert slow.busiest == 2


@dataclass(frozen=True)
class Order:
    number: int


async def test_a_message_goes_on_as_it_came(store: Store) -> None:
    """With its id and headers, and its body in its type."""
    out, message = Sink(), Message(Order(1), {"a": "x", "raw": b"\xff"}, "m1")
    async with running(from_(Feed([message]), Order).hand_over("q", Order).to(out), setup=setup(store)):
        await anyio.sleep(1)
    assert out.messages == [message]


async def test_what_was_kept_is_run_after_a_restart() -> None:
    """At a stop what is at work is finished and the others stay; the next start runs them in order, key by key."""
    store, slow, source = DurableStore(), Slow(), Watched(range(6))

    def flow(source: Watched) -> Flow[Any]:
        return from_(source, int).hand_over("q", int, workers=2, order_by=lambda n: n % 2).transform(slow)

    async with running(flow(source), setup=setup(store)):
        await anyio.sleep(5)
    assert len(source.told) == 6
    assert set(slow.spans) == {0, 1}
    async with running(flow(Watched([])), setup=setup(store)):
        await anyio.sleep(100)
    assert slow.order == [0, 1, 2, 3, 4, 5]
    assert [slow.spans[n] for n in range(2, 6)] == [(10, 20), (10, 20), (20, 30), (20, 30)]


async def test_those_of_an_earlier_run_take_places() -> None:
    """`size` bounds what is in the store."""
    store, source = DurableStore(), Watched([5])
    async with running(from_(Watched(range(4)), int).hand_over("q", int).transform(Slow()), setup=setup(store)):
        await anyio.sleep(5)
    flow = from_(source, int).hand_over("q", int, size=2).transform(Slow())
    async with running(flow, setup=setup(store)):
        await anyio.sleep(5)
        assert source.told == []
        await anyio.sleep(10)
        assert source.told == [("ack", "m5")]


async def test_at_a_stop_what_is_in_memory_is_left_to_the_source() -> None:
    """What is at work is finished; the others are neither acknowledged nor refused."""
    source, slow = Watched([1, 2, 3]), Slow()
    async with running(from_(source, int).hand_over("q", int).transform(slow)):
        await anyio.sleep(5)
    assert source.told == [("ack", "m1")]


async def test_in_memory_a_refused_message_is_refused_to_its_source() -> None:
    """What the rest of the route refuses is the answer to the source that waits."""
    feed, out = Feed([1, 2]), Sink(fail={1: ValueError("x")})
    await run_routes(from_(feed, int, policy=Policy(dead_letter="refuse")).hand_over("q", int).to(out))
    assert [(told, str(error)) for told, error in feed.refused] == [("feed-1", "x")]
    assert [told for told, _ in feed.acknowledged] == ["feed-2"]


async def test_the_rest_of_the_route_is_retried_by_the_policy(store: Store) -> None:
    """A message is tried again behind the hand-over; given up, it is replayed there, in its type."""
    out, before, ready = Sink(fail={n: Unavailable("away") for n in (1, 2, 3)}), list[int](), setup(store)
    policy = Policy(retry=Retry(2, first=1))
    flow = from_(Feed([Order(1), Order(2)]), Order, policy=policy)
    flow = flow.transform(lambda order: before.append(order.number) or order).hand_over("q", Order).to(out)
    async with running(flow, setup=ready) as service:
        await anyio.sleep(1000)
        assert service.counts()["route-1"].retried == 2
    assert (out.bodies, before) == ([Order(2)], [1, 2])
    (letter,) = await store.letters.list()
    assert (letter.message_id, letter.body, letter.entry) == ("feed-1", {"number": 1}, 1)
    assert await replay(letter, routes_of(flow), ready) is None
    assert out.bodies == [Order(2), Order(1)]


async def test_a_redelivered_message_changes_nothing() -> None:
    """While it waits, while it is at work, and for a while after that."""
    slow, source, store = Slow(), Watched([1, 2, 2, 1]), DurableStore()
    for items in (source, Watched([1, 2])):
        async with running(from_(items, int).hand_over("q", int).transform(slow), setup=setup(store)) as service:
            await anyio.sleep(1000)
            assert await service.control("stats", "q") == {"waiting": 0, "working": 0}
    assert slow.order == [1, 2]
    assert len(source.told) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"size": 0}, "size is 0"),
        ({"order_by": lambda: 1}, "a step calls its function"),
        ({"name": ""}, "the name of the state"),
        ({"body": None}, "the type of the bodies is None"),
    ],
)
def test_wrong_options(options: Any, said: str) -> None:
    """They are refused where they are written."""
    with pytest.raises(DefinitionError, match=said):
        Flow[int]().hand_over(**{"name": "q", "body": int, **options})


async def test_an_empty_key_is_refused() -> None:
    """A message without a key would be ordered after strangers."""
    run = await run_routes(from_(Feed([1]), int).hand_over("q", int, order_by=lambda n: None))
    assert [letter.error for letter in run.letters] == ["BodyError"]


def test_it_says_what_it_does() -> None:
    """Its label has the name, the workers and the order; check finds two of one name."""
    step = HandOver[int](name="q", body=int, workers=3, order_by=abs)
    assert (step.state(), step.label) == ("q", "hand_over(q, workers=3, order_by=abs)")
    flow = from_("timer:t", int).hand_over("q", int)
    assert check([flow.route("r")], Catalog()) == []
    assert "owned by two steps" in check([flow.hand_over("q", int).route("r")], Catalog())[0].message


async def test_two_queues_in_a_row(store: Store) -> None:
    """Each part of a route can have a pace of its own; in memory all is held by the first message."""
    source, out = Watched(range(6)), Sink()
    flow = from_(source, int).hand_over("a", int, workers=2).hand_over("b", int, size=1).transform(Slow()).to(out)
    async with running(flow, setup=setup(store)):
        await anyio.sleep(1)
        assert len(source.told) == (6 if store.durable else 0)
        await anyio.sleep(100)
    assert sorted(out.bodies) == [*range(6)]
    assert len(source.told) == 6


def handed(outside: Outside) -> Flow[Any]:
    flow = from_(outside.source, int, policy=PATIENT)
    return flow.hand_over("q", int, workers=2, order_by=lambda n: n % 2).to(outside.sink)


async def test_nothing_is_lost_wherever_it_crashes() -> None:
    """Dead or failing at any operation and started again: all are run, those of a key in order."""

    def sound(outside: Outside) -> None:
        assert set(outside.bodies) == {1, 2, 3, 4}
        assert not outside.waiting
        assert not outside.letters
        twice = sum(Counter(outside.bodies).values()) - 4
        assert twice <= 2  # as many as there are workers
        for key in (0, 1):
            first = [n for n in dict.fromkeys(outside.bodies) if n % 2 == key]
            assert first == sorted(first)

    crashes = await every_crash(handed, lambda: Outside([1, 2, 3, 4]), sound, patience=200.0)
    assert crashes > 40


async def test_a_stop_at_any_moment_repeats_nothing() -> None:
    """An orderly stop leaves no message that has gone on and is not forgotten."""
    slow = Slow(0.5)

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).hand_over("q", int, workers=2).transform(slow).to(outside.sink)

    for tenths in range(12):
        outside = Outside([1, 2, 3])
        await lives(flow, outside, patience=tenths / 10)
        await lives(flow, outside, patience=10.0)
        assert sorted(outside.bodies) == [1, 2, 3]


@pytest.mark.real_time
async def test_crashes_with_a_real_store(tmp_path: Path) -> None:
    """The same with a file."""

    def done(outside: Outside) -> bool:
        return set(outside.bodies) == {1, 2, 3, 4} or outside.life.ended

    for at in range(1, 21):
        async with open_sqlite(str(tmp_path / f"{at}.db"), {}, wall) as store:
            outside = Outside([1, 2, 3, 4], store=store)
            with anyio.fail_after(20):
                await lives(handed, outside, [Crash(at, "dies after")], until=lambda outside=outside: done(outside))
            assert len(outside.bodies) <= 6


jobs = some.lists(some.tuples(some.integers(0, 3), some.integers(1, 9)), min_size=1, max_size=15)


@settings(max_examples=60)
@given(jobs, some.integers(1, 4), some.integers(1, 5), some.booleans(), some.booleans())
async def test_any_work_goes_as_a_plain_oracle_says(
    work: list[tuple[int, int]], workers: int, size: int, lanes: bool, lasting: bool
) -> None:
    """Each message is begun by the first worker that is free, when those of its key before it are done."""
    start, spans = anyio.current_time(), dict[int, tuple[float, float]]()

    async def working(number: int) -> None:
        began = anyio.current_time() - start
        await anyio.sleep(work[number][1] + number / 100)
        spans[number] = (round(began, 3), round(anyio.current_time() - start, 3))

    flow = from_(Watched(range(len(work))), int).hand_over(
        "q", int, workers=workers, size=size, order_by=(lambda n: work[n][0]) if lanes else None
    )
    store = DurableStore() if lasting else MemoryStore(wall)
    async with running(flow.transform(working), setup=setup(store)):
        await anyio.sleep(1000)
    assert set(spans) == set(range(len(work)))
    times = {time for span in spans.values() for time in span}
    assert all(sum(began <= time < ended for began, ended in spans.values()) <= workers for time in times)
    if not lanes:
        assert [spans[n][0] for n in range(len(work))] == begun(work, workers)
        return
    keys = defaultdict[int, list[int]](list)
    for number, (key, _) in enumerate(work):
        keys[key].append(number)
    for numbers in keys.values():
        assert all(spans[one][1] <= spans[next_][0] for one, next_ in pairwise(numbers))


def begun(work: list[tuple[int, int]], workers: int) -> list[float]:
    """When each job is begun, if the first free worker takes the next one."""
    free, begins = [0.0] * workers, list[float]()
    for number, (_, seconds) in enumerate(work):
        began = min(free)
        free[free.index(began)] = began + seconds + number / 100
        begins.append(round(began, 3))
    return begins
