"""Error handling: redelivery, dead letters, rescue and finally, as Camel's users rely on them, or better."""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Message, Policy, Rejected, Retry, Step, Unavailable, dead_letters, from_
from routekit.events import Retrying
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Calls, Watched

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def away(*sends: int) -> dict[int, Exception]:
    return {n: Unavailable("away") for n in sends}


async def test_nothing_is_retried_without_a_word() -> None:
    """As Camel: no redelivery by default."""
    out = Sink(fail=away(1))
    run = await run_routes(from_(Feed([1]), int).to(out))
    assert len(out.sends) == 1
    assert run.letters[0].attempts == 1


async def test_a_retry_repeats_only_the_failing_node() -> None:
    """As Camel: what stands before it is not done again, and what stands behind it runs once."""
    before, out, after = Sink(), Sink(fail=away(1, 2)), Sink()
    flow = from_(Feed([1]), int).to(before).to(out, retry=Retry(5)).to(after)
    await run_routes(flow)
    assert (len(before.sends), len(out.sends), len(after.sends)) == (1, 3, 1)


async def test_a_block_or_the_route_may_be_repeated_too() -> None:
    """Departure: Camel retries nodes only; `attempt` repeats a block, and a policy the route from its start."""
    first, inner, out = Sink(), Sink(), Sink(fail=away(1, 2))
    flow = from_(Feed([1]), int, policy=Policy(retry=Retry(1))).to(first)
    await run_routes(flow.attempt(lambda f: f.to(inner).to(out), retry=Retry(1)))
    assert (len(first.sends), len(inner.sends), len(out.sends)) == (2, 3, 3)


async def test_each_try_gets_the_message_as_it_came() -> None:
    """Departure: Camel restores body and headers, but not the exchange properties that the failed try has changed."""
    seen: list[Any] = []

    def work(row: dict[str, int], message: Message[Any]) -> None:
        seen.append((dict(row), dict(message.headers)))
        row["n"] += 1
        raise Unavailable("away")

    flow = from_(Feed([Message({"n": 0}, {"h": 1})]), dict, policy=Policy(retry=Retry(2))).set_header("h", 2)
    run = await run_routes(flow.transform(work))
    assert seen == [({"n": 0}, {"h": 2})] * 3
    assert (run.letters[0].body, run.letters[0].headers) == ({"n": 0}, {"h": 1})


async def test_the_message_tells_which_try_it_is() -> None:
    """As `CamelRedeliveryCounter`, in what the engine knows and not in a header."""
    tries: list[int] = []

    def work(n: int, message: Message[int]) -> None:
        tries.append(message.meta.attempt)
        raise Unavailable("away")

    run = await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(2))).transform(work))
    assert tries == [1, 2, 3]
    assert run.letters[0].attempts == 3


async def test_waits_grow_and_are_spread() -> None:
    """As `useExponentialBackOff` with `useCollisionAvoidance`; departure: it is the default, and random."""
    run = await run_routes(
        from_(Feed([1]), int, policy=Policy(retry=Retry(8, first=1, most=20))).to(Sink(fail=away(*range(99))))
    )
    waits = [event.wait for event in run.of(Retrying)]
    assert all(wait <= min(20, 2**n) for n, wait in enumerate(waits))
    assert len({round(wait, 6) for wait in waits}) == 8


async def test_a_message_that_waits_for_its_retry_holds_up_no_other_route() -> None:
    """Departure: a synchronous redelivery delay sleeps on the consumer's thread, for ever if it is told to."""
    other = Sink()
    async with running(
        stuck=from_(Watched([1]), int, policy=Policy(retry=Retry(10**6, first=3600))).to(
            Sink(fail=away(*range(1, 99)))
        ),
        other=from_("timer:t?every=1s", int).to(other),
    ):
        await anyio.sleep(10.5)
    assert len(other.bodies) == 10


async def test_a_stop_does_not_wait_for_retries_beyond_the_drain_time() -> None:
    """As `allowRedeliveryWhileStopping`, within the drain time; then it is left for its source to bring again."""
    source = Watched([1])
    flow = from_(source, int, policy=Policy(retry=Retry(10**6, first=3600, most=3600, factor=1)))
    async with running(flow.to(Sink(fail=away(*range(1, 9999)))), setup=setup_for(Run(), drain=3)):
        await anyio.sleep(1)
        before = anyio.current_time()
    assert anyio.current_time() - before == pytest.approx(3)
    assert source.told == [], "neither acknowledged nor refused"


async def test_a_dead_letter_has_the_message_as_it_entered_the_route() -> None:
    """As `useOriginalMessage`, without switching it on: body and headers of the source, not of the failing step."""
    feed = Feed([Message({"n": 1}, {"h": 1}, "m")])

    def spoil(row: dict[str, int]) -> dict[str, int]:
        row["n"] = 99
        return row

    run = await run_routes(from_(feed, dict).transform(spoil).set_header("h", 2).transform(lambda row: 1 // 0))
    (letter,) = run.letters
    assert (letter.message_id, letter.body, letter.headers) == ("m", {"n": 1}, {"h": 1})


async def test_a_dead_letter_knows_where_it_failed() -> None:
    """As `CamelFailureRouteId` and its kin: route, step, line, error, and number of tries."""

    def divide(n: int) -> float:
        return 1 / n

    run = await run_routes(orders=from_(Feed([0]), int, policy=Policy(retry=Retry(1))).transform(divide))
    (letter,) = run.letters
    assert (letter.route, letter.step, letter.error, letter.attempts) == (
        "orders",
        "transform(divide)",
        "ZeroDivisionError",
        2,
    )
    assert "test_errors.py" in letter.place


async def test_a_dead_lettered_message_is_acknowledged() -> None:
    """As the Dead Letter Channel: the source sees success, once the letter is kept."""
    feed = Feed([0])
    run = await run_routes(from_(feed, int).transform(lambda n: 1 // n))
    assert (len(feed.acknowledged), len(run.letters)) == (1, 1)


async def test_a_dead_letter_that_cannot_be_kept_leaves_the_message_unacknowledged() -> None:
    """Departure: Camel logs a warning and swallows the error, so the message is lost."""
    feed, broken = Feed([0]), Sink(fail={1: Unavailable("no room")})
    policy = Policy(dead_letter=dead_letters(lambda letters: letters.to(broken)))
    await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert feed.acknowledged == []
    ((_, error),) = feed.refused
    assert "could not be kept" in str(error)
    assert isinstance(error.__cause__, ZeroDivisionError)


async def test_what_can_never_succeed_is_not_retried() -> None:
    """Departure: Camel retries whatever its rules name; here a body that does not fit is a letter at once."""

    def never(n: int) -> None:
        raise Rejected("closed")

    run = await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(9))).transform(never))
    assert run.letters[0].attempts == 1


async def test_the_rule_for_the_nearest_class_decides_how_often() -> None:
    """As several `onException` with redelivery policies; departure: without a search along causes."""
    tries: list[int] = []

    def work(n: int) -> None:
        tries.append(n)
        raise ValueError if n else Unavailable("away")

    policy = Policy(retry=(Retry(1), Retry(4, on=Unavailable)))
    await run_routes(from_(Feed([0, 1]), int, policy=policy).transform(work))
    assert (tries.count(0), tries.count(1)) == (5, 2)


async def test_a_function_may_say_whether_to_try_again() -> None:
    """As `retryWhile`; departure: within the number of attempts, so that it cannot go on for ever."""
    tries: list[int] = []

    def work(n: int) -> None:
        tries.append(n)
        raise Unavailable(f"{503 if n else 404}")

    policy = Policy(retry=Retry(3, when=lambda error: "503" in str(error)))
    await run_routes(from_(Feed([0, 1]), int, policy=policy).transform(work))
    assert (tries.count(0), tries.count(1)) == (1, 4)


async def test_the_policy_of_the_settings_holds_for_every_route() -> None:
    """Departure: a global handler is global in its RouteBuilder only; here it holds where a route says nothing."""
    outs = [Sink(fail=away(1)), Sink(fail=away(1))]
    mine = from_(Feed([1]), int, policy=Policy(retry=Retry(0))).to(own := Sink(fail=away(1)))
    await run_routes(*(from_(Feed([1]), int).to(out) for out in outs), mine, policy=Policy(retry=Retry(3)))
    assert [out.bodies for out in (*outs, own)] == [[1], [1], []]


async def test_the_route_that_is_called_retries_and_the_caller_does_not_see_it() -> None:
    """As Camel: within `direct:` the inner route's handler comes first."""
    out = Sink(fail=away(1, 2))
    caller = from_(Feed([1]), int, policy=Policy(retry=Retry(9))).to("direct:in")
    run = await run_routes(caller=caller, inner=from_("direct:in", int, policy=Policy(retry=Retry(2))).to(out))
    assert (run.counts["inner"].retried, run.counts["caller"].retried) == (2, 0)


async def test_a_failure_in_the_route_that_is_called_reaches_the_caller() -> None:
    """Departure: the inner route's handler keeps the exception, so that the caller's `onException` never fires."""
    out = Sink()
    caller = from_(Feed([0]), int).attempt(
        lambda f: f.to("direct:in"), rescue={ZeroDivisionError: lambda f: f.transform(lambda n: -1)}
    )
    await run_routes(caller.to(out), from_("direct:in", int).transform(lambda n: 1 // n))
    assert out.bodies == [-1]


async def test_a_called_route_with_letters_of_its_own_has_handled_it() -> None:
    """As the Dead Letter Channel: the caller sees success. It is a word in that route, never a default."""
    feed = Feed([0])
    inner = from_("direct:in", int, policy=Policy(dead_letter="store")).transform(lambda n: 1 // n)
    run = await run_routes(caller=from_(feed, int).to("direct:in"), inner=inner)
    assert ([letter.route for letter in run.letters], len(feed.acknowledged)) == (["inner"], 1)


async def test_a_part_is_retried_within_its_own_route_and_the_parent_fails_once() -> None:
    """Departure: onException has fired twice or not at all inside split and multicast."""
    feed, rescued = Feed([[1, 0]]), Sink()
    flow = from_(feed, list).attempt(
        lambda f: f.split(lambda ns: ns).transform(lambda n: 1 / n),
        rescue={ZeroDivisionError: lambda f: f.to(rescued)},
    )
    await run_routes(flow)
    assert rescued.bodies == [[1, 0]]
    assert len(feed.acknowledged) == 1


class Odd(ValueError):
    pass


async def test_the_nearest_class_rescues_whatever_the_order() -> None:
    """As `onException`; departure from `doCatch`, where the first in the order of writing wins."""
    out = Sink()

    def fail(n: int) -> None:
        raise Odd(n)

    rescue = {
        kind: (lambda name: lambda f: f.transform(lambda n: name))(kind.__name__)
        for kind in (Exception, ValueError, Odd)
    }
    await run_routes(from_(Feed([1]), int).attempt(lambda f: f.transform(fail), rescue=rescue).to(out))
    assert out.bodies == ["Odd"]


async def test_causes_do_not_rescue() -> None:
    """Departure: `doCatch` and `onException` search the chain of causes, from the deepest one up."""
    feed = Feed([1])

    def fail(n: int) -> None:
        raise RuntimeError("outer") from ValueError("inner")

    flow = from_(feed, int, policy=REFUSE).attempt(lambda f: f.transform(fail), rescue={ValueError: lambda f: f})
    await run_routes(flow)
    assert [type(error) for _, error in feed.refused] == [RuntimeError]


async def test_a_rescued_message_goes_on_behind_the_attempt() -> None:
    """As `doTry`; as `handled(true)` the error is gone, and as `continued(true)` the route goes on."""
    feed, out = Feed([0]), Sink()
    flow = from_(feed, int).attempt(lambda f: f.transform(lambda n: 1 // n), rescue={ArithmeticError: lambda f: f})
    await run_routes(flow.to(out))
    assert (out.bodies, len(feed.acknowledged)) == ([0], 1)
    assert out.messages[0].meta.error is None


async def test_a_rescue_sees_the_error_and_the_message_as_it_came() -> None:
    """As `CamelExceptionCaught`; departure: the message is that of the attempt's start, not as far as it had come."""
    seen: list[Any] = []
    flow = from_(Feed([Message(0, {"h": 1})]), int).attempt(
        lambda f: f.set_header("h", 2).transform(lambda n: n + 1).transform(lambda n: 1 // (n - 1)),
        rescue={
            ArithmeticError: lambda f: f.transform(lambda n, m: seen.append((n, m.headers["h"], type(m.meta.error))))
        },
    )
    await run_routes(flow)
    assert seen == [(0, 1, ZeroDivisionError)]


async def test_an_error_in_a_rescue_replaces_the_first_and_names_it() -> None:
    """As Camel: it is not handled again. Departure: the first error is not lost, it is the cause of the new one."""
    feed = Feed([0])

    def worse(n: int) -> None:
        raise KeyError("worse")

    flow = from_(feed, int, policy=REFUSE).attempt(
        lambda f: f.transform(lambda n: 1 // n),
        rescue={ArithmeticError: lambda f: f.transform(worse), KeyError: lambda f: f},
    )
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, ZeroDivisionError)


async def test_an_attempt_may_retry_what_it_tries() -> None:
    """Departure: inside `doTry` there is no redelivery."""
    out, rescued = Sink(fail=away(1, 2)), Sink()
    flow = from_(Feed([1]), int).attempt(
        lambda f: f.to(out), rescue={Exception: lambda f: f.to(rescued)}, retry=Retry(2)
    )
    await run_routes(flow)
    assert (out.bodies, rescued.bodies) == ([1], [])


async def test_an_attempt_does_not_switch_off_the_policy() -> None:
    """Departure: a nested `doTry` disables onException for all that it contains."""
    out = Sink(fail=away(1))
    flow = from_(Feed([1]), int, policy=Policy(retry=Retry(1))).attempt(
        lambda f: f.to(out), rescue={KeyError: lambda f: f}
    )
    await run_routes(flow)
    assert out.bodies == [1]


@pytest.mark.parametrize("inside", ["stop", "filter", "fail", "rescue", "done"])
async def test_finally_runs_whatever_happens(inside: str) -> None:
    """Departure: a `stop` inside `doTry` skips `doFinally`."""
    last = Sink()
    body: dict[str, Any] = {
        "stop": lambda f: f.stop(),
        "filter": lambda f: f.filter(lambda n: False),
        "fail": lambda f: f.transform(lambda n: {}["missing"]),
        "rescue": lambda f: f.transform(lambda n: 1 // 0),
        "done": lambda f: f,
    }
    rescue = {ArithmeticError: lambda f: f}
    await run_routes(from_(Feed([1]), int).attempt(body[inside], rescue=rescue, finally_=lambda f: f.to(last)))
    assert last.bodies == [1]


async def test_an_error_in_finally_keeps_the_first_one() -> None:
    """Departure: an error in `doFinally` is lost when there was one already; here it is a note on the first."""
    feed = Feed([0])
    flow = from_(feed, int, policy=REFUSE).attempt(
        lambda f: f.transform(lambda n: 1 // n), finally_=lambda f: f.transform(lambda n: {}["last"])
    )
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert isinstance(error, ZeroDivisionError)
    assert any("KeyError: 'last'" in note for note in error.__notes__)
    after = Feed([1])
    flow = from_(after, int, policy=REFUSE).attempt(lambda f: f, finally_=lambda f: f.transform(lambda n: {}["last"]))
    await run_routes(flow)
    assert [type(error) for _, error in after.refused] == [KeyError]


async def test_finally_does_not_change_the_message() -> None:
    """As Camel's intent: what it makes is dropped, what was tried goes on."""
    out = Sink()
    flow = from_(Feed([1]), int).attempt(lambda f: f.transform(str), finally_=lambda f: f.transform(lambda n: "last"))
    await run_routes(flow.to(out))
    assert out.bodies == ["1"]


async def test_an_answering_source_gets_the_error_of_its_caller() -> None:
    """As the default handler in an InOut exchange: who waits for an answer is told what went wrong."""
    calls = Calls([0, 1])
    async with running(from_(calls, int).transform(lambda n: 1 // n)):
        await anyio.sleep(1)
    assert isinstance(calls.answers[0], ZeroDivisionError)
    assert calls.answers[1] == 1


async def test_a_strangers_exception_is_never_lost() -> None:
    """A step of a stranger that raises anything refuses the message, also where it is no RouteKitError."""

    class Strange(Exception):
        __slots__ = ()

    class Broken(Step[Any, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            async def handle(message: Message[Any]) -> Message[Any] | None:
                raise Strange

            return handle

    feed = Feed([1])
    await run_routes(from_(feed, int, policy=REFUSE).then(Broken()))
    assert [type(error) for _, error in feed.refused] == [Strange]


@settings(max_examples=40)
@given(st.lists(st.booleans(), max_size=6), st.integers(0, 4))
def test_a_message_is_told_exactly_once_what_became_of_it(fails: list[bool], attempts: int) -> None:
    """Whatever fails how often: acknowledged or refused, never both, never neither."""
    plan = {n: Unavailable("away") for n, bad in enumerate(fails, 1) if bad}
    feed, out = Feed([1]), Sink(fail=plan)
    anyio.run(run_routes, from_(feed, int, policy=Policy(retry=Retry(attempts, first=0), dead_letter="refuse")).to(out))
    tries = next((n for n in range(1, attempts + 2) if n not in plan), None)
    assert (len(feed.acknowledged), len(feed.refused)) == ((1, 0) if tries else (0, 1))
    assert len(out.sends) == (tries or attempts + 1)
