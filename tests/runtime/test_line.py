"""Clauses that go on: the route continues behind the step that failed."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import (
    Flow,
    Handler,
    Message,
    Policy,
    Rejected,
    Rescue,
    Retry,
    Runtime,
    Step,
    Unavailable,
    dead_letters,
    from_,
    rescue,
)
from routekit.events import Rescued
from routekit.runtime.line import Line
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


def going_on(branch: Any = lambda flow: flow, when: Any = None) -> Rescue:
    return rescue(branch, when=when, then="go_on")


def bad(body: Any) -> Any:
    raise ValueError(body)


def tagged(name: str) -> Any:
    """A step that adds its name to a list of names."""
    return lambda names: [*names, name]


def rescued(names: list[str]) -> list[str]:
    return [*names, "rescued"]


POLICY = Policy(rescue={ValueError: going_on(lambda flow: flow.transform(rescued))})


async def ends(flow: Flow[Any]) -> list[Any]:
    """What arrives at the end of a route, and nothing fails."""
    sink = Sink()
    run = await run_routes(flow.to(sink))
    assert [run.counts["route-1"].dead, run.counts["route-1"].refused] == [0, 0]
    return sink.bodies


async def test_the_route_goes_on_behind_the_step() -> None:
    """With what the branch gives, which got the message as it came to the step."""
    flow = from_(Feed([[]]), list, policy=POLICY).transform(tagged("a")).transform(bad).transform(tagged("b"))
    assert await ends(flow) == [["a", "rescued", "b"]]


async def test_every_step_that_fails_is_forgiven() -> None:
    """The first and the last of a route as well, and several in one message; each is told."""
    feed, sink = Feed([[]]), Sink()
    flow = from_(feed, list, policy=POLICY).transform(bad).transform(tagged("a")).transform(bad).to(sink).transform(bad)
    run = await run_routes(flow)
    assert sink.bodies == [["rescued", "a", "rescued"]]
    assert [reply.body for _, reply in feed.acknowledged] == [["rescued", "a", "rescued", "rescued"]]
    assert [event.by for event in run.of(Rescued)] == ["rescue ValueError of the route"] * 3


async def test_the_branch_sees_the_error_and_the_original() -> None:
    """What follows has the error no more; the original is as the route began with it."""
    seen: list[Any] = []

    def look(row: dict[str, int], message: Message[Any]) -> dict[str, int]:
        original = message.meta.original
        assert original is not None
        seen.append((row, dict(message.headers), repr(message.meta.error), original.body, dict(original.headers)))
        return row

    def spoil(row: dict[str, int]) -> dict[str, int]:
        row["n"] += 1
        return row

    policy = Policy(rescue={ValueError: going_on(lambda flow: flow.transform(look))})
    feed = Feed([Message({"n": 1}, {"h": 1})])
    flow = from_(feed, dict, policy=policy).transform(spoil).set_header("h", 2).transform(lambda row: bad("x"))
    assert await ends(flow.transform(lambda row, message: (row, message.meta.error))) == [({"n": 2}, None)]
    assert seen == [({"n": 2}, {"h": 2}, "ValueError('x')", {"n": 1}, {"h": 1})]


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """Nothing behind the step runs."""
    feed, sink = Feed([1]), Sink()
    policy = Policy(rescue={ValueError: going_on(lambda flow: flow.stop())})
    run = await run_routes(from_(feed, int, policy=policy).transform(bad).to(sink))
    assert sink.bodies == []
    assert (feed.acknowledged, run.counts["route-1"].ended) == ([("feed-1", None)], 1)


async def test_the_retries_of_the_route_come_first() -> None:
    """Only the last try goes on; what the rules never retry goes on at once."""
    tries: list[str] = []

    def away(error: Exception) -> None:
        tries.append(type(error).__name__)
        raise error

    policy = Policy(retry=Retry(2, on=Unavailable), rescue={Exception: going_on()})
    feed = Feed([Unavailable("away"), Rejected("no")])
    assert len(await ends(from_(feed, policy=policy).transform(away))) == 2
    assert tries == ["Unavailable", "Unavailable", "Unavailable", "Rejected"]


async def test_the_retry_of_the_step_comes_first() -> None:
    """What it repairs is no failure."""
    sink = Sink(fail={1: Unavailable("away"), 3: Unavailable("away"), 4: Unavailable("away")})
    policy = Policy(rescue={Unavailable: going_on(lambda flow: flow.transform(lambda n: -n))})
    assert await ends(from_(Feed([1, 2]), int, policy=policy).to(sink, retry=Retry(1))) == [1, -2]


async def test_errors_that_no_step_raised_do_not_go_on() -> None:
    """A body that does not fit has no step to go on behind: the next clause is asked, or it is a dead letter."""
    only = Policy(rescue={Exception: going_on()})
    run = await run_routes(from_(Feed(["x"]), int, policy=only))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    late = Policy(deadline=1, rescue={Exception: going_on()})
    run = await run_routes(from_(Feed([1]), int, policy=late).transform(lambda n: anyio.sleep(9)))
    assert [letter.error for letter in run.letters] == ["Expired"]
    feed = Feed(["x"])
    both = Policy(rescue={Rejected: going_on(), Exception: rescue(lambda flow: flow.transform(lambda _: "general"))})
    await run_routes(from_(feed, int, policy=both))
    assert [reply.body for _, reply in feed.acknowledged] == ["general"]


async def test_a_nearer_clause_that_replies_counts() -> None:
    """And the other way round: of one scope the nearest class decides whether the route goes on."""
    reply = rescue(lambda flow: flow.transform(lambda _: "reply"))
    for rescues, expected in [
        ({ValueError: reply, Exception: going_on()}, "reply"),
        ({ValueError: going_on(), Exception: reply}, "on"),
        ({ValueError: (going_on(when=lambda error: False), reply)}, "reply"),
        ({ValueError: (going_on(when=lambda error, message: message.body == 1), reply)}, "on"),
    ]:
        feed = Feed([1])
        flow = from_(feed, int, policy=Policy(rescue=rescues)).transform(lambda n: n + 1).transform(bad)
        await run_routes(flow.transform(lambda n: "on"))
        assert [answer.body for _, answer in feed.acknowledged] == [expected]


async def test_branches_that_lead_on_are_part_of_the_line() -> None:
    """Inside a choice the step itself is forgiven; a failing predicate is a failure of the choice."""
    flow = from_(Feed([["x"], ["y"], []]), list, policy=POLICY).choice()
    chosen = flow.when(
        lambda names: (names or bad(names))[0] == "x", lambda f: f.transform(bad).transform(tagged("when"))
    ).otherwise(lambda f: f.transform(tagged("other")).transform(bad))
    assert await ends(chosen.transform(tagged("end"))) == [
        ["x", "rescued", "when", "end"],
        ["y", "other", "rescued", "end"],
        ["rescued", "end"],
    ]


async def test_other_branches_are_part_of_their_step() -> None:
    """What fails inside an attempt or a tap is a failure of the attempt or tap, which is forgiven as a whole."""
    inside = Sink()

    def fails(flow: Flow[Any]) -> Flow[Any]:
        return flow.transform(tagged("inside")).transform(bad).to(inside)

    for word in (
        lambda flow: flow.attempt(fails),
        lambda flow: flow.tap(fails),
        lambda flow: flow.gather(lambda names: [names], fails),
    ):
        flow = word(from_(Feed([["a"]]), list, policy=POLICY)).transform(tagged("end"))
        assert await ends(flow) == [["a", "rescued", "end"]]
    assert inside.bodies == []


async def test_an_inner_scope_comes_first() -> None:
    """An attempt retries and rescues what it can; only what leaves it is asked about here."""
    tries: list[int] = []

    def away(names: list[str]) -> None:
        tries.append(1)
        raise Unavailable("away")

    policy = Policy(rescue={Exception: going_on(lambda flow: flow.transform(rescued))})
    flow = from_(Feed([[]]), list, policy=policy).attempt(
        lambda f: f.transform(away), retry=Retry(2), rescue={Unavailable: lambda f: f.transform(tagged("attempt"))}
    )
    assert await ends(flow.attempt(lambda f: f.transform(away), retry=Retry(1))) == [["attempt", "rescued"]]
    assert len(tries) == 5


async def test_each_part_of_a_split_goes_on() -> None:
    """The failing step of a part is forgiven, the part reaches the end; also in parallel, and with one error object."""
    same = ValueError("always the same")

    def some(n: int) -> int:
        if n % 2:
            raise same
        return n

    policy = Policy(rescue={ValueError: going_on(lambda flow: flow.transform(lambda n: -n))})
    for parallel in (1, 3):
        flow = from_(Feed([[1, 2, 3], [5]]), list, policy=policy).split(lambda ns: ns, parallel=parallel)
        assert await ends(flow.transform(some)) == [-1, 2, -3, -5]


@pytest.mark.parametrize("on_error", ["dead_letter_items", "channel"])
async def test_a_split_that_settles_its_parts_comes_first(on_error: str) -> None:
    """What it decides about failed parts counts; what fails before it, or in itself, still goes on."""
    channel = Sink()
    policy = Policy(rescue={Exception: going_on(lambda flow: flow.transform(lambda ns: [9]))})
    how: Any = dead_letters(lambda f: f.to(channel)) if on_error == "channel" else on_error
    flow = from_(Feed([[1, 0]]), list, policy=policy).transform(bad).transform(lambda ns: [1, 0, *ns])
    sink = Sink()
    run = await run_routes(flow.split(lambda ns: ns, on_error=how).transform(lambda n: 1 // n).to(sink))
    assert sink.bodies == [1, 0]
    assert len(run.letters) + len(channel.bodies) == 1
    assert run.counts["route-1"].done == 1


async def test_what_fails_a_split_as_a_whole_does_not_go_on_behind_it() -> None:
    """A sink that is away fails the whole message, not the split before it."""
    policy = Policy(rescue={Exception: going_on()})
    flow = from_(Feed([[1]]), list, policy=policy).split(lambda ns: ns, on_error="dead_letter_items")
    run = await run_routes(flow.to(Sink(fail={1: Unavailable("away")})))
    assert [(letter.error, letter.message_id) for letter in run.letters] == [("Unavailable", "feed-1")]


async def test_a_branch_that_fails() -> None:
    """Its error has the first one as cause; no step before it is taken for the failing one, and no clause is asked."""
    feed, before, other = Feed([[]]), Sink(), Sink()

    def worse(flow: Flow[Any]) -> Flow[Any]:
        return flow.transform(lambda names: {}["none"])

    policy = Policy(
        dead_letter="refuse",
        rescue={ValueError: going_on(worse), KeyError: going_on(), Exception: rescue(lambda flow: flow.to(other))},
    )
    await run_routes(from_(feed, list, policy=policy).to(before).transform(bad).to(other))
    ((_, error),) = feed.refused
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, ValueError)
    assert (len(before.bodies), other.bodies) == (1, [])


async def test_called_routes_have_lines_of_their_own() -> None:
    """A failure that a called route raises is one of the `to` that called it."""
    inner = (
        from_("direct:in", list, policy=Policy(rescue={KeyError: going_on()})).transform(tagged("in")).transform(bad)
    )
    sink = Sink()
    outer = from_(Feed([["a"]]), list, policy=POLICY).to("direct:in").to(sink)
    run = await run_routes(outer, inner)
    assert sink.bodies == [["a", "rescued"]]
    assert run.counts["route-2"].refused == 1


async def test_an_error_that_takes_no_attributes_goes_on_as_well() -> None:
    """Nothing has to be remembered on it."""

    class Tight(ValueError):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    def tight(body: Any) -> None:
        raise Tight

    flow = from_(Feed([[]]), list, policy=POLICY).transform(lambda x: x).transform(tight)
    assert await ends(flow.transform(tagged("end"))) == [["rescued", "end"]]


@dataclass(frozen=True)
class Late(Step[Any, Any]):
    """A step that fails when the rest of the route is done."""

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        async def handle(message: Message[Any]) -> Message[Any] | None:
            await proceed(message)
            raise ValueError("late")

        return handle


@pytest.mark.parametrize("last", [False, True])
async def test_a_step_that_has_gone_on_does_not_go_on_again(last: bool) -> None:
    """What follows would run twice: the message is a dead letter."""
    sink = Sink()
    flow = from_(Feed([[]]), list, policy=POLICY).then(Late())
    run = await run_routes(flow if last else flow.transform(bad).to(sink))
    assert [letter.reason for letter in run.letters] == ["late"]
    assert sink.bodies == ([] if last else [["rescued"]])


async def test_a_message_that_expires_further_on_does_not_go_on() -> None:
    """`expire` cancels what follows it, which has begun."""
    begun: list[int] = []

    async def slow(names: list[str]) -> None:
        begun.append(1)
        await anyio.sleep(100)

    policy = Policy(rescue={Rejected: going_on()})
    setup = setup_for(Run())
    flow = from_(Feed([[]]), list, policy=policy).expire(at=lambda names: setup.now() + 10).transform(slow)
    run = await run_routes(flow, setup=setup)
    assert ([letter.error for letter in run.letters], begun) == (["Expired"], [1])


async def test_a_route_that_calls_itself() -> None:
    """The failure of the inner message, which its clause does not forgive, is one of the step that called for it."""
    sink = Sink()
    branch = going_on(lambda flow: flow.transform(rescued), when=lambda error, message: not message.body)
    calls = from_("direct:in", list, policy=Policy(rescue={ValueError: branch})).choice()
    route = calls.when(lambda names: not names, lambda f: f.transform(tagged("in")).to("direct:in")).otherwise(
        lambda f: f.transform(bad)
    )
    await run_routes(from_(Feed([[]]), list).to("direct:in"), route.to(sink))
    assert sink.bodies == [["in", "rescued"]]


async def test_cancelled_in_a_branch_that_goes_on() -> None:
    """The message stays unacknowledged."""
    reached = anyio.Event()

    async def wait(body: Any) -> None:
        reached.set()
        await anyio.sleep(10_000)

    source = Watched([0])
    policy = Policy(rescue={ValueError: going_on(lambda flow: flow.transform(wait))})
    async with running(from_(source, int, policy=policy).transform(bad), setup=setup_for(Run(), drain=5)):
        await reached.wait()
    assert source.told == []


async def test_what_a_route_brings_itself_goes_on_too() -> None:
    """A step behind the place where such messages enter is forgiven like any other."""

    @dataclass(frozen=True)
    class Release(Step[Any, Any]):
        def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
            entry = runtime.entry(proceed)

            def handle(message: Message[Any]) -> Awaitable[Message[Any] | None]:
                return runtime.release(Message([*message.body, "group"], id="group"), entry=entry)

            return handle

    flow = from_(Feed([[]]), list, policy=POLICY).then(Release()).transform(bad).transform(tagged("end"))
    assert await ends(flow) == [["group", "rescued", "end"]]


async def test_routes_without_such_clauses_have_no_line() -> None:
    """Their steps are bound as they are."""

    async def handler(message: Message[Any]) -> None:
        return None

    line = Line()
    assert line.step(handler, line.end()) is handler
    assert line.entered(handler) is handler
    assert not line.holds(handler)


STEPS = st.lists(st.sampled_from(["ok", "value", "key", "attempt", "tap"]), max_size=7)


@given(steps=STEPS, kinds=st.sets(st.sampled_from([ValueError, KeyError])))
async def test_any_line_of_steps(steps: list[str], kinds: set[type[Exception]]) -> None:
    """What arrives is what a plain loop over the steps gives."""
    rescues = {kind: going_on(lambda flow: flow.transform(rescued)) for kind in kinds}
    errors = {"value": ValueError, "key": KeyError, "attempt": ValueError, "tap": KeyError}

    def fail(kind: type[Exception]) -> Any:
        def function(names: list[str]) -> None:
            raise kind

        return function

    feed = Feed([[]])
    flow: Flow[Any] = from_(feed, list, policy=Policy(rescue=rescues))
    expected: list[str] | None = []
    for number, step in enumerate(steps):
        function = fail(errors[step]) if step in errors else tagged(str(number))
        if step == "attempt":
            flow = flow.attempt(lambda f, function=function: f.transform(tagged("x")).transform(function))
        elif step == "tap":
            flow = flow.tap(lambda f, function=function: f.transform(function))
        else:
            flow = flow.transform(function)
        if expected is not None:
            added = [str(number)] if step == "ok" else ["rescued"] if errors[step] in kinds else None
            expected = None if added is None else [*expected, *added]
    run = await run_routes(flow)
    ((_, reply),) = feed.acknowledged
    assert (reply and reply.body) == expected
    assert len(run.letters) == (expected is None)
