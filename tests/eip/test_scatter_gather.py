"""scatter_gather"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, PartsFailed, Policy, TimedOut, Unavailable, dead_letters, from_
from routekit.events import Logged
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def itself(flow: Flow[Any]) -> Flow[Any]:
    return flow


def after(seconds: float, answer: Any) -> Any:
    """A branch that answers, or raises, after that time; None ends the message."""

    async def work(body: Any) -> Any:
        await anyio.sleep(seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return lambda flow: flow.transform(work).filter(lambda body: body is not None)


async def test_the_answers_by_name_go_on() -> None:
    """In the order of the branches, whoever was first; headers and id are those of the message."""
    feed, sink = Feed([Message(2, {"h": 1}, "m")]), Sink()
    branches: Any = {"slow": after(3, "s"), "fast": after(1, "f"), "twice": lambda f: f.transform(lambda n: n * 2)}
    started = anyio.current_time()
    await run_routes(from_(feed, int).scatter_gather(branches).to(sink))
    (message,) = sink.messages
    assert list(message.body.items()) == [("slow", "s"), ("fast", "f"), ("twice", 4)]
    assert (message.id, dict(message.headers)) == ("m", {"h": 1})
    assert anyio.current_time() - started == pytest.approx(3)


@pytest.mark.parametrize(("parallel", "seconds"), [(None, 3), (1, 6), (2, 4)])
async def test_all_are_asked_at_once_unless_told_otherwise(parallel: int | None, seconds: float) -> None:
    """`parallel` bounds how many are at work."""
    started = anyio.current_time()
    branches = {"a": after(1, "a"), "b": after(2, "b"), "c": after(3, "c")}
    await run_routes(from_(Feed([1])).scatter_gather(branches, parallel=parallel))
    assert anyio.current_time() - started == pytest.approx(seconds)


async def test_only_the_chosen_are_asked() -> None:
    """In the order of the branches all the same; nobody asked is no answer, and goes on."""
    sink, asked = Sink(), []
    branches: Any = {
        name: lambda f, name=name: f.transform(lambda body: asked.append(name) or name) for name in ("a", "b", "c")
    }
    flow = from_(Feed([["c", "a"], [], "b"])).scatter_gather(branches, choose=lambda body: body, parallel=1)
    await run_routes(flow.to(sink))
    assert [list(body) for body in sink.bodies] == [["a", "c"], [], ["b"]]
    assert asked == ["a", "c", "b"]


async def test_an_unknown_name_rejects_the_message() -> None:
    """Data names declared branches only."""
    run = await run_routes(from_(Feed(["x"])).scatter_gather({"a": itself}, choose=lambda body: body))
    assert [letter.error for letter in run.letters] == ["Rejected"]


async def test_copies_have_ids_of_their_own() -> None:
    """And changes in one show nowhere else."""
    seen = Sink()

    def grow(body: list[int]) -> list[int]:
        body.append(1)
        return body

    branches: Any = {"a": lambda f: f.to(seen).transform(grow), "b": lambda f: f.to(seen).transform(grow)}
    sink = Sink()
    flow = from_(Feed([Message([0], id="m")]), list).scatter_gather(branches)
    await run_routes(flow.to(sink))
    assert sink.bodies == [{"a": [0, 1], "b": [0, 1]}]
    assert sorted(message.id for message in seen.messages) == ["m/a", "m/b"]


async def test_who_has_not_answered_in_time_is_missing() -> None:
    """It is cancelled, and a warning tells of it."""
    sink, done = Sink(), []

    async def work(body: Any) -> str:
        await anyio.sleep(9)
        done.append(1)
        return "late"

    branches: Any = {"fast": after(1, "f"), "slow": lambda f: f.transform(work)}
    started = anyio.current_time()
    run = await run_routes(from_(Feed([1])).scatter_gather(branches, timeout=5).to(sink))
    assert anyio.current_time() - started == pytest.approx(5)
    assert (sink.bodies, done) == ([{"fast": "f"}], [])
    (told,) = run.of(Logged)
    assert told.level == "warning"
    assert "without 'slow' for feed-1: TimedOut: branch 'slow' had not ended after 5 s" in told.text


@pytest.mark.parametrize(("enough", "fails"), [(None, False), (0, False), (1, False), (2, True), (3, True)])
async def test_enough_must_have_answered(enough: int | None, fails: bool) -> None:
    """Else the message fails and says who has not answered, and why; it may be tried again."""
    feed, sink = Feed([1]), Sink()
    branches = {"a": after(1, "a"), "b": after(9, "b"), "c": after(0, None)}
    await run_routes(from_(feed, policy=REFUSE).scatter_gather(branches, timeout=5, enough=enough).to(sink))
    assert sink.bodies == ([] if fails else [{"a": "a"}])
    if fails:
        ((_, error),) = feed.refused
        assert isinstance(error, Unavailable)
        assert str(error) == (
            f"1 of 3 branches answered, and {enough} must; 2 of 3 branches failed: b: TimedOut: branch 'b' had not "
            "ended after 5 s, the timeout of all branches; c: Rejected: ended the message and gave no answer"
        )
        assert isinstance(error.__cause__, PartsFailed)


async def test_one_answer_is_enough_by_default_and_none_is_not() -> None:
    """If all ended the message, trying again would not help."""
    run = await run_routes(from_(Feed([1])).scatter_gather({"a": after(0, None), "b": after(0, None)}))
    assert [letter.error for letter in run.letters] == ["Rejected"]


async def test_too_few_chosen_reject_the_message() -> None:
    """If nobody failed, nobody can be blamed."""
    branches = {"a": after(0, "a"), "b": after(0, "b")}
    run = await run_routes(from_(Feed(["a"])).scatter_gather(branches, choose=lambda body: body, enough=2))
    (letter,) = run.letters
    assert letter.error == "Rejected"
    assert letter.reason == "1 of 1 branches answered, and 2 must; choose more branches"


async def test_a_failing_branch_fails_the_message_after_all_ran() -> None:
    """The first failure in the order of the branches is raised itself; the cause names all of them."""
    feed, sink = Feed([1]), Sink()
    branches = {"a": after(0, "a"), "b": after(3, KeyError("b")), "c": after(1, ValueError("c"))}
    await run_routes(from_(feed, policy=REFUSE).scatter_gather(branches, enough=0).to(sink))
    ((_, error),) = feed.refused
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, PartsFailed)
    assert [name for name, _ in error.__cause__.failures] == ["b", "c"]
    assert sink.bodies == []


async def test_fail_fast_ends_with_the_first_failure() -> None:
    """The others are cancelled."""
    feed = Feed([1])
    branches = {"a": after(9, "a"), "b": after(1, ValueError("b"))}
    started = anyio.current_time()
    await run_routes(from_(feed, policy=REFUSE).scatter_gather(branches, on_error="fail_fast"))
    assert [type(error) for _, error in feed.refused] == [ValueError]
    assert anyio.current_time() - started == pytest.approx(1)


async def test_a_failed_branch_may_be_left_out() -> None:
    """A warning tells of it; if too few are left, the message fails."""
    feed, sink = Feed([1]), Sink()
    branches = {"a": after(0, "a"), "b": after(1, ValueError("bad"))}
    run = await run_routes(from_(feed).scatter_gather(branches, on_error="leave_out").to(sink))
    assert sink.bodies == [{"a": "a"}]
    assert [event.text for event in run.of(Logged)] == [
        "scatter_gather goes on without 'b' for feed-1: ValueError: bad"
    ]
    await run_routes(from_(feed, policy=REFUSE).scatter_gather(branches, on_error="leave_out", enough=2))
    ((_, error),) = feed.refused
    assert isinstance(error, Unavailable)
    assert not isinstance(error, TimedOut)


@pytest.mark.parametrize("channel", [False, True])
async def test_the_copy_of_a_failed_branch_may_become_a_dead_letter(channel: bool) -> None:
    """In the store or in a branch; its answer is missing. A late one is no failure, and told in a warning."""
    sink, letters = Sink(), Sink()
    branches = {"a": after(0, "a"), "b": after(1, ValueError("bad")), "c": after(9, "c")}
    on_error: Any = dead_letters(lambda f: f.to(letters)) if channel else "dead_letter"
    flow = from_(Feed([Message({"n": 1}, id="m")])).scatter_gather(branches, on_error=on_error, timeout=5)
    run = await run_routes(flow.to(sink))
    assert sink.bodies == [{"a": "a"}]
    kept = letters.bodies if channel else run.letters
    assert [(letter.message_id, letter.body, letter.reason) for letter in kept] == [("m/b", {"n": 1}, "bad")]
    assert ["'c'" in event.text for event in run.of(Logged)] == [True]


async def test_no_letter_is_written_if_the_message_fails_as_a_whole() -> None:
    """One letter for the message, none for its branches."""
    branches = {"a": after(0, ValueError("a")), "b": after(0, ValueError("b"))}
    run = await run_routes(from_(Feed([Message(1, id="m")])).scatter_gather(branches, on_error="dead_letter"))
    assert [letter.message_id for letter in run.letters] == ["m"]


def test_wrong_options_are_refused_when_written() -> None:
    """Numbers, words, no branches."""
    flow: Any = from_("timer:x")
    for options in ({"parallel": 0}, {"timeout": 0}, {"enough": -1}, {"enough": 3}, {"on_error": "collect"}):
        with pytest.raises(DefinitionError):
            flow.scatter_gather({"a": itself, "b": itself}, **options)
    with pytest.raises(DefinitionError):
        flow.scatter_gather({})


def test_it_can_be_drawn() -> None:
    """Each branch under its name."""
    flow: Any = from_("timer:x")
    (step,) = flow.scatter_gather({"a": itself, "b": itself}, timeout=2, enough=1).chain.steps
    assert step.label == "scatter_gather(timeout=2, enough=1)"
    assert [name for name, _ in step.branches()] == ["a", "b"]


@settings(max_examples=60)
@given(
    branches=st.lists(
        st.tuples(st.sampled_from(["done", "ended", "failed"]), st.integers(0, 9)), min_size=1, max_size=6
    ),
    chosen=st.none() | st.sets(st.integers(0, 5)),
    enough=st.none() | st.integers(0, 6),
    timeout=st.none() | st.just(4.5),
)
async def test_the_answers_are_those_in_time(
    branches: list[tuple[str, int]], chosen: set[int] | None, enough: int | None, timeout: float | None
) -> None:
    """As a plain function of who answers when, who is asked and how many must answer."""
    answers: dict[str, Any] = {"done": "answer", "ended": None, "failed": ValueError("no")}
    size = len(branches)
    enough = None if enough is None else min(enough, size)
    asked = [n for n in range(size) if chosen is None or n in chosen]
    in_time = [n for n in asked if branches[n][0] == "done" and (timeout is None or branches[n][1] < timeout)]
    needed = min(1, len(asked)) if enough is None else enough
    sink = Sink()
    flow = from_(Feed([[str(n) for n in reversed(asked)]])).scatter_gather(
        {str(n): after(seconds, answers[end]) for n, (end, seconds) in enumerate(branches)},
        choose=lambda names: names,
        timeout=timeout,
        enough=enough,
        on_error="leave_out",
    )
    run = await run_routes(flow.to(sink))
    if len(in_time) >= needed:
        assert [list(body) for body in sink.bodies] == [[str(n) for n in in_time]]
        assert run.letters == []
    else:
        assert sink.bodies == []
        assert len(run.letters) == 1
