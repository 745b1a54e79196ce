"""The aggregator: what Camel's users rely on, and the losses that cannot happen here."""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Flow, Message, Policy, Retry, Unavailable, from_
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, Outside, every_crash
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio


def tens(number: int) -> int:
    return number // 10


def durable() -> MemoryStore:
    return DurableStore(anyio.current_time)


@dataclass(frozen=True)
class Line:
    order: str
    price: float


async def test_messages_of_a_key_go_on_together() -> None:
    """As Camel; departure: the group is the list of its bodies, and no strategy is called for each pair."""
    out = Sink()
    await run_routes(from_(Feed([1, 11, 2, 12]), int).aggregate("t", int, key=tens, size=2).to(out))
    assert out.bodies == [[1, 2], [11, 12]]


@pytest.mark.parametrize(
    ("options", "bodies"),
    [
        ({"size": 2}, [[1, 2], [3, 4]]),
        ({"size": lambda n: 3 if n == 3 else 9}, [[1, 2, 3]]),
        ({"when": lambda ns: sum(ns) >= 6}, [[1, 2, 3]]),
        ({"last": lambda n: n == 3}, [[1, 2, 3]]),
        ({"before": lambda ns, n: n == 3}, [[1, 2]]),
        ({"flush": lambda n: n == 4}, [[1, 2, 3]]),
        ({"size": 9, "timeout": 5}, [[1, 2, 3, 4]]),
        ({"every": 3600}, [[1, 2, 3, 4]]),
        ({"size": 2, "when": lambda ns: sum(ns) >= 7}, [[1, 2], [3, 4]]),
    ],
)
async def test_a_group_is_complete_by_the_first_condition_that_holds(options: Any, bodies: Any) -> None:
    """As completionSize, ...Predicate, eagerCheckCompletion, pre-completion, the signal, ...Timeout and ...Interval."""
    out = Sink()
    await run_routes(from_(Feed([1, 2, 3, 4]), int).aggregate("t", int, key=lambda n: 0, **options).to(out))
    assert out.bodies == bodies


async def test_a_new_key_may_close_the_group_before_it() -> None:
    """As `completionOnNewCorrelationGroup`."""
    out = Sink()
    await run_routes(from_(Feed([1, 2, 11, 21]), int).aggregate("t", int, key=tens, one_key=True).to(out))
    assert out.bodies == [[1, 2], [11]]


def test_a_group_that_would_never_be_complete_is_a_mistake() -> None:
    """As Camel at the start; departure: when it is written."""
    with pytest.raises(DefinitionError, match="no group would ever be complete"):
        from_("timer:t", int).aggregate("t", int, key=tens)


async def test_timeout_and_interval_may_be_given_together() -> None:
    """Departure: they exclude each other in Camel."""
    out = Sink()
    source = Trickle(items=[(0, 1), (1, 2), (100, 3), (101, 4)])
    flow = from_(source, int).aggregate("t", int, key=lambda n: 0, timeout=5, every=3600)
    await run_routes(flow.to(out))
    assert out.bodies == [[1, 2], [3, 4]]


async def test_a_timeout_is_exact() -> None:
    """Departure: Camel looks once a second."""
    at: list[float] = []
    begin = anyio.current_time()
    flow = from_(Trickle(items=[(0, 1), (0.3, 2)]), int).aggregate("t", int, key=lambda n: 0, timeout=0.25)
    await run_routes(flow.transform(lambda ns: at.append(anyio.current_time() - begin)))
    assert at == [pytest.approx(0.25), pytest.approx(0.55)]


async def test_a_group_says_why_it_is_complete() -> None:
    """As `CamelAggregatedSize`, ...CompletedBy and ...CorrelationKey; headers that all messages share are kept."""
    out = Sink()
    feed = Feed([Message(1, {"a": 1, "b": 1}), Message(2, {"a": 1, "b": 2})])
    await run_routes(from_(feed, int).aggregate("t", int, key=tens, size=2).to(out))
    headers = dict(out.messages[0].headers)
    assert (headers["a"], headers["group.size"], headers["group.by"]) == (1, 2, "size")
    assert "b" not in headers


async def test_in_memory_a_message_is_acknowledged_with_its_group() -> None:
    """Departure: Camel acknowledges when a message is merged, so a crash loses the group."""
    source, out = Watched([1, 2, 3]), Sink()
    async with running(from_(source, int).aggregate("t", int, key=tens, size=2).to(out)):
        await anyio.sleep(1)
        assert source.told == [("ack", "m1"), ("ack", "m2")]
    assert source.told == [("ack", "m1"), ("ack", "m2")], "what is open at the stop comes again"


async def test_a_stored_group_outlives_the_process_and_so_does_its_timeout() -> None:
    """As a persistent repository, whose timeouts are rebuilt at the start; here it is the store of all patterns."""
    store, out, source = durable(), Sink(), Watched([1])
    flow = from_(source, int).aggregate("t", int, key=tens, timeout=100).to(out)
    async with running(r=flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(30)
        assert source.told == [("ack", "m1")], "it is kept"
    async with running(r=flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(60)
        assert out.bodies == []
        await anyio.sleep(20)
        assert out.bodies == [[1]]


@pytest.mark.parametrize("options", [{"size": 2, "timeout": 3}, {"timeout": 3}])
async def test_no_message_is_lost_wherever_the_process_dies(options: Any) -> None:
    """Departure: in Camel what is in memory is lost, and the recovery of some repositories has not worked for years."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).aggregate("t", int, key=lambda n: 0, **options).to(outside.sink)

    def check(outside: Outside) -> None:
        letters = {letter.body for letter in outside.letters}  # of those that the store would not take
        assert {n for body in outside.bodies for n in body} | letters == {1, 2, 3, 4}
        assert not outside.waiting

    await every_crash(flow, lambda: Outside([1, 2, 3, 4]), check)


async def test_a_stop_and_the_end_of_a_group_do_not_race() -> None:
    """Departure: completeAllOnStop and an interval have raced; at every moment of a stop each message is told once."""
    for tenths in range(40):
        source, out = Watched([1, 2, 3]), Sink()
        flow = from_(source, int).aggregate("t", int, key=lambda n: 0, every=2, at_stop="release").to(out)
        async with running(flow):
            await anyio.sleep(tenths / 10)
        told = [name for kind, name in source.told if kind == "ack"]
        assert sorted(n for body in out.bodies for n in body) == sorted(int(name[1:]) for name in told)
        assert len(set(told)) == len(told)


async def test_open_groups_may_go_on_at_a_stop() -> None:
    """As `forceCompletionOnStop`."""
    out = Sink()
    flow = from_(Feed([1, 11]), int).aggregate("t", int, key=tens, size=9, at_stop="release")
    await run_routes(flow.to(out))
    assert out.bodies == [[1], [11]]


@pytest.mark.parametrize("key", [None, ""])
async def test_a_message_without_a_key_is_refused_or_dropped_by_choice(key: Any) -> None:
    """As CamelExchangeException, and `ignoreInvalidCorrelationKeys`."""
    run = await run_routes(from_(Feed([1]), int).aggregate("t", int, key=lambda n: key, size=1))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    run = await run_routes(from_(Feed([1]), int).aggregate("t", int, key=lambda n: key, size=1, no_key="drop"))
    assert (run.letters, run.counts["route-1"].ended) == ([], 1)


async def test_a_late_message_is_refused_if_closed_groups_are_remembered() -> None:
    """As `closeCorrelationKeyOnCompletion`; departure: remembered for a time and not for ever, over restarts too."""
    store, out = durable(), Sink()
    for bodies in ([1, 2], [3]):
        feed = Feed([Message(n, id=f"m{n}") for n in bodies])
        flow = from_(feed, int).aggregate("t", int, key=tens, size=2, late="refuse").to(out)
        run = await run_routes(r=flow, store=store)
    assert out.bodies == [[1, 2]]
    assert [letter.error for letter in run.letters] == ["LateMessage"]


async def test_a_message_that_comes_again_is_counted_once() -> None:
    """Departure: a redelivered message is merged twice, since it was acknowledged separately from its group."""
    out = Sink()
    same = Message(1, id="m1")
    flow = from_(Feed([same, same, Message(2, id="m2"), same]), int).aggregate("t", int, key=tens, size=2)
    await run_routes(flow.to(out), store=durable())
    assert out.bodies == [[1, 2]]


async def test_a_failing_group_is_retried_and_given_up_as_a_group() -> None:
    """Departure: redelivery does not span input and output, and `discardOnAggregationFailure` drops the group."""
    out = Sink(fail={1: Unavailable("away")})
    flow = from_(Feed([1, 2]), int, policy=Policy(retry=Retry(1))).aggregate("t", int, key=tens, size=2)
    await run_routes(flow.to(out))
    assert out.bodies == [[1, 2]]
    broken = Sink(fail={n: ValueError("no") for n in range(9)})
    run = await run_routes(from_(Feed([1, 2]), int).aggregate("t", int, key=tens, size=2).to(broken))
    assert [letter.body for letter in run.letters] == [[1, 2]]


async def test_messages_of_other_keys_do_not_wait() -> None:
    """Departure: one lock for the whole aggregator makes merging single-threaded; here only one key's wait."""
    begin, out = anyio.current_time(), Sink()

    async def key(n: int) -> int:
        await anyio.sleep(10)
        return n % 4

    flow = from_(Feed(range(8)), int, policy=Policy(concurrency=8)).aggregate("t", int, key=key, size=2)
    await run_routes(flow.to(out))
    assert anyio.current_time() - begin == pytest.approx(10)
    assert len(out.bodies) == 4


async def test_the_number_of_open_groups_is_bounded() -> None:
    """Departure: keys that never come to an end fill the memory; here the oldest group goes on early."""
    out = Sink()
    await run_routes(from_(Feed([1, 11, 21]), int).aggregate("t", int, key=tens, size=9, most=2).to(out))
    assert out.bodies == [[1]]


async def test_bodies_are_stored_as_data_and_not_as_objects() -> None:
    """Departure: Java serialisation, with security fixes ever since; here JSON, checked into its type again."""
    store, out = durable(), Sink()
    for line in (Line("a", 1.5), Line("a", 2)):
        feed = Feed([Message(line, id=str(line.price))])
        await run_routes(
            r=from_(feed, Line).aggregate("t", Line, key=lambda one: one.order, size=2).to(out), store=store
        )
    assert out.bodies == [[Line("a", 1.5), Line("a", 2)]]


async def test_parts_of_a_message_can_be_aggregated_in_one_slot() -> None:
    """Departure: nested split and aggregate have dead-locked pools; here the parent waits without holding anything."""
    out, feed = Sink(), Feed([[1, 2], [3, 4]])
    flow = from_(feed, list).split(lambda ns: ns).aggregate("t", int, key=lambda n: 0, size=2)
    await run_routes(flow.to(out))
    assert (out.bodies, len(feed.acknowledged)) == ([[1, 2], [3, 4]], 2)


async def test_batches_are_of_a_size_or_of_a_time() -> None:
    """An aggregator of all messages, as consumers with `completionFromBatchConsumer` have it."""
    out = Sink()
    source = Trickle(items=[(0, 1), (1, 2), (2, 3), (50, 4)])
    await run_routes(from_(source, int).batch("t", int, size=3, wait=10, at_stop="release").to(out))
    assert out.bodies == [[1, 2, 3], [4]]


async def test_a_burst_becomes_its_last_message() -> None:
    """Camel's use-latest strategy with a timeout, as a word."""
    out = Sink()
    source = Trickle(items=[(0, 1), (1, 2), (2, 3), (50, 4)])
    await run_routes(from_(source, int).debounce("t", int, quiet=5).to(out))
    assert out.bodies == [3, 4]
