"""ask"""

from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, Policy, Retry, Unanswered, Unavailable, from_
from routekit.answers import Answer
from routekit.check import check
from routekit.eip.ask import Ask
from routekit.events import Retrying, RouteDegraded
from routekit.plugins import Catalog
from routekit.replay import replay
from routekit.step import Target
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for, virtual

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Price:
    amount: float


def asking(feed: Any, **options: Any) -> Flow[Any]:
    given: dict[str, Any] = {"replies": "queue:answers", "timeout": 30, "answer": int, **options}
    return from_(feed, policy=given.pop("policy", None)).ask("queue:requests", **given)


def answering(function: Any) -> Flow[Any]:
    return from_("queue:requests", policy=Policy(concurrency=10)).transform(function).to("queue:answers")


async def test_the_reply_becomes_the_body() -> None:
    """The message goes on with its own headers and id, whatever the reply has."""
    sink = Sink()
    feed = Feed([Message(2, {"a": 1}, "m1")])
    answers = answering(lambda n: n * 2)
    run = await run_routes(asking(feed).to(sink), answers)
    assert sink.messages == [Message(4, {"a": 1}, "m1")]
    assert len(feed.acknowledged) == 1
    assert run.letters == []


async def test_the_request_carries_a_correlation_id_and_the_return_address() -> None:
    """Beside the headers of the message; each try has an id of its own."""
    seen: list[Any] = []
    policy = Policy(retry=Retry(1))
    asks = asking(Feed([Message(1, {"a": 1}, "m1")]), timeout=5, policy=policy)
    await run_routes(asks, from_("queue:requests").transform(lambda n, m: seen.append(dict(m.headers))))
    assert [sorted(headers) for headers in seen] == [["a", "correlation-id", "reply-to"]] * 2
    assert seen[0]["correlation-id"] != seen[1]["correlation-id"]
    assert seen[0]["reply-to"] == "queue:answers"


async def test_names_and_address_may_be_those_of_the_other_side() -> None:
    """The header, and what it is to reply to."""
    seen: list[Any] = []
    sink = Sink()
    asks = asking(Feed([1]), correlation="x-id", return_address="crm.answers").to(sink)
    answers = from_("queue:requests").transform(lambda n, m: seen.append(dict(m.headers)) or 7).to("queue:answers")
    await run_routes(asks, answers)
    assert (sink.bodies, seen[0]["reply-to"], "x-id" in seen[0]) == ([7], "crm.answers", True)


async def test_many_wait_at_once_and_replies_come_in_any_order() -> None:
    """Each message gets its own."""
    sink = Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(10 - n)
        return n * n

    start = anyio.current_time()
    asks = asking(Feed(range(10)), policy=Policy(concurrency=10), merge=lambda n, square: (n, square)).to(sink)
    await run_routes(asks, answering(slow))
    assert sink.bodies == [(n, n * n) for n in reversed(range(10))]
    assert anyio.current_time() - start == pytest.approx(10)


async def test_the_reply_is_checked_into_its_type() -> None:
    """One that does not fit rejects the message."""
    sink = Sink()
    answers = answering(lambda n: '{"amount": 1}' if n == 1 else "{}")
    run = await run_routes(asking(Feed([1, 2]), answer=Price).to(sink), answers)
    assert sink.bodies == [Price(1)]
    assert [letter.error for letter in run.letters] == ["BodyError"]


async def test_no_reply_in_time_is_worth_another_try() -> None:
    """After exactly that time."""
    start = anyio.current_time()
    run = await run_routes(asking(Feed([1]), timeout=7), from_("queue:requests"))
    (letter,) = run.letters
    assert (letter.error, letter.reason) == ("Unanswered", "no reply from queue:answers came within 7 s")
    assert anyio.current_time() - start == pytest.approx(7)
    assert issubclass(Unanswered, Unavailable)


async def test_something_may_stand_for_no_reply() -> None:
    """And a merge sees it; but it hides no failure of the request."""
    sink = Sink()
    asks = asking(Feed([1]), missing=None, merge=lambda n, answer: (n, answer), timeout=7).to(sink)
    await run_routes(asks, from_("queue:requests"))
    assert sink.bodies == [(1, None)]

    async def fails(message: Message[Any]) -> None:
        raise Unanswered("of the other side")

    flow = from_(Feed([1])).ask(Hooked(sending=fails), replies="queue:a", timeout=1, answer=int, missing=0)
    run = await run_routes(flow.to(sink))
    assert [letter.reason for letter in run.letters] == ["of the other side"]


async def test_retry_repeats_the_question() -> None:
    """With its own correlation id; what came before runs once."""
    sink = Sink()
    seen: list[int] = []

    def unwilling(n: int) -> int | None:
        seen.append(n)
        return n if len(seen) > 2 else None

    answers = from_("queue:requests").transform(unwilling).filter(lambda n: n is not None).to("queue:answers")
    run = await run_routes(asking(Feed([5]), timeout=3, retry=Retry(5)).to(sink), answers)
    assert (sink.bodies, len(seen), len(run.of(Retrying))) == ([5], 3, 2)


async def test_a_late_reply_is_a_dead_letter() -> None:
    """Never lost; and it does not disturb the next message."""

    async def slow(n: int) -> int:
        await anyio.sleep(20 if n == 1 else 1)
        return n * 10

    sink = Sink()
    asks = asking(Watched([1, 2]), timeout=10).to(sink)
    async with running(asks, answering(slow), setup=setup_for(Run())) as service:
        await anyio.sleep(60)
        assert service.store is not None
        letters = await service.store.letters.list()
    late, unanswered = sorted(letters, key=lambda letter: letter.error)
    assert (unanswered.error, unanswered.body) == ("Unanswered", 1)
    assert (late.error, late.body, late.route) == ("LateReply", 10, "route-1")
    assert "came too late, twice, or to the wrong place" in late.reason
    assert late.entry > 0
    assert sink.bodies == [20]


@pytest.mark.parametrize("headers", [{}, {"correlation-id": "unknown"}])
async def test_a_reply_that_nobody_asked_for_is_a_dead_letter(headers: Any) -> None:
    """Without the header, and with an id that was never given."""
    stray = Message(99, headers, "s1")
    asks = asking(Watched([]))
    async with running(asks, from_(Feed([stray])).to("queue:answers"), setup=setup_for(Run())) as service:
        await anyio.sleep(1)
        assert service.store is not None
        (letter,) = await service.store.letters.list()
    assert (letter.error, letter.body, letter.message_id, letter.headers) == ("LateReply", 99, "s1", headers)


async def test_a_late_reply_may_have_a_branch() -> None:
    """With the error in its meta; what fails there is a dead letter, and is replayed there."""
    late, seen = Sink(fail={2: ValueError("x")}), []

    def branch(replies: Flow[Any]) -> Flow[Any]:
        return replies.transform(lambda n, m: seen.append(type(m.meta.error).__name__) or n).to(late)

    strays = Watched([Message(n, {}, f"s{n}") for n in (1, 2)])
    asks = asking(Watched([]), late=branch)
    setup = setup_for(Run())
    async with setup.opened_store() as store:
        async with running(asks, from_(strays).to("queue:answers"), setup=replace(setup, store=store)):
            await anyio.sleep(1)
        (letter,) = await store.letters.list()
        assert (late.bodies, seen, letter.error, letter.body) == ([1], ["LateReply"] * 2, "ValueError", 2)
        outcome = await replay(letter, [asks.route("route-1")], replace(setup, store=store))
    assert late.bodies == [1, 2], outcome


async def test_the_letter_of_a_late_reply_is_never_replayed_as_a_request() -> None:
    """It enters where replies do."""
    requests = Sink()
    asks = from_(Watched([])).ask(requests, replies="queue:answers", timeout=1, answer=int)
    setup = setup_for(Run())
    async with setup.opened_store() as store:
        setup = replace(setup, store=store)
        async with running(asks, from_(Feed([1])).to("queue:answers"), setup=setup):
            await anyio.sleep(1)
        (letter,) = await store.letters.list()
        await replay(letter, [asks.route("route-1")], setup)
        (again,) = await store.letters.list()
    assert (again.error, again.body, requests.messages) == ("LateReply", 1, [])


async def test_a_late_reply_that_cannot_be_kept_goes_back() -> None:
    """It is not acknowledged."""
    replies = Watched([Message(1, {}, "s1")])
    policy = Policy(dead_letter=from_(Feed([])).to(Sink(fail={1: Unavailable("full")})).chain)
    asks = from_(Watched([]), policy=policy).ask(Sink(), replies=replies, timeout=1, answer=int)
    async with running(asks, setup=setup_for(Run())):
        await anyio.sleep(1)
    assert replies.told == [("nack", "s1")]


async def test_replies_that_are_away_degrade_the_route() -> None:
    """Those who wait are told; the route starts again, and what was not acknowledged comes again."""
    replies = Watched([Unavailable("gone")])
    feed = Watched([1])
    run = Run()
    async with running(from_(feed).ask(Sink(), replies=replies, timeout=1000, answer=int), setup=setup_for(run)):
        await anyio.sleep(100)
    assert [str(event.error) for event in run.of(RouteDegraded)] == ["gone"]
    assert replies.state["opened"] == 2


async def test_replies_that_end_let_nobody_wait() -> None:
    """No reply can come any more."""
    start = anyio.current_time()
    run = await run_routes(from_(Feed([1])).ask(Sink(), replies=Feed([]), timeout=1000, answer=int))
    assert [letter.error for letter in run.letters] == ["Unavailable"]
    assert anyio.current_time() - start < 1


async def test_a_message_that_failed_to_send_waits_for_nothing() -> None:
    """Its failure is told at once."""
    start = anyio.current_time()
    sink = Sink(fail={1: ValueError("x")})
    run = await run_routes(from_(Feed([1])).ask(sink, replies="queue:answers", timeout=100, answer=int))
    assert [letter.error for letter in run.letters] == ["ValueError"]
    assert anyio.current_time() == start


async def test_the_one_who_answers_may_ask_others() -> None:
    """The headers of its own request are still there when it answers."""
    sink = Sink()
    middle = from_("queue:requests").ask("queue:deep", replies="queue:deep-answers", timeout=5, answer=int)
    deep = from_("queue:deep").transform(lambda n: n + 1).to("queue:deep-answers")
    run = await run_routes(asking(Feed([1])).to(sink), middle.reply_to("queue:answers"), deep)
    assert (sink.bodies, run.letters) == ([2], [])


@given(
    works=st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=8),
    timeout=st.sampled_from([1.0, 2.0, 4.0]),
    concurrency=st.integers(1, 8),
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_message_and_every_reply_has_one_end(
    works: list[tuple[float, bool, bool]], timeout: float, concurrency: int, backend: str
) -> None:
    """However long replies take, and if they come twice or never: each message its own reply or a letter, and each
    reply that was of no use a letter."""
    sent: list[int] = []

    def copies(n: int) -> list[int]:
        _, comes, twice = works[n]
        return [n] * (comes + (comes and twice))

    async def work(n: int) -> int:
        await anyio.sleep(round(works[n][0], 1))
        sent.extend(copies(n))
        return n

    sink = Sink()

    async def scene() -> Any:
        asks = asking(
            Watched(range(len(works))),
            timeout=timeout,
            policy=Policy(concurrency=concurrency),
            merge=lambda n, reply: (n, reply),
        ).to(sink)
        answers = from_("queue:requests", policy=Policy(concurrency=10)).transform(work).split(copies)
        async with running(asks, answers.to("queue:answers"), setup=setup_for(Run())) as service:
            await anyio.sleep(100)
            assert service.store is not None
            return await service.store.letters.list()

    _, options = virtual(backend)
    letters = anyio.run(scene, backend=backend, backend_options=options)
    answered = [n for n, _ in sink.bodies]
    assert all(n == reply for n, reply in sink.bodies)
    unanswered = [letter.body for letter in letters if letter.error == "Unanswered"]
    late = [letter.body for letter in letters if letter.error == "LateReply"]
    assert sorted(answered + unanswered) == list(range(len(works)))
    assert sorted(answered + late) == sorted(sent)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_needed(timeout: float) -> None:
    """For ever is none."""
    with pytest.raises(DefinitionError, match="timeout is"):
        asking(Feed([]), timeout=timeout)


def test_an_address_with_placeholders_says_nothing_to_others() -> None:
    """They are filled here, so the other side has to be told."""
    with pytest.raises(DefinitionError, match="give return_address="):
        asking(Feed([]), replies="queue:answers-${HOST}")
    asking(Feed([]), replies="queue:answers-${HOST}", return_address="queue:answers-1")


def test_what_cannot_work_is_found_by_check() -> None:
    """Replies that cannot be read, requests that nobody reads; a queue that is read for replies is read."""
    asks = asking(Feed([]), replies="direct:x").route("a")
    assert "hands its messages over by itself" in check([asks], Catalog())[0].message
    (problem,) = check([asking(Feed([])).route("a")], Catalog())
    assert problem.message == "no route reads from 'queue:requests'"
    assert check([asking(Feed([])).route("a"), answering(lambda n: n).route("b")], Catalog()) == []
    with pytest.raises(DefinitionError, match="give `ask` a sink"):
        from_(Feed([])).ask(Feed([]), replies="queue:a", timeout=1, answer=int)


def test_its_label_and_branches() -> None:
    """For drawings."""
    step = asking(Feed([]), late=lambda late: late.to("log:late")).chain.steps[0]
    assert step.label == "ask queue:requests (replies: queue:answers)"
    assert [label for label, _ in step.branches()] == ["late replies"]
    assert step.leads == "aside"
    assert [str(target) for target in step.targets()] == ["queue:requests"]
    assert Ask[Any, Any](Target("queue:a"), Target("queue:b"), 1, Answer(int)).branches() == ()
