"""delay"""

import tracemalloc
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import DefinitionError, Delivery, Flow, Message, Policy, Retry, Runtime, Store, Unavailable, from_
from routekit.check import check
from routekit.eip.delay import Delay
from routekit.plugins import Catalog
from routekit.replay import replay
from routekit.stores.memory import MemoryStore
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..crashing import Crash, DurableStore, Outside, every_crash, lives, wall
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio

PATIENT = Policy(retry=Retry(3))


def setup(store: Store, run: Run | None = None) -> Any:
    return setup_for(run or Run(), store=store, now=wall)


@pytest.fixture(params=["memory", "durable"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore(wall) if request.param == "memory" else DurableStore()


def times(seen: list[tuple[Any, float]]) -> Callable[[Any], Any]:
    """A function for `transform` that notes when each body passed, counted from now."""
    start = anyio.current_time()

    def note(body: Any) -> Any:
        seen.append((body, round(anyio.current_time() - start, 3)))
        return body

    return note


async def test_each_message_goes_on_after_its_time(store: Store) -> None:
    """Exactly, counted from when it came, whatever came before it."""
    seen: list[tuple[Any, float]] = []
    flow = from_(Trickle(items=[(0, "a"), (1, "b"), (4, "c")]), str).delay("d", str, by=10.5).transform(times(seen))
    async with running(flow, setup=setup(store)):
        await anyio.sleep(100)
    assert seen == [("a", 10.5), ("b", 11.5), ("c", 14.5)]


async def later(body: int, message: Message[int]) -> float:
    return body + message.headers["more"]


@pytest.mark.parametrize("by", [lambda n: n, lambda n, message: n + message.headers["more"], later])
async def test_the_time_may_come_with_each_message(by: Any, store: Store) -> None:
    """A function of the body, or of the body and the message, plain or async: the shortest goes on first."""
    seen: list[tuple[Any, float]] = []
    feed = Feed([Message(n, {"more": 0}, f"m{n}") for n in (7, 3, 5)])
    async with running(from_(feed, int).delay("d", int, by=by).transform(times(seen)), setup=setup(store)):
        await anyio.sleep(100)
    assert seen == [(3, 3), (5, 5), (7, 7)]


async def test_a_message_may_wait_until_a_time(store: Store) -> None:
    """A datetime with a zone, seconds since 1970, or None for one that goes on at once."""
    seen: list[tuple[Any, float]] = []
    now = wall()
    until: dict[str, Any] = {"datetime": datetime.fromtimestamp(now, UTC) + timedelta(hours=1), "seconds": now + 60}
    flow = from_(Feed(["datetime", "seconds", "none"]), str).delay("d", str, until=until.get).transform(times(seen))
    async with running(flow, setup=setup(store)):
        await anyio.sleep(10_000)
    assert seen == [("none", 0), ("seconds", 60), ("datetime", 3600)]


@pytest.mark.parametrize(
    "options", [{"by": 0}, {"by": lambda n: -n}, {"until": lambda n: 5}, {"until": lambda n: -5.5}]
)
async def test_what_is_due_goes_on_at_once(options: Any) -> None:
    """Nothing, less than nothing or the past is no delay: the message is not kept, its reply is the route's."""
    feed, outside = Feed([1]), DurableStore()
    flow = from_(feed, int).delay("d", int, **options).transform(lambda n: n + 1)
    run = await run_routes(flow, setup=setup(outside))
    ((_, reply),) = feed.acknowledged
    assert reply.body == 2
    assert (run.counts["route-1"].done, run.counts["route-1"].ended) == (1, 0)
    assert outside.groups("d")._count == 0


async def test_equal_times_go_on_in_the_order_of_arrival(store: Store) -> None:
    """Also across a restart."""
    until, out = wall() + 60, Sink()

    def flow(numbers: range) -> Flow[Any]:
        messages = [Message(n, id=f"m{n}") for n in numbers]
        return from_(Watched(messages), int).delay("d", int, until=lambda n: until).to(out)

    async with running(flow(range(50)), setup=setup(store)):
        await anyio.sleep(10)
    rest = range(50, 100) if store.durable else range(100)
    async with running(flow(rest), setup=setup(store)):
        await anyio.sleep(100)
    assert out.bodies == list(range(100))


async def test_a_message_keeps_its_id_and_headers(store: Store) -> None:
    """It goes on as it came; headers that are no text too."""
    out = Sink()
    message = Message(1, {"a": "x", "raw": b"\xff", "n": 3}, "m1")
    async with running(from_(Feed([message]), int).delay("d", int, by=1).to(out), setup=setup(store)):
        await anyio.sleep(10)
    (came,) = out.messages
    assert came == message


@dataclass(frozen=True)
class Order:
    number: int
    at: datetime


async def test_bodies_come_back_in_their_type(store: Store) -> None:
    """As what was said, not as the plain data that was stored."""
    out, order = Sink(), Order(1, datetime(2025, 1, 1, tzinfo=UTC))
    async with running(from_(Feed([order]), Order).delay("d", Order, by=1).to(out), setup=setup(store)):
        await anyio.sleep(10)
    assert out.bodies == [order]


async def test_a_restart_goes_on_waiting() -> None:
    """The time counts on over a restart, and what became due while nobody was there goes on at once."""
    store, seen = DurableStore(), list[tuple[Any, float]]()
    note = times(seen)

    def flow(items: list[Any]) -> Flow[Any]:
        return from_(Watched(items), int).delay("d", int, by=lambda n: n).transform(note)

    async with running(flow([100, 50, 30]), setup=setup(store)):
        await anyio.sleep(20)
    await anyio.sleep(40)
    async with running(flow([]), setup=setup(store)):
        await anyio.sleep(100)
    assert seen == [(30, 60), (50, 60), (100, 100)]


async def test_the_time_is_settled_when_the_message_comes() -> None:
    """A route that was changed meanwhile delays new messages by the new time, and the old ones by theirs."""
    store, seen = DurableStore(), list[tuple[Any, float]]()
    note = times(seen)
    async with running(from_(Watched(["old"]), str).delay("d", str, by=100).transform(note), setup=setup(store)):
        await anyio.sleep(10)
    async with running(from_(Watched(["new"]), str).delay("d", str, by=1).transform(note), setup=setup(store)):
        await anyio.sleep(1000)
    assert seen == [("new", 11), ("old", 100)]


async def test_a_durable_store_takes_the_message_over() -> None:
    """Its source is told when it is kept, and at a stop it stays in the store."""
    source, out = Watched([1]), Sink()
    async with running(from_(source, int).delay("d", int, by=1000).to(out), setup=setup(DurableStore())):
        await anyio.sleep(1)
        assert source.told == [("ack", "m1")]
    assert out.bodies == []


async def test_in_memory_the_source_waits_too() -> None:
    """It is told when the rest of the route is done; the slot is free meanwhile. At a stop nothing is told."""
    source, out = Watched([5, 1000]), Sink()
    async with running(from_(source, int).delay("d", int, by=lambda n: n).to(out)) as service:
        await anyio.sleep(4)
        assert (source.told, service.counts()["route-1"].held) == ([], 2)
        await anyio.sleep(2)
        assert (source.told, out.bodies) == ([("ack", "m5")], [5])
    assert source.told == [("ack", "m5")]


async def test_in_memory_a_refused_message_is_refused_to_its_source() -> None:
    """What the rest of the route refuses is the answer to the source that waits."""
    feed, out = Feed([1, 2]), Sink(fail={1: ValueError("x")})
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).delay("d", int, by=1).to(out)
    await run_routes(flow)
    assert [(told, str(error)) for told, error in feed.refused] == [("feed-1", "x")]
    assert [told for told, _ in feed.acknowledged] == ["feed-2"]


async def test_in_memory_a_message_that_comes_again_is_delayed_again() -> None:
    """A restart of the route leaves nothing behind of what its source brings again."""
    source, store = Watched([1, OSError("lost"), 1]), MemoryStore(wall)
    seen: list[tuple[Any, float]] = []
    flow = from_(source, int).delay("d", int, by=10).transform(times(seen))
    async with running(flow, setup=setup(store)):
        await anyio.sleep(100)
    assert [body for body, _ in seen] == [1]
    assert source.told == [("ack", "m1")]


async def test_no_more_than_so_many_wait(store: Store) -> None:
    """With `most` kept, the next message waits, and its source with it, until one has gone on."""
    source, seen = Watched([1, 2, 3, 4]), list[tuple[Any, float]]()
    flow = from_(source, int).delay("d", int, by=10, most=2).transform(times(seen))
    async with running(flow, setup=setup(store)):
        await anyio.sleep(5)
        assert source.state["asked"] == 3
        await anyio.sleep(100)
    assert seen == [(1, 10), (2, 10), (3, 10), (4, 20)]  # the third came at 0 too


async def test_those_of_an_earlier_run_count() -> None:
    """`most` bounds what is in the store, not what came since the start."""
    store, source = DurableStore(), Watched([3])
    async with running(from_(Watched([1, 2]), int).delay("d", int, by=10).to(Sink()), setup=setup(store)):
        await anyio.sleep(1)
    async with running(from_(source, int).delay("d", int, by=10, most=2).to(Sink()), setup=setup(store)):
        await anyio.sleep(8)
        assert source.told == []
        await anyio.sleep(2)
        assert source.told == [("ack", "m3")]


async def test_a_deadline_ends_the_wait_for_room() -> None:
    """A message that found no room in time is a dead letter, and not kept as well."""
    out, policy = Sink(), Policy(deadline=3)
    flow = from_(Watched([1, 2]), int, policy=policy).delay("d", int, by=10, most=1).to(out)
    run, store = Run(), DurableStore()
    async with running(flow, setup=setup(store, run)):
        await anyio.sleep(100)
    assert out.bodies == [1]
    assert [letter.error for letter in await store.letters.list()] == ["Expired"]


async def test_a_redelivered_message_changes_nothing() -> None:
    """While it waits, after it went on, and when its time has passed meanwhile."""
    store, out, until = DurableStore(), Sink(), wall() + 10

    def flow(**options: Any) -> Flow[Any]:
        return from_(Watched([1]), int).delay("d", int, **options).to(out)

    async with running(flow(by=10), setup=setup(store)):
        await anyio.sleep(1)
    async with running(flow(by=0), setup=setup(store)):
        await anyio.sleep(1)
    assert out.bodies == []
    await anyio.sleep(10)
    async with running(flow(until=lambda n: until), setup=setup(store)):
        await anyio.sleep(1)
    async with running(flow(by=10), setup=setup(store)):
        await anyio.sleep(100)
    assert out.bodies == [1]


async def test_one_goes_on_after_the_other(store: Store) -> None:
    """With one worker what is due waits for what was due before, also for its retries; more workers overlap."""

    def flow(workers: int, out: Sink) -> Flow[Any]:
        source = from_(Feed([4, 2, 1]), int).delay(f"d{workers}", int, by=1, workers=workers)
        return source.transform(slow).to(out)

    async def slow(seconds: int) -> int:
        await anyio.sleep(seconds)
        return seconds

    for workers, expected in ((1, [4, 2, 1]), (2, [2, 1, 4]), (3, [1, 2, 4])):
        out = Sink()
        async with running(flow(workers, out), setup=setup(store)):
            await anyio.sleep(100)
        assert out.bodies == expected


async def test_the_rest_of_the_route_is_retried_by_the_policy() -> None:
    """The message enters after the delay again, not before it."""
    out, seen = Sink(fail={1: Unavailable("away")}), list[tuple[Any, float]]()
    flow = from_(Feed([1]), int, policy=PATIENT).transform(times(seen)).delay("d", int, by=10).to(out)
    run = await run_routes(flow)
    assert (out.bodies, len(seen), run.counts["route-1"].retried) == ([1], 1, 1)


async def test_a_letter_is_replayed_behind_the_delay(store: Store) -> None:
    """It enters where delayed messages do, as its type, and does not wait again."""
    out, order = Sink(fail={1: ValueError("x")}), Order(1, datetime(2025, 1, 1, tzinfo=UTC))
    flow = from_(Feed([order]), Order).delay("d", Order, by=10).to(out)
    ready = setup(store)
    async with running(flow, setup=ready):
        await anyio.sleep(100)
    (letter,) = await store.letters.list()
    assert (letter.message_id, letter.error, letter.entry) == ("feed-1", "ValueError", 1)
    before = anyio.current_time()
    assert await replay(letter, routes_of(flow), ready) is None
    assert (out.bodies, anyio.current_time() - before) == ([order], pytest.approx(0))


async def test_what_no_longer_fits_is_a_letter() -> None:
    """A type that was changed while a message waited makes a dead letter of it; the others go on."""
    store, out = DurableStore(), Sink()
    async with running(from_(Watched(["x", "2"]), str).delay("d", str, by=10).to(out), setup=setup(store)):
        await anyio.sleep(1)
    async with running(from_(Watched([]), int).delay("d", int, by=10).to(out), setup=setup(store)):
        await anyio.sleep(100)
    assert out.bodies == [2]
    assert [(letter.body, letter.error) for letter in await store.letters.list()] == [("x", "BodyError")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": lambda n: "10"}, "delayed by '10'"),
        ({"by": lambda n: float("nan")}, "delayed by nan"),
        ({"by": lambda n: None}, "delayed by None"),
        ({"until": lambda n: datetime(2025, 1, 1)}, "with a time zone"),
        ({"until": lambda n: 1.8e12}, "not milliseconds"),
        ({"until": lambda n: "tomorrow"}, "until 'tomorrow'"),
    ],
)
async def test_what_is_no_time_is_refused(options: Any, said: str) -> None:
    """The message is a dead letter that says what was given and what is wanted."""
    run = await run_routes(from_(Feed([1]), int).delay("d", int, **options))
    (letter,) = run.letters
    assert letter.error == "BodyError"
    assert said in letter.reason


async def test_a_body_that_would_not_come_back_is_refused() -> None:
    """It is a dead letter at once."""
    run = await run_routes(from_(Feed(["x"])).delay("d", int, by=10))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert "cannot be kept as int" in run.letters[0].reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "waits for no time"),
        ({"by": 1, "until": lambda n: 1}, "give either by or until"),
        ({"by": -1}, "by is -1"),
        ({"by": float("nan")}, "by is nan"),
        ({"by": float("inf")}, "by is inf"),
        ({"by": 1, "most": 0}, "most is 0"),
        ({"by": 1, "workers": 0}, "workers is 0"),
        ({"by": lambda: 1}, "a step calls its function"),
        ({"name": "", "by": 1}, "the name of the state"),
        ({"body": None, "by": 1}, "the type of the bodies is None"),
        ({"body": 60.0, "by": 1}, "the type of the bodies is 60.0"),
    ],
)
def test_wrong_options(options: Any, said: str) -> None:
    """They are refused where they are written."""
    with pytest.raises(DefinitionError, match=said):
        Flow[int]().delay(**{"name": "d", "body": int, **options})


def test_two_with_one_name_are_found_by_check() -> None:
    """In one route they would share their messages. Binding for a check touches nothing."""
    flow = from_("timer:t", int).delay("d", int, by=1)
    assert check([flow.route("r")], Catalog()) == []
    problems = check([flow.delay("d", int, by=1).route("r")], Catalog())
    assert "state 'd' is owned by two steps" in problems[0].message


def test_it_says_what_it_does() -> None:
    """Its label has the name and the time; tools see the name of its state."""
    step = Delay[int](name="d", body=int, by=90)
    assert (step.state(), step.label) == ("d", "delay(d by 90 s)")
    assert Delay[int](name="d", body=int, until=later).label == "delay(d until later)"
    assert Delay[int](name="d", body=int, by=later).label == "delay(d by later)"


async def test_parts_and_branches_are_delayed_each(store: Store) -> None:
    """Within a split each part waits for itself; in memory the parent is done with the last of them."""
    out, source = Sink(), Watched([Message([3, 1, 2], id="m")])
    flow = from_(source, list).split(lambda ns: ns).choice()
    flow = flow.when(lambda n: n > 1, lambda big: big.delay("d", int, by=lambda n: n)).otherwise(lambda rest: rest)
    async with running(flow.to(out), setup=setup(store)):
        await anyio.sleep(1)
        assert out.bodies == [1]
        assert source.told == ([("ack", "m")] if store.durable else [])
        await anyio.sleep(100)
    assert out.bodies == [1, 2, 3]
    assert source.told == [("ack", "m")]


async def test_it_can_be_flushed(store: Store) -> None:
    """The control bus sees how many wait, and lets all go on at once, each of them once."""
    out = Sink()
    flow = from_(Watched([100, 50, 70]), int).delay("d", int, by=lambda n: n).to(out)
    async with running(flow, setup=setup(store)) as service:
        await anyio.sleep(1)
        assert await service.control("stats", "d") == {"waiting": 3}
        assert await service.control("flush", "d") == 3
        assert await service.control("flush", "d") == 3
        await anyio.sleep(1)
        assert (sorted(out.bodies), await service.control("stats", "d")) == ([50, 70, 100], {"waiting": 0})
        await anyio.sleep(1000)
    assert len(out.bodies) == 3


def delayed(outside: Outside) -> Flow[Any]:
    return from_(outside.source, int, policy=PATIENT).delay("d", int, by=lambda n: n).to(outside.sink)


async def test_nothing_is_lost_wherever_it_crashes() -> None:
    """Dead or failing at any operation and started again: each message once, or twice if that was after its release."""

    def sound(outside: Outside) -> None:
        assert set(outside.bodies) == {0, 3, 5}
        assert not outside.waiting
        assert not outside.letters
        twice = [body for body, sent in Counter(outside.bodies).items() if sent > 1]
        between = {"sink.send", "groups.remove", "source.ack"}  # the acknowledgement of what went on at once
        assert not twice or {crash.split()[-1] for crash in outside.crashed} <= between
        assert len(twice) <= 1

    crashes = await every_crash(delayed, lambda: Outside([3, 0, 5]), sound, down=4.0, patience=200.0)
    assert crashes > 20


async def test_a_stop_at_any_moment_repeats_nothing() -> None:
    """An orderly stop leaves no message that has gone on and is not forgotten."""
    for tenths in range(25):
        outside = Outside([1, 2])
        await lives(delayed, outside, [Crash(10_000)], patience=1.0 + tenths / 10)
        await lives(delayed, outside, patience=10.0)
        assert outside.bodies == [1, 2]


@pytest.mark.real_time
async def test_crashes_with_a_real_store(tmp_path: Path) -> None:
    """The same with a file."""
    for at in range(1, 13):
        async with open_sqlite(str(tmp_path / f"{at}.db"), {}, wall) as store:
            outside = Outside([1, 2], store=store)

            def flow(outside: Outside) -> Flow[Any]:
                return from_(outside.source, int).delay("d", int, by=0.02).to(outside.sink)

            def done(outside: Outside = outside) -> bool:
                return set(outside.bodies) == {1, 2} or outside.life.ended

            with anyio.fail_after(20):
                await lives(flow, outside, [Crash(at, "dies before")], until=done)
            assert len(outside.bodies) <= 3


@pytest.mark.real_time
async def test_many_delayed_messages_are_cheap(tmp_path: Path) -> None:
    """Two thousand that wait in a file take less than 2 MB of memory, while they wait and after a restart."""

    async def waiting(service: Any) -> None:
        with anyio.fail_after(60):
            while True:
                await anyio.sleep(0.05)
                with suppress(Unavailable):
                    if (await service.control("stats", "d"))["waiting"] == 2_000:
                        return

    tracemalloc.start()
    try:
        for source in (Feed(range(2_000)), Watched([])):
            async with open_sqlite(str(tmp_path / "s.db"), {}, wall) as store:
                before = tracemalloc.get_traced_memory()[0]
                flow = from_(source, int, policy=Policy(concurrency=64)).delay("d", int, by=10_000)
                async with running(flow, setup=setup(store)) as service:
                    await waiting(service)
                    assert tracemalloc.get_traced_memory()[0] - before < 2_000_000
    finally:
        tracemalloc.stop()


schedules = some.lists(some.tuples(some.integers(0, 4), some.integers(-1, 9)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(schedules, some.lists(some.integers(1, 30), max_size=3), some.integers(0, 5), some.booleans())
async def test_any_schedule_goes_as_a_plain_oracle_says(
    schedule: list[tuple[int, int]], stops: list[int], down: int, again: bool
) -> None:
    """Each message goes on at its time, or at the next start, whether its source brings it again after that or not."""
    start = anyio.current_time()
    arrivals = [
        Arrival(n, sum(wait for wait, _ in schedule[: n + 1]) + 0.5, by and by + n / 100)
        for n, (_, by) in enumerate(schedule)
    ]
    store, seen, before = DurableStore(), list[tuple[float, int]](), 0.0
    ups = runs(sorted(stops), down, until=arrivals[-1].at + 20)

    def note(number: int) -> None:
        seen.append((round(anyio.current_time() - start, 3), number))

    for up, stop in ups:
        await anyio.sleep_until(start + up)
        coming = [one for one in arrivals if (again or one.at >= before) and one.at < stop]
        flow = from_(Arriving(items=[(max(0, one.at - up), one.number) for one in coming]), int)
        flow = flow.delay("d", int, by=lambda number: arrivals[number].by).transform(note)
        async with running(flow, setup=setup(store)):
            await anyio.sleep_until(start + stop)
        before = stop
    assert [one for one in seen if arrivals[one[1]].by > 0] == oracle(arrivals, ups, delayed=True)
    if not again:  # else those that are not delayed, so not kept, go on again
        assert [one for one in seen if arrivals[one[1]].by <= 0] == oracle(arrivals, ups, delayed=False)


@dataclass(frozen=True)
class Arrival:
    """A message: when it comes, and the delay that it asks for."""

    number: int
    at: float
    by: float


def runs(stops: list[int], down: int, until: float) -> list[tuple[float, float]]:
    """When the process is up, from and to, with `down` seconds between."""
    found, up = list[tuple[float, float]](), 0.0
    for stop in stops:
        if stop > up:
            found.append((up, stop))
            up = stop + down
    return [*found, (up, max(up, until) + 20)]


def oracle(arrivals: list[Arrival], ups: list[tuple[float, float]], *, delayed: bool) -> list[tuple[float, int]]:
    """When which message goes on: those that are delayed, or those that are not."""
    expected: list[tuple[float, float, int]] = []
    for one in arrivals:
        came = next(max(one.at, up) for up, stop in ups if one.at < stop)
        due = came + max(one.by, 0)
        expected.append((next(max(due, up) for up, stop in ups if due < stop), due, one.number))
    return [(round(went, 3), number) for went, _, number in sorted(expected) if (arrivals[number].by > 0) is delayed]


class Arriving(Trickle):
    """Messages whose ids are the same in each run; then it rests."""

    scheme = "arriving"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        async for delivery in super().consume(runtime):
            yield Delivery(Message(delivery.message.body, id=f"m{delivery.message.body}"))
        while True:
            await runtime.rest(1000)
