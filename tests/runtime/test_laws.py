"""The laws, held for random routes, feeds, failures and stops."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Flow, Message, Policy, Rejected, Retry, Unavailable, from_
from routekit.events import RouteStopped
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio

Word = Callable[[Flow[Any]], Flow[Any]]


@dataclass
class Trouble:
    """Fails at some of its calls, by a plan."""

    plan: list[Exception | None]
    calls: int = 0

    def __call__(self, body: Any) -> Any:
        error = self.plan[self.calls % len(self.plan)]
        self.calls += 1
        if error is not None:
            raise type(error)(*error.args)
        return body

    async def later(self, body: Any) -> Any:
        await anyio.sleep(0.5 + body % 3)
        return self(body)


def troubles() -> st.SearchStrategy[Trouble]:
    errors = st.sampled_from([None, None, None, ValueError("bad"), Unavailable("away"), Rejected("never")])
    return st.builds(Trouble, st.lists(errors, min_size=1, max_size=6))


def words() -> st.SearchStrategy[Word]:
    """A random step, most of which may fail or end the message."""
    trouble = troubles()
    return st.one_of(
        trouble.map(lambda t: lambda flow: flow.transform(t)),
        trouble.map(lambda t: lambda flow: flow.transform(t.later)),
        st.integers(2, 5).map(lambda by: lambda flow: flow.filter(lambda n: n % by)),
        trouble.map(lambda t: lambda flow: flow.tap(lambda f: f.transform(t))),
        trouble.map(lambda t: lambda flow: flow.attempt(lambda f: f.transform(t), rescue={ValueError: lambda f: f})),
        trouble.map(
            lambda t: lambda flow: flow.choice().when(lambda n: n % 2, lambda f: f.transform(t)).otherwise(lambda f: f)
        ),
        st.tuples(trouble, st.integers(1, 3)).map(
            lambda it: (
                lambda flow: flow.gather(
                    lambda n: [n] * (n % 4), lambda f: f.transform(it[0].later), parallel=it[1]
                ).transform(len)
            )
        ),
        st.just(lambda flow: flow.idempotent("seen", key=lambda n: n)),
    )


def policies() -> st.SearchStrategy[Policy]:
    return st.builds(
        Policy,
        concurrency=st.integers(1, 8),
        order_by=st.sampled_from([None, lambda n: n % 3]),
        retry=st.sampled_from([(), Retry(1), Retry(3, on=Unavailable, first=2)]),
        dead_letter=st.sampled_from(["store", "refuse"]),
        deadline=st.sampled_from([None, 2.0, 30.0]),
    )


@settings(max_examples=120)
@given(numbers=st.lists(st.integers(0, 20), max_size=15), steps=st.lists(words(), max_size=4), policy=policies())
async def test_every_message_has_exactly_one_outcome(numbers: list[int], steps: list[Word], policy: Policy) -> None:
    """Each ends as one of done, ended, dead or refused, and its source is told once: refused, or else acknowledged."""
    feed = Feed(numbers)
    flow: Flow[Any] = from_(feed, int, policy=policy)
    for word in steps:
        flow = word(flow)
    run = await run_routes(flow.to(Sink()))
    counts = run.counts["route-1"]
    assert counts.received == len(numbers)
    assert counts.done + counts.ended + counts.dead + counts.refused == len(numbers)
    assert counts.in_flight == 0
    told = [name for name, _ in feed.acknowledged] + [name for name, _ in feed.refused]
    assert sorted(told) == sorted(f"feed-{n}" for n in range(1, len(numbers) + 1))
    assert len(feed.refused) == counts.refused
    assert len(run.letters) == counts.dead


@settings(max_examples=60)
@given(
    count=st.integers(1, 25),
    slots=st.integers(1, 8),
    naps=st.lists(st.floats(0, 4), min_size=1, max_size=6),
    stop_at=st.floats(0, 30),
    drain=st.sampled_from([0.0, 0.7, 3.0, 1000.0]),
    ordered=st.booleans(),
)
async def test_a_stop_at_any_time_loses_and_doubles_nothing(
    count: int, slots: int, naps: list[float], stop_at: float, drain: float, ordered: bool
) -> None:
    """Whenever the stop comes: acknowledged is what finished, each once, and the rest is counted as unfinished."""
    source, finished, run = Watched(range(count)), [], Run()

    async def work(n: int) -> int:
        await anyio.sleep(naps[n % len(naps)])
        finished.append(f"m{n}")
        return n

    policy = Policy(concurrency=slots, order_by=(lambda n: n % 2) if ordered else None)
    async with running(from_(source, int, policy=policy).transform(work), setup=setup_for(run, drain=drain)):
        await anyio.sleep(stop_at)
    acknowledged = [name for word, name in source.told if word == "ack"]
    assert len(acknowledged) == len(source.told)
    assert not [name for name, times in Counter(acknowledged).items() if times > 1]
    assert set(acknowledged) <= set(finished)
    stopped = run.of(RouteStopped)
    assert len(stopped) == 1 or (stop_at < 0.001 and not stopped)  # a route that never began has nothing to tell
    unfinished = sum(one.unfinished for one in stopped)
    assert len(acknowledged) + unfinished == source.state["asked"]
    if drain == 1000:
        assert sorted(acknowledged) == sorted(finished)
        assert unfinished == 0


@settings(max_examples=60)
@given(
    count=st.integers(0, 30),
    keys=st.integers(1, 4),
    slots=st.integers(2, 8),
    naps=st.lists(st.floats(0, 3), min_size=1, max_size=7),
    fail=st.integers(2, 9),
)
async def test_order_is_kept_for_each_key(count: int, keys: int, slots: int, naps: list[float], fail: int) -> None:
    """Whatever messages take, and though some fail: equal keys start and end in the order of their arrival."""
    started: list[int] = []
    ended: list[int] = []
    most = [0]

    async def work(n: int) -> None:
        started.append(n)
        most[0] = max(most[0], len(started) - len(ended))
        await anyio.sleep(naps[n % len(naps)])
        ended.append(n)
        if n % fail == 0:
            raise ValueError(n)

    policy = Policy(concurrency=slots, order_by=lambda n: n % keys)
    await run_routes(from_(Feed(range(count)), int, policy=policy).transform(work))
    for key in range(keys):
        expected = [n for n in range(count) if n % keys == key]
        assert [n for n in started if n % keys == key] == expected
        assert [n for n in ended if n % keys == key] == expected
    assert most[0] <= min(slots, keys)


@settings(max_examples=40)
@given(
    numbers=st.lists(st.integers(0, 9), max_size=12),
    trouble=troubles(),
    size=st.integers(1, 4),
    slots=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
async def test_what_passes_through_queues_and_calls_is_accounted_for(
    numbers: list[int], trouble: Trouble, size: int, slots: tuple[int, int]
) -> None:
    """Every message sent to a queue is received from it; every call has its caller; letters keep the rest."""
    sink = Sink()
    run = await run_routes(
        outer=from_(Feed(numbers), int, policy=Policy(concurrency=slots[0])).to(f"queue:q?size={size}"),
        middle=from_("queue:q", int, policy=Policy(concurrency=slots[1])).to("direct:d").to(sink),
        inner=from_("direct:d", int).transform(trouble.later),
    )
    outer, middle, inner = (run.counts[name] for name in ("outer", "middle", "inner"))
    assert outer.done == middle.received == inner.received == len(numbers)
    assert (inner.done, inner.refused) == (middle.done, middle.dead)
    assert Counter(sink.bodies) + Counter(letter.body for letter in run.letters) == Counter(numbers)


async def test_ids_survive_redelivery() -> None:
    """A message that comes again has the same id, and its parts have theirs."""
    seen: list[str] = []
    message = Message([1, 2], id="m")
    for _ in range(2):
        flow = from_(Feed([message]), list).split(lambda ns: ns)
        await run_routes(flow.transform(lambda n, part: seen.append(part.id)))
    assert seen == ["m/0", "m/1", "m/0", "m/1"]
