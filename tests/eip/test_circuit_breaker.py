"""circuit_breaker: as a step. The machine itself is tested in `test_breaker`."""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import CircuitOpen, DefinitionError, Invalid, Message, Policy, Rejected, Retry, Unavailable, from_
from routekit.check import check
from routekit.events import CircuitChanged
from routekit.plugins import Catalog
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def coming(*times: float) -> Any:
    """Message n comes at the time n, counted from the start."""
    begun: list[float] = []

    async def come(n: int) -> int:
        begun[:] = begun or [anyio.current_time()]
        await anyio.sleep(max(0.0, begun[0] + times[n] - anyio.current_time()))
        return n

    return come


def failing(*numbers: int, calls: list[int] | None = None, error: Exception | None = None) -> Any:
    """A branch that fails for these messages."""

    def call(n: int) -> int:
        if calls is not None:
            calls.append(n)
        if n in numbers:
            raise error or Unavailable(f"away at {n}")
        return n

    return lambda flow: flow.transform(call)


def states(run: Run) -> list[tuple[str, str]]:
    return [(event.name, event.state) for event in run.of(CircuitChanged)]


async def test_it_opens_probes_and_closes() -> None:
    """While it is open no call is made; the first one after its time is the probe."""
    calls, feed = list[int](), Feed(range(6))
    flow = from_(feed, int, policy=REFUSE).transform(coming(0, 1, 2, 3, 62, 63))
    body = failing(0, 1, calls=calls)
    run = await run_routes(flow.circuit_breaker(body, name="crm", window=2, minimum=2, probes=1))
    assert calls == [0, 1, 4, 5]
    assert states(run) == [("crm", "open"), ("crm", "half-open"), ("crm", "closed")]
    assert [type(error) for _, error in feed.refused] == [Unavailable, Unavailable, CircuitOpen, CircuitOpen]
    (opened, *_) = run.of(CircuitChanged)
    assert opened == CircuitChanged(
        "route-1", "crm", "open", "2 of 2 calls failed, the last with Unavailable: away at 1", 60.0
    )


async def test_the_fallback_takes_the_place_of_the_call() -> None:
    """Of one that failed, and of one that was not made; it gets the message as it came, and the error."""
    sink, seen = Sink(), list[Any]()

    def spoil(row: dict[str, int]) -> None:
        row["n"] = -1
        raise Unavailable("away")

    def instead(row: dict[str, int], message: Message[Any]) -> str:
        seen.append((row["n"], type(message.meta.error)))
        return "kept for later"

    flow = from_(Feed([{"n": 1}, {"n": 2}]), dict).circuit_breaker(
        lambda f: f.transform(spoil), name="crm", window=1, minimum=1, fallback=lambda f: f.transform(instead)
    )
    after = flow.transform(lambda body, message: (body, message.meta.error))
    await run_routes(after.to(sink))
    assert seen == [(1, Unavailable), (2, CircuitOpen)]
    assert sink.bodies == [("kept for later", None)] * 2


async def test_what_says_something_about_the_message_is_raised() -> None:
    """It neither counts nor takes the fallback: it would be refused by a system that is well."""
    feed, sink = Feed(range(4)), Sink()
    body = failing(0, 1, 2, error=Invalid(["no email"]))
    flow = from_(feed, int, policy=REFUSE).circuit_breaker(
        body, name="crm", window=1, minimum=1, fallback=lambda f: f.transform(lambda n: "rescued")
    )
    run = await run_routes(flow.to(sink))
    assert sink.bodies == [3]
    assert [type(error) for _, error in feed.refused] == [Invalid] * 3
    assert states(run) == []


async def test_classes_say_what_counts() -> None:
    """`on` and `never` take one class or several."""
    feed = Feed(range(3))
    flow = from_(feed, int, policy=REFUSE).circuit_breaker(
        failing(0, 1, 2, error=Rejected("x")), name="crm", window=2, minimum=2, on=(Rejected, OSError), never=()
    )
    run = await run_routes(flow)
    assert states(run) == [("crm", "open")]


async def test_a_failing_fallback_fails_the_message() -> None:
    """With its own error, and the first one as context."""
    feed = Feed([1])
    flow = from_(feed, int, policy=REFUSE).circuit_breaker(
        failing(1), name="crm", fallback=lambda f: f.apply(failing(1, error=OSError("full")))
    )
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert isinstance(error, OSError)
    assert isinstance(error.__context__, Unavailable)


async def test_what_follows_is_not_inside() -> None:
    """Its failures do not count."""
    flow = from_(Feed(range(5)), int).circuit_breaker(lambda f: f, name="crm", window=1, minimum=1)
    run = await run_routes(flow.apply(failing(*range(5))))
    assert [letter.error for letter in run.letters] == ["Unavailable"] * 5
    assert states(run) == []


async def test_a_branch_that_ends_the_message_has_succeeded() -> None:
    """And what follows does not run."""
    sink = Sink()
    flow = from_(Feed([0, 1, 2, 3]), int).circuit_breaker(
        lambda f: f.apply(failing(0, 1)).filter(lambda n: n > 3), name="crm", window=4, minimum=4, failures=0.6
    )
    run = await run_routes(flow.to(sink))
    assert (sink.bodies, states(run)) == ([], [])
    assert run.counts["route-1"].ended == 2


async def test_breakers_of_one_name_are_one() -> None:
    """What one route learns, the others know; those of another name do not."""
    calls = list[int]()

    def route(name: str, when: float, *bad: int) -> Any:
        flow = from_(Feed([0]), int, policy=REFUSE).transform(coming(when))
        return flow.circuit_breaker(failing(*bad, calls=calls), name=name, window=1, minimum=1)

    run = await run_routes(route("crm", 0, 0), route("crm", 1), route("erp", 1))
    assert calls == [0, 0]
    assert run.counts["route-2"].refused == 1
    assert run.counts["route-3"].done == 1


def test_a_name_has_one_set_of_rules() -> None:
    """Other ones are found by the check."""
    flow = from_("timer:x").circuit_breaker(lambda f: f, name="crm", open_for=30)
    other = from_("timer:y").circuit_breaker(lambda f: f, name="crm")
    (problem,) = check([flow.route("a"), other.route("b")], Catalog())
    assert (problem.route, problem.message) == ("b", "'crm' has other options in route 'a'")


async def test_it_survives_the_restart_of_its_route() -> None:
    """A source that breaks makes its route start again; the system behind the breaker is still down."""
    source = Watched([0, 1, ConnectionError("the source is away"), 2])
    calls = list[int]()
    flow = from_(source, int, policy=REFUSE).circuit_breaker(
        failing(0, 1, calls=calls), name="crm", window=2, minimum=2
    )
    async with running(flow):
        await anyio.sleep(5)
    assert calls == [0, 1]
    assert source.told == [("nack", "m0"), ("nack", "m1"), ("nack", "m2")]


async def test_retries_wait_until_it_closes() -> None:
    """`CircuitOpen` is worth a retry, as the failure itself is."""
    calls, sink = list[int](), Sink()
    policy = Policy(retry=Retry(50, first=10, most=10))
    left = [Unavailable("away")] * 2

    def call(n: int) -> int:
        calls.append(n)
        if left:
            raise left.pop()
        return n

    flow = from_(Feed([7]), int, policy=policy).circuit_breaker(
        lambda f: f.transform(call), name="crm", window=2, minimum=2, open_for=60, probes=1
    )
    await run_routes(flow.to(sink))
    assert sink.bodies == [7]
    assert calls == [7, 7, 7]


@settings(max_examples=60)
@given(
    deadlines=st.lists(st.integers(1, 40).map(lambda number: number / 8), min_size=1, max_size=8),
    took=st.lists(st.integers(0, 40).map(lambda number: number / 8), min_size=1, max_size=4),
    probes=st.integers(1, 3),
    waits=st.booleans(),
)
async def test_a_cancelled_call_counts_as_neither_and_frees_its_place(
    deadlines: list[float], took: list[float], probes: int, waits: bool
) -> None:
    """Whenever it is cancelled, in any state: as many probes as there may be are let through afterwards."""
    calls = list[str]()

    async def work(n: int) -> int:
        calls.append("begun")
        if n < 0:
            raise Unavailable("away")
        await anyio.sleep(1000 if n == 0 else took[n % len(took)])
        return n

    def breaker(flow: Any) -> Any:
        return flow.circuit_breaker(
            lambda f: f.transform(work), name="crm", window=1, minimum=1, open_for=1, probes=probes, failures=1.0
        )

    opening = from_(Feed([-1]), int, policy=REFUSE).apply(breaker)
    routes = {"opening": opening}
    for number, deadline in enumerate(deadlines):
        policy = Policy(deadline=deadline + 2, dead_letter="refuse")
        flow = from_(Feed([0]), int, policy=policy).transform(coming(2 if waits else 0))
        routes[f"r{number}"] = flow.apply(breaker)
    after = from_(Feed(range(1, probes + 1)), int, policy=Policy(concurrency=probes, dead_letter="refuse"))
    run = await run_routes(**routes, after=after.transform(lambda n: late(n)).apply(breaker))
    assert run.counts["after"].done == probes
    assert states(run)[-1] == ("crm", "closed")


async def late(n: int) -> int:
    await anyio.sleep(100)
    return n


async def test_a_forced_stop_while_a_probe_is_under_way() -> None:
    """Nothing is told to the source, and the next service begins with a breaker that is closed."""
    source = Watched([0, 1])

    async def hang(n: int) -> None:
        if n == 0:
            raise Unavailable("away")
        await anyio.sleep(10**6)

    flow = from_(source, int, policy=REFUSE).transform(coming(0, 70))
    flow = flow.circuit_breaker(lambda f: f.transform(hang), name="crm", window=1, minimum=1)
    run = Run()
    async with running(flow, setup=setup_for(run)) as service:
        await anyio.sleep(100)
        service.force()
    assert source.told == [("nack", "m0")]
    assert states(run) == [("crm", "open"), ("crm", "half-open")]


async def test_it_is_opened_and_closed_by_hand() -> None:
    """By the control bus, which also asks for its figures."""
    source, calls = Watched([0, 1, 2]), list[int]()
    flow = from_(source, int, policy=REFUSE).transform(coming(0, 2, 200))
    flow = flow.circuit_breaker(failing(calls=calls), name="crm")
    run = Run()
    async with running(flow, setup=setup_for(run)) as service:
        await anyio.sleep(1)
        assert (await service.control("stats", "crm"))["calls"] == 1
        await service.control("open", "crm")
        await anyio.sleep(100)
        stats = await service.control("stats", "crm")
        assert (stats["state"], stats["refused"], stats["why"]) == ("open", 1, "it was opened by hand")
        await service.control("close", "crm")
        await anyio.sleep(200)
    assert calls == [0, 2]
    assert states(run) == [("crm", "open"), ("crm", "closed")]


@pytest.mark.parametrize("options", [{"window": 5}, {"failures": 0}, {"open_for": -1}, {"probes": 0}])
def test_rules_that_cannot_work(options: Any) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError):
        from_("timer:x").circuit_breaker(lambda f: f, name="crm", **options)


def test_its_branches_can_be_drawn() -> None:
    """With its name in the label."""
    (step,) = from_("timer:x").circuit_breaker(lambda f: f.stop(), name="crm", fallback=lambda f: f.stop()).chain.steps
    assert step.label == "circuit_breaker(crm)"
    assert [name for name, _ in step.branches()] == ["circuit_breaker", "fallback"]


async def test_a_fallback_that_fails_keeps_the_failure_as_its_cause() -> None:
    """So that nobody has to guess why it was asked."""
    feed = Feed([0])
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).circuit_breaker(
        lambda f: f.transform(lambda n: 1 // n), name="x", fallback=lambda f: f.transform(lambda n: {}["none"])
    )
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, ZeroDivisionError)
