"""direct:"""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import Message, Policy, Retry, Step, Target, Unavailable, from_
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


async def test_the_caller_awaits_the_outcome() -> None:
    """The other route is done before the caller goes on, and only then the message is acknowledged."""
    order: list[str] = []

    async def work(n: int) -> int:
        await anyio.sleep(10)
        order.append("inner")
        return n

    feed = Feed([1])
    outer = from_(feed, int).to("direct:in").transform(lambda n: order.append("outer") or n)
    await run_routes(outer, from_("direct:in", int).transform(work))
    assert order == ["inner", "outer"]
    assert len(feed.acknowledged) == 1


async def test_the_outcome_is_the_answer() -> None:
    """Who sends to it, such as an enricher, gets what the other route ends with; None where it ended early."""

    @dataclass(frozen=True)
    class Ask(Step[int, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            send = runtime.sender(Target("direct:in"))

            async def handle(message: Message[int]) -> Any:
                answer = await send(message)
                return await proceed(message.with_body(answer and answer.body))

            return handle

    sink = Sink()
    inner = from_("direct:in", int).filter(lambda n: n > 1).transform(lambda n: f"answer {n}")
    await run_routes(from_(Feed([1, 2]), int).then(Ask()).to(sink), inner)
    assert sink.bodies == [None, "answer 2"]


async def test_a_failure_inside_is_raised_in_the_caller() -> None:
    """The caller's message is not acknowledged, and no letter is kept by the route inside."""
    feed, after = Feed([0]), Sink()
    outer = from_(feed, int, policy=Policy(dead_letter="refuse")).to("direct:in").to(after)
    run = await run_routes(outer=outer, inner=from_("direct:in", int).transform(lambda n: 1 // n))
    assert feed.acknowledged == []
    assert [type(error) for _, error in feed.refused] == [ZeroDivisionError]
    assert after.bodies == []
    assert run.letters == []
    assert (run.counts["inner"].refused, run.counts["outer"].refused) == (1, 1)


async def test_a_failure_inside_can_be_rescued_outside() -> None:
    """It is an error like any other, of its own class."""
    sink = Sink()
    outer = from_(Feed([0]), int).attempt(
        lambda f: f.to("direct:in").transform(str),
        rescue={ZeroDivisionError: lambda f: f.transform(lambda n, m: f"rescued {m.meta.error}")},
    )
    await run_routes(outer.to(sink), from_("direct:in", int).transform(lambda n: 1 // n))
    assert sink.bodies[0].startswith("rescued integer division")


async def test_the_letter_names_the_step_inside() -> None:
    """The caller's dead letter says which step of which file failed, and keeps the caller's body."""

    def divide(n: int) -> float:
        return 1 / n

    feed = Feed([b"0"])
    run = await run_routes(outer=from_(feed, int).to("direct:in"), inner=from_("direct:in", int).transform(divide))
    (letter,) = run.letters
    assert (letter.route, letter.step, letter.body) == ("outer", "transform(divide)", {"base64": "MA=="})


async def test_the_inner_routes_retry_applies() -> None:
    """What the route inside retries, the caller does not notice."""
    sink = Sink(fail={1: Unavailable("a"), 2: Unavailable("b")})
    outer = from_(Feed([1]), int).to("direct:in")
    inner = from_("direct:in", int, policy=Policy(retry=Retry(2))).to(sink)
    run = await run_routes(outer=outer, inner=inner)
    assert sink.bodies == [1]
    assert (run.counts["inner"].retried, run.counts["outer"].retried) == (2, 0)
    assert run.letters == []


async def test_the_callers_retry_calls_again() -> None:
    """With the message as it was sent."""
    sink = Sink(fail={1: Unavailable("a")})
    outer = from_(Feed([1]), int).to("direct:in", retry=Retry(2))
    run = await run_routes(outer=outer, inner=from_("direct:in", int).to(sink))
    assert sink.bodies == [1]
    assert (run.counts["inner"].received, run.counts["inner"].refused) == (2, 1)


async def test_dead_letters_inside_end_the_call_well() -> None:
    """A route inside that keeps its own letters has taken care: the caller goes on."""
    feed, after = Feed([0]), Sink()
    inner = from_("direct:in", int, policy=Policy(dead_letter="store")).transform(lambda n: 1 // n)
    run = await run_routes(outer=from_(feed, int).to("direct:in").to(after), inner=inner)
    assert after.bodies == [0]
    assert [letter.route for letter in run.letters] == ["inner"]
    assert len(feed.acknowledged) == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_three_routes_deep(fails: bool) -> None:
    """Success and failure come back through all of them."""
    feed, after = Feed([0 if fails else 1]), Sink()
    run = await run_routes(
        a=from_(feed, int, policy=Policy(dead_letter="refuse")).to("direct:b").to(after),
        b=from_("direct:b", int).to("direct:c"),
        c=from_("direct:c", int).to("direct:d"),
        d=from_("direct:d", int).transform(lambda n: 1 // n),
    )
    assert (len(feed.refused), len(feed.acknowledged), len(after.bodies)) == ((1, 0, 0) if fails else (0, 1, 1))
    assert all(counts.refused == fails for counts in run.counts.values())


async def test_what_the_inner_route_changes_stays_there() -> None:
    """Body, headers and meta of the caller's message are its own."""
    sink, metas = Sink(), []
    outer = from_(Feed([{"rows": [1]}]), dict).to("direct:in").to(sink)
    inner = from_("direct:in", dict).set_header("x", 1).transform(lambda d, m: metas.append(m) or d["rows"].append(2))
    await run_routes(outer=outer, inner=inner)
    assert sink.bodies == [{"rows": [1]}]
    assert dict(sink.messages[0].headers) == {}
    assert metas[0].meta.route == "inner"
    assert sink.messages[0].meta.route == "outer"
    assert metas[0].id == sink.messages[0].id


async def test_calls_are_as_many_as_their_callers() -> None:
    """A direct route is bound by its callers alone, unless it says how many."""
    for concurrency, most in ((None, 4), (2, 2)):
        now, seen = [0], [0]

        async def work(n: int, now: list[int] = now, seen: list[int] = seen) -> None:
            now[0] += 1
            seen[0] = max(seen[0], now[0])
            await anyio.sleep(1)
            now[0] -= 1

        outer = from_(Feed(range(12)), int, policy=Policy(concurrency=4)).to("direct:in")
        await run_routes(outer, from_("direct:in", int, policy=Policy(concurrency=concurrency)).transform(work))
        assert seen == [most]


async def test_a_call_waits_for_a_route_that_is_not_up_yet() -> None:
    """Routes of one service may start in any order, and one may be degraded for a while."""
    feed, sink, run = Feed([1]), Sink(), Run()
    tries = [0]

    async def opening() -> None:
        tries[0] += 1
        if tries[0] < 5:
            raise Unavailable("away")

    inner = from_("direct:in", int).to(Hooked(opening=opening)).to(sink)
    await run_routes(from_(feed, int).to("direct:in"), inner, setup=setup_for(run))
    assert sink.bodies == [1]


async def test_a_stop_finishes_calls_under_way() -> None:
    """The caller stops first; what it has called is finished and acknowledged."""
    source, sink = Watched([1, 2]), Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(10)
        return n

    async with running(from_(source, int).to("direct:in"), from_("direct:in", int).transform(slow).to(sink)):
        await anyio.sleep(1)
    assert sink.bodies == [1]
    assert source.told == [("ack", "m1")]


async def test_the_callers_deadline_counts_inside() -> None:
    """A call that takes too long is cancelled as a whole."""
    ended: list[int] = []

    async def slow(n: int) -> None:
        await anyio.sleep(100)
        ended.append(n)

    outer = from_(Feed([1]), int, policy=Policy(deadline=10)).to("direct:in")
    run = await run_routes(outer=outer, inner=from_("direct:in", int).transform(slow))
    assert ended == []
    assert [letter.error for letter in run.letters] == ["Expired"]
    assert run.counts["inner"].in_flight == 0


async def test_parts_may_be_calls() -> None:
    """Parallel parts call the same route at once."""
    sink = Sink()
    outer = from_(Feed([[1, 2, 3]]), list).split(lambda ns: ns, parallel=3).to("direct:in")
    run = await run_routes(outer=outer, inner=from_("direct:in", int).transform(lambda n: anyio.sleep(1)).to(sink))
    assert run.counts["inner"].done == 3


async def test_messages_keep_their_ids() -> None:
    """The inner route sees the id of the caller's message."""
    sink: Any = Sink()
    await run_routes(from_(Feed([Message(1, id="m")]), int).to("direct:in"), from_("direct:in", int).to(sink))
    assert sink.messages[0].id == "m"
