"""failover"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, PartsFailed, Policy, Rejected, Retry, Unavailable, from_
from routekit.events import Retrying
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def itself(flow: Flow[Any]) -> Flow[Any]:
    return flow


class Site:
    """A branch that answers with its name, and fails while `error` is set; keeps the times at which it was tried."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.tried: list[float] = []

    def __call__(self, flow: Flow[Any]) -> Flow[Any]:
        return flow.transform(self.work)

    async def work(self, body: Any) -> Any:
        self.tried.append(anyio.current_time())
        await anyio.sleep(1)
        if self.error is not None:
            raise self.error
        return f"{self.name}: {body}"


async def test_the_next_branch_gets_what_one_failed_at() -> None:
    """What the first that succeeds gives goes on; the others are not tried, and each failure is told."""
    sink = Sink()
    sites = [Site("a", ValueError("a")), Site("b", OSError("b")), Site("c"), Site("d")]
    run = await run_routes(from_(Feed([Message(1, id="m")])).failover(*sites).to(sink))
    assert [(message.body, message.id) for message in sink.messages] == [("c: 1", "m")]
    assert [len(site.tried) for site in sites] == [1, 1, 1, 0]
    assert [(event.message_id, event.attempt, str(event.error)) for event in run.of(Retrying)] == [
        ("m", 1, "a"),
        ("m", 2, "b"),
    ]


async def test_when_all_fail_the_last_failure_is_raised() -> None:
    """Each branch was tried once; the cause names all of them."""
    feed = Feed([1])
    sites = [Site("a", ValueError("a")), Site("b", OSError("b"))]
    await run_routes(from_(feed, policy=REFUSE).failover(*sites))
    ((_, error),) = feed.refused
    assert [len(site.tried) for site in sites] == [1, 1]
    assert isinstance(error, OSError)
    group = error.__cause__
    assert isinstance(group, PartsFailed)
    assert [name for name, _ in group.failures] == ["branch-1", "branch-2"]
    assert str(group).startswith("2 of 2 branches failed: branch-1: ValueError: a; ")


@pytest.mark.parametrize(
    ("options", "error"),
    [({}, Rejected("never")), ({"on": OSError}, ValueError("other")), ({"on": (OSError, KeyError)}, ValueError("x"))],
)
async def test_other_errors_are_raised_at_once(options: Any, error: Exception) -> None:
    """Above all what is rejected: no branch could do it."""
    feed, other = Feed([1]), Site("b")
    await run_routes(from_(feed, policy=REFUSE).failover(Site("a", error), other, **options))
    assert [raised for _, raised in feed.refused] == [error]
    assert error.__cause__ is None
    assert other.tried == []


async def test_an_error_that_is_raised_later_names_those_before() -> None:
    """Nothing that failed is forgotten."""
    feed = Feed([1])
    sites = [Site("a", OSError("a")), Site("b", Rejected("b")), Site("c")]
    await run_routes(from_(feed, policy=REFUSE).failover(*sites))
    ((_, error),) = feed.refused
    assert isinstance(error, Rejected)
    assert isinstance(error.__cause__, PartsFailed)
    assert str(error.__cause__).startswith("2 of 3 branches failed: branch-1: OSError: a; ")


async def test_never_may_be_changed() -> None:
    """`never=()`: whatever is in `on` leads to the next branch."""
    sink = Sink()
    await run_routes(from_(Feed([1])).failover(Site("a", Rejected("no")), Site("b"), never=()).to(sink))
    assert sink.bodies == ["b: 1"]


async def test_what_follows_is_not_part_of_it() -> None:
    """A failure after the branch leads to no other branch."""
    sites = [Site("a"), Site("b")]
    run = await run_routes(from_(Feed([1])).failover(*sites).transform(lambda body: 1 // 0))
    assert [letter.error for letter in run.letters] == ["ZeroDivisionError"]
    assert sites[1].tried == []


async def test_each_branch_gets_the_message_as_it_came() -> None:
    """Whatever the one before it has changed."""
    sink = Sink()

    def spoil(body: dict[str, int]) -> None:
        body["n"] = 99
        raise ValueError("spoilt")

    branches: Any = [lambda f: f.set_header("x", 1).transform(spoil), itself]
    await run_routes(from_(Feed([{"n": 1}]), dict).failover(*branches).to(sink))
    assert (sink.bodies, dict(sink.messages[0].headers)) == ([{"n": 1}], {})


async def test_a_branch_that_ends_the_message_has_succeeded() -> None:
    """It ends here; the next is not tried."""
    sink, other = Sink(), Site("b")
    run = await run_routes(from_(Feed([1])).failover(lambda f: f.stop(), other).to(sink))
    assert (sink.bodies, other.tried, run.counts["route-1"].ended) == ([], [], 1)


@pytest.mark.parametrize(
    ("start", "tried"),
    [("first", [4, 4, 0]), ("last_good", [1, 4, 0]), ("next", [2, 3, 1])],
)
async def test_where_to_start(start: Any, tried: list[int]) -> None:
    """With the first, with the one that was good last, or with the next for each message; then in their order."""
    sites = [Site("a", OSError("away")), Site("b"), Site("c")]
    await run_routes(from_(Feed(range(4))).failover(*sites, start=start))
    assert [len(site.tried) for site in sites] == tried


async def test_a_branch_that_failed_is_left_alone_for_a_while() -> None:
    """For `rest` seconds the others are tried first; then it has its place again."""
    start = anyio.current_time()
    sites = [Site("a", OSError("away")), Site("b")]
    await run_routes(from_(Feed(range(9))).failover(*sites, rest=4))
    assert [time - start for time in sites[0].tried] == pytest.approx([0, 5, 10])
    assert len(sites[1].tried) == 9


async def test_who_rests_is_still_better_than_nobody() -> None:
    """It is tried when all others have failed; a success ends its rest."""
    sink = Sink()
    sites = [Site("a", OSError("away")), Site("b")]

    def turn(n: int) -> int:
        if n == 1:
            sites[0].error, sites[1].error = None, OSError("away too")
        return n

    await run_routes(from_(Feed(range(3))).transform(turn).failover(*sites, rest=60).to(sink))
    assert sink.bodies == ["b: 0", "a: 1", "a: 2"]
    assert [len(site.tried) for site in sites] == [3, 2]


async def test_what_is_wrong_with_a_message_is_no_reason_to_rest() -> None:
    """Only errors that lead to the next branch are."""
    sites = [Site("a", Rejected("bad")), Site("b")]
    await run_routes(from_(Feed(range(3))).failover(*sites, rest=60))
    assert [len(site.tried) for site in sites] == [3, 0]


async def test_a_step_like_any_other_may_retry_before() -> None:
    """A branch with its own retries is tried once, with them."""
    sink, other = Sink(fail={1: Unavailable("x")}), Site("b")
    branches: Any = [lambda f: f.to(sink, retry=Retry(1)), other]
    await run_routes(from_(Feed([1])).failover(*branches))
    assert (sink.bodies, other.tried) == ([1], [])


def test_wrong_options_are_refused_when_written() -> None:
    """Branches, words, numbers."""
    flow: Any = from_("timer:x")
    for options in ({"start": "frist"}, {"rest": -1}):
        with pytest.raises(DefinitionError):
            flow.failover(itself, itself, **options)
    with pytest.raises(DefinitionError, match="give two at least"):
        flow.failover(itself)


def test_it_can_be_drawn() -> None:
    """Each branch under its number."""
    flow: Flow[Any] = from_("timer:x")
    (step,) = flow.failover(itself, itself).chain.steps
    assert step.label == "failover()"
    assert [name for name, _ in step.branches()] == ["branch-1", "branch-2"]
    (step,) = flow.failover(itself, itself, start="next", rest=5).chain.steps
    assert step.label == "failover(start=next, rest=5)"


def oracle(states: list[list[bool]], start: str, rest: float) -> list[tuple[list[int], int | None]]:
    """For each message, a second apart: the branches tried, and the one that did it."""
    size, first, until = len(states[0]), 0, [0.0] * len(states[0])
    result: list[tuple[list[int], int | None]] = []
    for now, up in enumerate(states):
        order = [(first + n) % size for n in range(size)]
        order = [b for b in order if until[b] <= now] + [b for b in order if until[b] > now]
        if start == "next":
            first = (first + 1) % size
        tried: list[int] = []
        good: int | None = None
        for branch in order:
            tried.append(branch)
            if up[branch]:
                good, until[branch] = branch, 0.0
                first = branch if start == "last_good" else first
                break
            until[branch] = now + rest if rest else 0.0
        result.append((tried, good))
    return result


@settings(max_examples=60)
@given(
    states=st.integers(2, 4).flatmap(
        lambda size: st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=1, max_size=8)
    ),
    start=st.sampled_from(["first", "last_good", "next"]),
    rest=st.sampled_from([0, 1.5, 2.5, 100]),
)
async def test_branches_are_tried_in_the_order_of_a_plain_program(
    states: list[list[bool]], start: Any, rest: float
) -> None:
    """Whichever are up or down, wherever it starts, and whoever rests."""
    tried: dict[int, list[int]] = {}
    done: dict[int, int] = {}

    def branch(number: int) -> Any:
        def work(n: int) -> int:
            tried.setdefault(n, []).append(number)
            if not states[n][number]:
                raise OSError(f"{number} is down")
            done[n] = number
            return n

        return lambda flow: flow.transform(work)

    async def tick(n: int) -> int:
        await anyio.sleep(n - (anyio.current_time() - started))
        return n

    flow = from_(Feed(range(len(states)))).transform(tick)
    started = anyio.current_time()
    run = await run_routes(flow.failover(*(branch(n) for n in range(len(states[0]))), start=start, rest=rest))
    expected = oracle(states, start, rest)
    assert [(tried[n], done.get(n)) for n in range(len(states))] == expected
    assert len(run.letters) == sum(good is None for _, good in expected)
