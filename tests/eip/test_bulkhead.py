"""bulkhead"""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import BulkheadFull, DefinitionError, Policy, TimedOut, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, Run, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


def coming(times: Sequence[float]) -> Any:
    async def come(n: int) -> int:
        await anyio.sleep(times[n])
        return n

    return come


def working(durations: Sequence[float]) -> Any:
    async def work(n: int) -> int:
        await anyio.sleep(durations[n % len(durations)])
        return n

    return lambda flow: flow.transform(work)


async def refusals(feed: Feed, times: Sequence[float], body: Any, **options: Any) -> dict[str, str]:
    """What messages 0, 1, ... that come at these times were refused with."""
    policy = Policy(concurrency=max(1, len(times)), dead_letter="refuse")
    flow = from_(feed, int, policy=policy).transform(coming(times))
    await run_routes(flow.bulkhead(body, **{"name": "crm", **options}))
    return {name: str(error) for name, error in feed.refused}


async def test_no_more_than_so_many_are_inside() -> None:
    """One more is refused at once; when one is out, the next comes in."""
    feed = Feed(range(4))
    refused = await refusals(feed, [0, 0, 1, 5.5], working([5]), concurrent=2)
    assert refused == {"feed-3": "bulkhead 'crm' is full, with 2 inside"}
    assert isinstance(feed.refused[0][1], BulkheadFull)


async def test_some_may_wait() -> None:
    """In the order of arrival; one more is refused at once."""
    feed = Feed(range(4))
    refused = await refusals(feed, [0, 1, 2, 3], working([10]), concurrent=1, waiting=2)
    assert refused == {"feed-4": "bulkhead 'crm' is full, with 1 inside and 2 waiting"}
    assert [name for name, _ in feed.acknowledged] == ["feed-1", "feed-2", "feed-3"]


async def test_they_wait_for_a_time() -> None:
    """Then they are refused, and the next in line comes in."""
    feed = Feed(range(3))
    refused = await refusals(feed, [0, 1, 6], working([10]), concurrent=1, waiting=2, wait=5)
    assert refused == {"feed-2": "bulkhead 'crm' is full, with 1 inside: none came out within 5 s"}
    assert [name for name, _ in feed.acknowledged] == ["feed-1", "feed-3"]


@settings(max_examples=80)
@given(
    times=st.lists(st.integers(0, 80).map(lambda number: number / 8), min_size=1, max_size=20),
    durations=st.lists(st.integers(1, 40).map(lambda number: number / 8), min_size=1, max_size=4),
    patience=st.lists(st.integers(1, 60).map(lambda number: number / 8), min_size=1, max_size=4),
    concurrent=st.integers(1, 4),
    waiting=st.integers(0, 3),
    wait=st.one_of(st.none(), st.integers(1, 40).map(lambda number: number / 8)),
)
async def test_it_is_never_over_its_limits_and_empty_in_the_end(
    times: list[float],
    durations: list[float],
    patience: list[float],
    concurrent: int,
    waiting: int,
    wait: float | None,
) -> None:
    """Whoever fails or is cancelled inside or in line; afterwards as many as may be find room."""
    inside, most, ended = set[int](), [0], list[int]()

    async def work(n: int) -> None:
        inside.add(n)
        most[0] = max(most[0], len(inside))
        try:
            await anyio.sleep(durations[n % len(durations)])
            if n % 3 == 0:
                raise ValueError(n)
        finally:
            inside.discard(n)

    async def late(n: int) -> int:
        await anyio.sleep(1000)
        return n

    def body(flow: Any) -> Any:
        return flow.bulkhead(
            lambda f: f.transform(work),
            name="crm",
            concurrent=concurrent,
            waiting=waiting,
            wait=wait if waiting else None,
        )

    policy = Policy(concurrency=len(times) + concurrent, dead_letter="refuse")
    first = from_(Feed(range(len(times))), int, policy=policy).transform(coming(times))
    # each message's own patience, by branches that have one
    for number, seconds in enumerate(patience):
        first = (
            first.choice()
            .when(
                lambda n, number=number: n is not None and n % len(patience) == number,
                lambda f, seconds=seconds: f.timeout(body, seconds=seconds).transform(lambda _: None),
            )
            .otherwise(lambda f: f)
        )
    after = from_(Feed([n * 3 + 1 for n in range(concurrent)]), int, policy=policy)
    run = await run_routes(
        first=first, after=after.transform(late).apply(body).transform(lambda _, m: ended.append(m.id))
    )
    assert most[0] <= concurrent
    assert not inside
    assert len(ended) == concurrent
    assert run.counts["first"].received == len(times)


async def test_what_follows_is_not_inside() -> None:
    """Only the branch counts."""
    feed = Feed(range(2))
    flow = from_(feed, int, policy=Policy(concurrency=2)).bulkhead(lambda f: f, name="crm", concurrent=1)
    run = await run_routes(flow.apply(working([10])))
    assert run.counts["route-1"].done == 2


async def test_bulkheads_of_one_name_are_one() -> None:
    """In all routes; those of another name are not."""
    feed = Feed([0])

    def route(name: str) -> Any:
        return from_(feed, int, policy=Policy(dead_letter="refuse")).bulkhead(working([9]), name=name, concurrent=1)

    await run_routes(route("crm"), route("crm"), route("erp"))
    assert [str(error) for _, error in feed.refused] == ["bulkhead 'crm' is full, with 1 inside"]


def test_a_name_has_one_size() -> None:
    """Another one is found by the check."""
    flow = from_("timer:x").bulkhead(lambda f: f, name="crm", concurrent=3)
    flow = flow.bulkhead(lambda f: f.stop(), name="crm", concurrent=4)
    (problem,) = check([flow.route("r")], Catalog())
    assert problem.message == "'crm' has other options elsewhere in this route"


async def test_a_deadline_ends_the_waiting() -> None:
    """The message that waits is given up, the one inside too; both places are free again."""
    policy = Policy(concurrency=2, deadline=5)
    flow = from_(Feed(range(2)), int, policy=policy).bulkhead(working([10]), name="crm", concurrent=1, waiting=5)
    later = from_(Feed([0]), int).transform(coming([6])).bulkhead(working([1]), name="crm", concurrent=1, waiting=5)
    run = await run_routes(flow, later)
    assert [letter.error for letter in run.letters] == ["Expired"] * 2
    assert run.counts["route-2"].done == 1


async def test_a_stop_leaves_those_that_wait_to_their_source() -> None:
    """After the drain time they are neither acknowledged nor refused."""
    source = Watched(range(3))
    flow = from_(source, int, policy=Policy(concurrency=3)).bulkhead(
        working([100]), name="crm", concurrent=1, waiting=5, wait=50
    )
    async with running(flow, setup=setup_for(Run(), drain=5)):
        await anyio.sleep(10)
    assert source.told == []


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """And frees its place."""
    flow = from_(Feed(range(3)), int).bulkhead(lambda f: f.filter(lambda n: n == 2), name="crm", concurrent=1)
    run = await run_routes(flow)
    assert (run.counts["route-1"].done, run.counts["route-1"].ended) == (1, 2)


async def test_a_timeout_inside_frees_the_place() -> None:
    """So that a system that hangs does not fill it for ever."""
    feed = Feed(range(2))
    body: Any = lambda f: f.timeout(working([10**6]), seconds=2)  # noqa: E731
    await refusals(feed, [0, 3], body, concurrent=1)
    assert [type(error) for _, error in feed.refused] == [TimedOut, TimedOut]


@pytest.mark.parametrize(
    "options", [{"concurrent": 0}, {"waiting": -1}, {"wait": 5}, {"waiting": 1, "wait": 0}, {"waiting": 1, "wait": -1}]
)
def test_limits_that_cannot_work(options: Any) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError):
        from_("timer:x").bulkhead(lambda f: f, name="crm", **options)


def test_its_branch_can_be_drawn() -> None:
    """With name and size in its label."""
    (step,) = from_("timer:x").bulkhead(lambda f: f.stop(), name="crm").chain.steps
    assert step.label == "bulkhead(crm, 25 at once)"
    assert [name for name, _ in step.branches()] == ["bulkhead"]
