"""idempotent"""

from collections import Counter
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import Claim, DefinitionError, Flow, Message, Policy, Retry, Unavailable, from_
from routekit.eip.idempotent import Idempotent
from routekit.runtime.service import Setup
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import Outside, every_crash, lives
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio


def memory() -> MemoryStore:
    return MemoryStore(anyio.current_time)


def by_its_clock(store: MemoryStore) -> Setup:
    return setup_for(Run(), store=store, now=anyio.current_time)


async def test_a_key_that_was_done_ends_the_message() -> None:
    """The second of two equal keys is acknowledged and not processed."""
    feed, sink = Feed(["a", "b", "a"]), Sink()
    run = await run_routes(from_(feed, str).idempotent("seen", key=str).to(sink))
    assert sink.bodies == ["a", "b"]
    assert len(feed.acknowledged) == 3
    assert (run.counts["route-1"].done, run.counts["route-1"].ended) == (2, 1)


async def test_memory_is_by_name_and_outlives_the_run() -> None:
    """What a store knows under a name counts in the next run, and only under that name."""
    store, sink = memory(), Sink()
    for _ in range(2):
        await run_routes(from_(Feed(["a"]), str).idempotent("seen", key=str).to(sink), setup=by_its_clock(store))
    assert sink.bodies == ["a"]
    await run_routes(from_(Feed(["a"]), str).idempotent("other", key=str).to(sink), setup=by_its_clock(store))
    assert sink.bodies == ["a", "a"]


@pytest.mark.parametrize("key", [lambda row: row["id"], lambda row, message: message.id])
async def test_a_key_may_come_from_body_or_message(key: Any) -> None:
    """Functions of one or two parameters."""
    sink = Sink()
    feed = Feed([Message({"id": 1}, id="m1"), Message({"id": 1}, id="m1"), Message({"id": 2}, id="m2")])
    await run_routes(from_(feed, dict).idempotent("seen", key=key).to(sink))
    assert [row["id"] for row in sink.bodies] == [1, 2]


@pytest.mark.parametrize("empty", [None, ""])
async def test_an_empty_key_is_rejected(empty: Any) -> None:
    """Messages without a key would be twins of each other: they are dead letters that say what to do."""
    sink = Sink()
    run = await run_routes(from_(Feed([1, 2]), int).idempotent("seen", key=lambda n: empty).to(sink))
    assert sink.bodies == []
    assert [letter.error for letter in run.letters] == ["BodyError", "BodyError"]
    assert "filter such messages first" in run.letters[0].reason


async def test_failure_releases_the_key() -> None:
    """A message that failed may come again."""
    sink = Sink(fail={1: ValueError("x")})
    await run_routes(from_(Feed(["a", "a", "a"]), str).idempotent("seen", key=str).to(sink))
    assert len(sink.sends) == 2
    assert sink.bodies == ["a"]


async def test_a_retry_is_not_its_own_twin() -> None:
    """The policy's retry runs the route again, with the same key."""
    sink = Sink(fail={1: ValueError("x")})
    run = await run_routes(from_(Feed(["a"]), str, policy=Policy(retry=Retry(2))).idempotent("s", key=str).to(sink))
    assert sink.bodies == ["a"]
    assert run.counts["route-1"].done == 1


@pytest.mark.parametrize("first_fails", [False, True])
async def test_a_twin_in_flight_is_waited_for(first_fails: bool) -> None:
    """What becomes of the first decides: done means that the twin ends, failure that it is processed."""
    started: list[str] = []

    async def slow(body: str, message: Message[str]) -> str:
        started.append(message.id)
        await anyio.sleep(10)
        if first_fails and len(started) == 1:
            raise ValueError("first")
        return body

    feed, sink = Feed(["a", "a", "a"]), Sink()
    flow = from_(feed, str, policy=Policy(concurrency=3)).idempotent("seen", key=str).transform(slow).to(sink)
    before = anyio.current_time()
    run = await run_routes(flow)
    assert sink.bodies == ["a"]
    assert len(started) == (2 if first_fails else 1)
    assert anyio.current_time() - before == pytest.approx(20 if first_fails else 10)
    assert run.counts["route-1"].dead == first_fails
    assert len(feed.acknowledged) == 3


async def test_other_keys_do_not_wait() -> None:
    """A key at work holds up its twins alone."""
    done: list[str] = []

    async def slow(body: str) -> str:
        await anyio.sleep(10 if body == "a" else 1)
        done.append(body)
        return body

    flow = from_(Feed(["a", "a", "b"]), str, policy=Policy(concurrency=3)).idempotent("seen", key=str).transform(slow)
    await run_routes(flow)
    assert done == ["b", "a"]


async def test_a_claim_of_a_dead_process_runs_out() -> None:
    """A key that another process claimed and never finished is waited for, then processed, not skipped."""
    store, sink = memory(), Sink()
    start = anyio.current_time()
    assert await store.keys("seen").claim("a", owner="dead", lease=300) is Claim.MINE
    flow = from_(Feed(["a"]), str).idempotent("seen", key=str).to(sink)
    await run_routes(flow, setup=setup_for(Run(), store=store))
    assert sink.bodies == ["a"]
    assert 300 <= anyio.current_time() - start <= 306


async def test_a_claim_that_its_own_process_left_is_taken_over() -> None:
    """After a crash the next process has the same owner and need not wait for the lease."""
    store, sink, start = memory(), Sink(), anyio.current_time()
    source = Watched(["a"])
    flow = from_(source, str).idempotent("seen", key=str).transform(lambda body: anyio.sleep(1000))
    async with running(flow, setup=setup_for(Run(), store=store)) as service:
        await anyio.sleep(1)
        service.force()
    assert source.told == []
    await run_routes(from_(Feed(["a"]), str).idempotent("seen", key=str).to(sink), store=store)
    assert sink.bodies == ["a"]
    assert anyio.current_time() - start == pytest.approx(1)


async def test_a_key_is_done_only_when_all_that_follows_is() -> None:
    """The rest of the route decides, parts included."""
    store, sink = memory(), Sink(fail={2: ValueError("x")})
    flow = from_(Feed([["a", "b"]]), list).idempotent("seen", key=lambda ns: "k").split(lambda ns: ns).to(sink)
    await run_routes(flow, store=store)
    assert await store.keys("seen").claim("k", owner="me", lease=1) is Claim.MINE


async def test_it_works_within_parts() -> None:
    """Each part has its own key."""
    sink = Sink()
    flow = from_(Feed([[1, 2, 1, 3, 2]]), list).split(lambda ns: ns, parallel=3).idempotent("seen", key=lambda n: n)
    await run_routes(flow.to(sink))
    assert sorted(sink.bodies) == [1, 2, 3]


def test_it_owns_its_state() -> None:
    """Tools see the name."""
    step = Idempotent[str]("seen", str)
    assert (step.state(), step.label) == ("seen", "idempotent(seen)")


async def test_a_number_and_its_text_are_two_keys() -> None:
    """1 and "1" are not the same; (1, 2) is the same each time."""
    sink = Sink()
    keys: list[Any] = [1, "1", (1, 2), (1, 2), 1]
    await run_routes(from_(Feed(keys)).idempotent("seen", key=lambda key: key).to(sink))
    assert sink.bodies == [1, "1", (1, 2)]


async def test_a_key_that_never_comes_again_is_refused() -> None:
    """An object without a text of its own would let every twin pass; the message says what to give instead."""
    run = await run_routes(from_(Feed([1]), int).idempotent("seen", key=lambda n: object()))
    (letter,) = run.letters
    assert letter.error == "BodyError"
    assert "another one each time; give a text, a number, or a tuple" in letter.reason


async def test_keys_are_forgotten_in_the_end() -> None:
    """So that the memory does not grow for ever; a message that comes after that is processed again."""
    store, out = MemoryStore(anyio.current_time), Sink()
    source = Trickle(items=[(0, "a"), (3000, "a"), (7300, "b"), (7301, "a")])
    flow = from_(source, str).idempotent("seen", key=str, remember=7200).to(out)
    await run_routes(flow, setup=setup_for(Run(), store=store, now=anyio.current_time))
    assert out.bodies == ["a", "b", "a"]


@pytest.mark.parametrize("options", [{"lease": 0}, {"remember": -1}])
def test_wrong_options(options: Any) -> None:
    """They are refused where they are written, and so is an empty name."""
    with pytest.raises(DefinitionError, match="must be more than 0"):
        Flow[str]().idempotent("seen", key=str, **options)
    with pytest.raises(DefinitionError, match="the name of the state"):
        Flow[str]().idempotent("", key=str)


async def test_each_key_is_done_wherever_it_crashes() -> None:
    """Dead or failing at any operation: every key reaches the sink, twice only if it died between send and done."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, str).idempotent("seen", key=str).to(outside.sink)

    def sound(outside: Outside) -> None:
        kept = {letter.body for letter in outside.letters if letter.error == "StoreError"}
        assert set(outside.bodies) | kept == {"a", "b"}
        assert len(outside.bodies) <= 3
        assert not outside.waiting

    items = [Message("a", id="m1"), Message("b", id="m2"), Message("a", id="m3")]
    assert await every_crash(flow, lambda: Outside(items), sound, patience=100.0) > 20


schedules = some.lists(some.tuples(some.sampled_from([0.0, 0.4, 3.0]), some.sampled_from("ab")), max_size=12)


@settings(max_examples=100)
@given(schedules, some.lists(some.booleans(), max_size=4))
async def test_any_schedule_is_processed_as_by_a_plain_oracle(
    schedule: list[tuple[float, str]], outcomes: list[bool]
) -> None:
    """A key is worked on one message at a time until one succeeds; whoever waited for that, or comes later, ends."""
    tries: Counter[str] = Counter()
    at, items = 0.0, list[tuple[float, str]]()
    for pause, key in schedule:
        at += pause + 0.001
        items.append((at, key))

    async def busy(key: str) -> str:
        tries[key] += 1
        good = (*outcomes, *[True] * 20)[tries[key] - 1]
        await anyio.sleep(1)
        if not good:
            raise ValueError("bad luck")
        return key

    flow = from_(Trickle(items=items), str, policy=Policy(concurrency=20)).idempotent("seen", key=str).transform(busy)
    await run_routes(flow)
    assert tries == sum((Counter({key: expected(items, key, outcomes)}) for key in "ab"), Counter())


def expected(items: list[tuple[float, str]], key: str, outcomes: list[bool]) -> int:
    """How often a key is worked on."""
    waiting = [at for at, other in items if other == key]
    clock, worked = 0.0, 0
    while waiting:
        clock = max(clock, waiting.pop(0)) + 1
        worked += 1
        if worked > len(outcomes) or outcomes[worked - 1]:
            break
    return worked


REFUSE = Policy(dead_letter="refuse")


async def test_a_message_that_is_held_in_memory_is_not_done() -> None:
    """Its group is refused behind it: when it comes again it is no duplicate; once the group is done, it is."""
    store, sink = memory(), Sink(fail={1: Unavailable("away")})
    feed = Feed([1, 2])
    flow = from_(feed, int, policy=REFUSE).idempotent("seen", key=str).batch("pairs", int, size=2).to(sink)
    await run_routes(flow, setup=by_its_clock(store))
    assert (sink.bodies, len(feed.refused), feed.acknowledged) == ([], 2, [])
    await run_routes(flow, setup=by_its_clock(store))
    await run_routes(flow, setup=by_its_clock(store))
    assert sink.bodies == [[1, 2]]
    assert len(feed.acknowledged) == 4


@pytest.mark.parametrize("fails", [True, False])
async def test_a_twin_of_a_held_message_is_held_with_it(fails: bool) -> None:
    """It gives up its slot, so that the group can become complete, and what becomes of the first becomes of both."""
    sink = Sink(fail={1: Unavailable("away")} if fails else {})
    source = Watched(["a", Message("a", id="twin"), "b"])
    flow = from_(source, str, policy=REFUSE).idempotent("seen", key=str).batch("pairs", str, size=2).to(sink)
    async with running(flow):
        await anyio.sleep(1)
    assert sorted(source.told) == [("nack" if fails else "ack", name) for name in ("ma", "mb", "twin")]
    assert sink.bodies == ([] if fails else [["a", "b"]])


async def test_a_held_message_is_forgotten_by_a_stop() -> None:
    """It was not acknowledged, so it comes again, and is no duplicate of itself."""
    store, sink = memory(), Sink()
    feed = Feed([1])
    flow = from_(feed, int, policy=REFUSE).idempotent("seen", key=str).batch("pairs", int, size=2).to(sink)
    await run_routes(flow, setup=by_its_clock(store))
    assert (feed.acknowledged, feed.refused) == ([], [])
    more = from_(Feed([1, 2]), int).idempotent("seen", key=str).batch("pairs", int, size=2).to(sink)
    await run_routes(more, setup=by_its_clock(store))
    assert sink.bodies == [[1, 2]]


async def test_a_key_is_free_before_its_source_is_told() -> None:
    """A source that brings a refused message again at once finds the key free."""
    store, sink = memory(), Sink(fail={1: Unavailable("away"), 2: Unavailable("still")})
    world = Outside([1, 2, 3], store=store, again=0.0)

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=REFUSE).idempotent("seen", key=str).batch("all", int, size=3).to(sink)

    await lives(flow, world, patience=100)
    assert (sorted(sink.bodies[0]), len(sink.bodies), world.waiting) == ([1, 2, 3], 1, {})
