"""multicast"""

from collections import Counter
from copy import deepcopy
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, PartsFailed, Policy, Retry, TimedOut, dead_letters, from_
from routekit.replay import replay
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, setup_for

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def itself(flow: Flow[Any]) -> Flow[Any]:
    return flow


def sleeping(seconds: float, done: list[float]) -> Any:
    async def work(body: Any) -> None:
        await anyio.sleep(seconds)
        done.append(seconds)

    return lambda flow: flow.transform(work)


def raising(error: Exception, after: float = 0.0) -> Any:
    async def work(body: Any) -> None:
        await anyio.sleep(after)
        raise error

    return lambda flow: flow.transform(work)


async def test_the_message_goes_on_when_all_branches_have_ended() -> None:
    """One branch after the other, in their order, and then the message itself, whatever the branches gave."""
    order: list[str] = []

    def noting(name: str) -> Any:
        async def note(body: Any) -> str:
            await anyio.sleep(1)
            order.append(name)
            return name

        return lambda flow: flow.transform(note)

    feed, sink = Feed([Message(1, {"h": 2}, "m")]), Sink()
    await run_routes(from_(feed, int).multicast(noting("a"), noting("b")).transform(lambda n: n + 1).to(sink))
    assert order == ["a", "b"]
    assert [(message.body, message.id, dict(message.headers)) for message in sink.messages] == [(2, "m", {"h": 2})]
    assert len(feed.acknowledged) == 1


async def test_copies_have_ids_of_their_own() -> None:
    """`parent/branch-1`, so that they do not collapse in a store, nor with the parts of the message."""
    out, seen = Sink(), Sink()
    flow = from_(Feed([Message([5, 6], id="m")]), list).multicast(lambda f: f.to(out), lambda f: f.to(out))
    every = from_(Feed(out.messages)).idempotent("seen", key=lambda body, message: message.id).to(seen)
    await run_routes(flow.split(lambda body: body).to(out))
    assert [message.id for message in out.messages] == ["m/branch-1", "m/branch-2", "m/0", "m/1"]
    await run_routes(every)
    assert len(seen.messages) == 4


async def test_a_branch_that_ends_early_does_not_end_the_message() -> None:
    """A filter in one is no filter of the route, nor of another branch."""
    sink, other = Sink(), Sink()
    flow = from_(Feed([1]), int).multicast(lambda f: f.filter(lambda n: False), lambda f: f.to(other)).to(sink)
    await run_routes(flow)
    assert (sink.bodies, other.bodies) == ([1], [1])


@pytest.mark.parametrize(("parallel", "expected"), [(1, 6.0), (2, 4.0), (3, 3.0), (9, 3.0)])
async def test_at_most_parallel_branches_are_at_work(parallel: int, expected: float) -> None:
    """One after the other by default, and never more than there are."""
    now, most = [0], [0]

    def counting(seconds: float) -> Any:
        async def work(body: Any) -> None:
            now[0] += 1
            most[0] = max(most[0], now[0])
            await anyio.sleep(seconds)
            now[0] -= 1

        return lambda flow: flow.transform(work)

    started = anyio.current_time()
    flow = from_(Feed([1])).multicast(counting(1), counting(2), counting(3), parallel=parallel)
    await run_routes(flow)
    assert most == [min(parallel, 3)]
    assert anyio.current_time() - started == pytest.approx(expected)


@pytest.mark.parametrize("parallel", [1, 3])
async def test_a_failing_branch_fails_the_message_after_all_branches_ran(parallel: int) -> None:
    """The first failure is raised itself, with a group as its cause that names every failed branch."""
    feed, done, sink = Feed([1]), [], Sink()
    flow = from_(feed, int, policy=REFUSE).multicast(
        raising(ValueError("one")), sleeping(1, done), raising(KeyError("three")), parallel=parallel
    )
    await run_routes(flow.to(sink))
    ((_, error),) = feed.refused
    assert (done, sink.bodies) == ([1], [])
    assert isinstance(error, ValueError)
    group = error.__cause__
    assert isinstance(group, PartsFailed)
    assert [name for name, _ in group.failures] == ["branch-1", "branch-3"]
    assert any("2 of 3 branches failed: branch-1: ValueError: one; branch-3" in note for note in error.__notes__)


async def test_the_cause_of_a_failure_is_kept() -> None:
    """What a branch raised `from` something else still leads there."""

    def work(body: Any) -> None:
        raise ValueError("the failure") from OSError("the reason")

    feed = Feed([1])
    await run_routes(from_(feed, policy=REFUSE).multicast(lambda f: f.transform(work), itself))
    ((_, error),) = feed.refused
    assert isinstance(error.__cause__, PartsFailed)
    assert isinstance(error.__cause__.__cause__, OSError)


async def test_fail_fast_ends_with_the_first_failure() -> None:
    """Branches at work are cancelled, others do not begin, and the error is raised itself."""
    feed, done = Feed([1]), []
    flow = from_(feed, policy=REFUSE).multicast(
        sleeping(10, done), raising(ValueError("now"), after=1), sleeping(0, done), parallel=2, on_error="fail_fast"
    )
    started = anyio.current_time()
    await run_routes(flow)
    assert [type(error) for _, error in feed.refused] == [ValueError]
    assert done == []
    assert anyio.current_time() - started == pytest.approx(1)


async def test_the_copy_of_a_failed_branch_may_become_a_dead_letter() -> None:
    """With its own id and the body as it came; the other branches and the message go on."""
    feed, sink, done = Feed([Message({"n": 1}, {"h": 1}, "m")]), Sink(), []

    def spoil(row: dict[str, int]) -> None:
        row["n"] = 99
        raise ValueError("bad")

    flow = from_(feed, dict).multicast(lambda f: f.transform(spoil), sleeping(1, done), on_error="dead_letter")
    run = await run_routes(flow.to(sink))
    assert [(letter.message_id, letter.body, letter.headers, letter.reason) for letter in run.letters] == [
        ("m/branch-1", {"n": 1}, {"h": 1}, "bad")
    ]
    assert (sink.bodies, done) == ([{"n": 1}], [1])
    assert len(feed.acknowledged) == 1


@pytest.mark.parametrize("word", ["multicast", "recipients", "scatter_gather", "tap"])
async def test_the_letter_of_a_branch_is_replayed_in_that_branch(word: str) -> None:
    """What stands before, the other branches and what follows run no more."""
    before, bad, good, after = Sink(), Sink(fail={1: ValueError("bad day")}), Sink(), Sink()
    start: Any = from_(Feed([1])).to(before).transform(lambda n: {"n": n + 1})
    branches: Any = {"bad": lambda f: f.to(bad), "good": lambda f: f.to(good)}
    those: dict[str, tuple[Any, ...]] = {
        "multicast": tuple(branches.values()),
        "recipients": (lambda body: ["bad", "good"], branches),
        "scatter_gather": (branches,),
        "tap": (branches["bad"],),
    }
    flow = getattr(start, word)(*those[word], on_error="dead_letter").to(after)
    run = await run_routes(r=flow)
    (letter,) = run.letters
    assert letter.body == {"n": 2}
    assert await replay(letter, routes_of(r=flow), setup_for(Run())) is None
    assert bad.bodies == [{"n": 2}]
    assert (len(before.bodies), len(good.bodies), len(after.bodies)) == (1, word != "tap", 1)


async def test_failed_branches_may_go_to_a_branch() -> None:
    """`dead_letters(...)` takes the letters, and the store stays empty."""
    letters = Sink()
    channel = dead_letters(lambda f: f.to(letters))
    run = await run_routes(from_(Feed([5])).multicast(raising(ValueError("bad")), itself, on_error=channel))
    assert [(letter.body, letter.reason) for letter in letters.bodies] == [(5, "bad")]
    assert run.letters == []


async def test_a_dead_letter_that_cannot_be_kept_refuses_the_message() -> None:
    """A failure never vanishes."""
    feed = Feed([5])
    channel = dead_letters(raising(OSError("the disk is full")))
    flow = from_(feed, policy=REFUSE).multicast(raising(ValueError("bad")), on_error=channel)
    await run_routes(flow)
    assert [str(error) for _, error in feed.refused] == ["the disk is full"]


@pytest.mark.parametrize(("parallel", "what"), [(1, "had not begun"), (3, "had not ended")])
async def test_what_is_at_work_when_the_time_is_up_is_cancelled(parallel: int, what: str) -> None:
    """The timeout is that of all branches together; what had not ended has failed, and says so."""
    feed, done = Feed([1]), []
    flow = from_(feed, policy=REFUSE).multicast(
        sleeping(1, done), sleeping(9, done), sleeping(8, done), parallel=parallel, timeout=5
    )
    started = anyio.current_time()
    await run_routes(flow)
    assert anyio.current_time() - started == pytest.approx(5)
    assert done == [1]
    ((_, error),) = feed.refused
    assert isinstance(error, TimedOut)
    assert str(error) == "branch 'branch-2' had not ended after 5 s, the timeout of all branches"
    assert isinstance(error.__cause__, PartsFailed)
    assert what in str(error.__cause__.failures[1][1])


async def test_branches_in_time_are_not_touched() -> None:
    """A timeout that is not needed changes nothing, and what follows has no limit."""
    sink, done = Sink(), []
    flow = from_(Feed([1])).multicast(sleeping(1, done), timeout=2).transform(lambda n: anyio.sleep(9)).to(sink)
    await run_routes(flow)
    assert (done, len(sink.bodies)) == ([1], 1)


async def test_what_was_late_may_become_a_dead_letter() -> None:
    """As any failure of a branch."""
    sink = Sink()
    flow = from_(Feed([Message(1, id="m")])).multicast(sleeping(9, []), itself, timeout=2, on_error="dead_letter")
    run = await run_routes(flow.to(sink))
    assert sorted((letter.message_id, letter.error) for letter in run.letters) == [
        ("m/branch-1", "TimedOut"),
        ("m/branch-2", "TimedOut"),
    ]
    assert sink.bodies == [1]


async def test_the_deadline_of_the_message_is_not_a_timeout_of_the_branches() -> None:
    """If it comes first, the message has expired."""
    flow = from_(Feed([1]), policy=Policy(deadline=2)).multicast(sleeping(9, []), timeout=5)
    run = await run_routes(flow)
    assert [letter.error for letter in run.letters] == ["Expired"]


def test_wrong_options_are_refused_when_written() -> None:
    """No branch, numbers, unknown words."""
    flow: Any = from_("timer:x")
    for options in ({"parallel": 0}, {"timeout": 0}, {"timeout": -1}, {"on_error": "dead_letters"}):
        with pytest.raises(DefinitionError):
            flow.multicast(itself, **options)
    with pytest.raises(DefinitionError, match="no branch"):
        flow.multicast()
    with pytest.raises(DefinitionError, match="did you mean 'dead_letter'"):
        flow.multicast(itself, on_error="dead_leter")
    with pytest.raises(DefinitionError):
        flow.multicast(itself, on_error="leave_out")


def test_its_label_shows_what_was_changed() -> None:
    """And its branches can be drawn, that of the dead letters too."""
    flow: Any = from_("timer:x")
    assert flow.multicast(itself).chain.steps[0].label == "multicast()"
    step = flow.multicast(itself, itself, parallel=2, timeout=1.5, on_error="fail_fast").chain.steps[0]
    assert step.label == "multicast(parallel=2, on_error=fail_fast, timeout=1.5)"
    step = flow.multicast(itself, on_error=dead_letters(itself)).chain.steps[0]
    assert [name for name, _ in step.branches()] == ["branch-1", "dead letters"]


bodies = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


def changed(body: Any) -> Any:
    """The body with everything in it changed, in place."""
    if isinstance(body, list):
        for inner in body:
            changed(inner)
        body.append("changed")
    elif isinstance(body, dict):
        for inner in body.values():
            changed(inner)
        body["changed"] = True
    return body


@settings(max_examples=40)
@given(body=bodies, branches=st.integers(1, 5), parallel=st.integers(1, 4), naps=st.lists(st.floats(0, 2), min_size=1))
async def test_branches_never_see_each_others_changes(
    body: Any, branches: int, parallel: int, naps: list[float]
) -> None:
    """Nor does the message: whatever the body holds, and however the branches run."""
    before, seen, sink = deepcopy(body), [], Sink()

    def vandal(nap: float) -> Any:
        async def work(body: Any) -> Any:
            seen.append(deepcopy(body))
            changed(body)
            await anyio.sleep(nap)
            return changed(body)

        return lambda flow: flow.transform(work)

    those = [vandal(naps[number % len(naps)]) for number in range(branches)]
    await run_routes(from_(Feed([body])).multicast(*those, parallel=parallel).to(sink))
    assert seen == [before] * branches
    assert sink.bodies == [before]


@settings(max_examples=60)
@given(
    ends=st.lists(st.sampled_from(["done", "ended", "failed"]), min_size=1, max_size=6),
    naps=st.lists(st.floats(0, 2), min_size=6, max_size=6),
    parallel=st.integers(1, 6),
    tries=st.integers(0, 2),
)
async def test_every_branch_runs_once_in_every_try(
    ends: list[str], naps: list[float], parallel: int, tries: int
) -> None:
    """Whatever becomes of the others; the message is done if none failed."""
    ran: Counter[int] = Counter()

    def branch(number: int) -> Any:
        async def work(body: Any) -> bool:
            await anyio.sleep(naps[number])
            ran[number] += 1
            if ends[number] == "failed":
                raise ValueError(number)
            return ends[number] == "done"

        return lambda flow: flow.filter(work)

    sink = Sink()
    flow = from_(Feed([1]), policy=Policy(retry=Retry(tries, first=0)))
    run = await run_routes(flow.multicast(*(branch(n) for n in range(len(ends))), parallel=parallel).to(sink))
    fails = "failed" in ends
    assert ran == Counter(dict.fromkeys(range(len(ends)), 1 + tries * fails))
    assert (len(sink.bodies), len(run.letters)) == ((0, 1) if fails else (1, 0))
