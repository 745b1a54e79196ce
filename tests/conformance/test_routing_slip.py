"""Routing slips, dynamic routers, loops, load balancers, failover, detours and interceptors."""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from routekit import DefinitionError, Flow, PartsFailed, Policy, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def stop(name: str) -> Any:
    return lambda flow: flow.transform(lambda way: [*way, name])


async def test_a_slip_is_computed_once_and_each_stop_feeds_the_next() -> None:
    """As Camel; departure: stops are declared, and data picks among them."""
    out, asked = Sink(), []

    def slip(way: list[str]) -> list[str]:
        asked.append(way)
        return ["b", "a"]

    await run_routes(from_(Feed([[]]), list).routing_slip(slip, {"a": stop("a"), "b": stop("b")}).to(out))
    assert (out.bodies, len(asked)) == ([["b", "a"]], 1)


async def test_a_slip_with_an_unknown_stop_goes_nowhere() -> None:
    """Departure: Camel goes as far as the unknown endpoint, or leaves it out with `ignoreInvalidEndpoints`."""
    out = Sink()
    stops = {"a": lambda f: f.to(out)}
    run = await run_routes(from_(Feed([[]]), list).routing_slip(lambda _: ["a", "x"], stops))
    assert out.bodies == []
    assert [letter.error for letter in run.letters] == ["Rejected"]


async def test_a_dynamic_router_is_asked_before_each_hop() -> None:
    """As Camel, until it gives nothing; it sees what the last stop made of the message."""
    out = Sink()
    flow = from_(Feed([[]]), list).dynamic_router(
        lambda way: None if len(way) == 3 else "a" if len(way) % 2 else "b", {"a": stop("a"), "b": stop("b")}
    )
    await run_routes(flow.to(out))
    assert out.bodies == [["b", "a", "b"]]


async def test_a_router_that_never_ends_is_stopped() -> None:
    """Departure: a router that never returns null keeps its exchange for ever."""
    feed, hops = Feed([0]), []
    stops = {"a": lambda f: f.transform(lambda n: hops.append(n) or n + 1)}
    await run_routes(from_(feed, int, policy=REFUSE).dynamic_router(lambda _: "a", stops, most=10))
    assert "after 10 hops" in str(feed.refused[0][1])
    assert len(hops) == 10


async def test_a_loop_feeds_each_turn_with_the_last() -> None:
    """As `loop`: so many times, each turn with the result of the one before it."""
    out = Sink()
    await run_routes(from_(Feed([1]), int).loop(lambda f: f.transform(lambda n: n * 2), times=5).to(out))
    assert out.bodies == [32]


async def test_a_loop_may_begin_each_turn_with_the_message_as_it_came() -> None:
    """As `copy=true`."""
    out, turns = Sink(), []

    def work(n: int) -> int:
        turns.append(n)
        return n + 1

    await run_routes(from_(Feed([1]), int).loop(lambda f: f.transform(work), times=3, copy=True).to(out))
    assert (turns, out.bodies) == ([1, 1, 1], [2])


async def test_a_turn_knows_its_number() -> None:
    """As `CamelLoopIndex` and `CamelLoopSize`, in what the engine knows."""
    seen: list[Any] = []
    see = lambda f: f.transform(lambda n, m: seen.append((m.meta.sequence.index, m.meta.sequence.size)))  # noqa: E731
    await run_routes(from_(Feed([1]), int).loop(see, times=2))
    assert seen == [(0, 2), (1, 2)]


async def test_a_loop_runs_while_its_predicate_holds() -> None:
    """As `doWhile`; departure: it has a limit, so that a predicate that always holds is an error and no hang."""
    out, feed = Sink(), Feed([1])
    await run_routes(from_(feed, int).loop(lambda f: f.transform(lambda n: n * 2), while_=lambda n: n < 100).to(out))
    assert out.bodies == [128]
    endless = Feed([1])
    await run_routes(from_(endless, int, policy=REFUSE).loop(lambda f: f, while_=lambda n: True, most=50))
    assert "after 50 turns" in str(endless.refused[0][1])


def sinks(count: int) -> tuple[list[Sink], list[Any]]:
    those = [Sink() for _ in range(count)]
    return those, [partial(Flow[Any].to, uri=sink) for sink in those]


async def test_messages_go_round_robin() -> None:
    """As `roundRobin`, and as `weighted` 3 to 1."""
    (a, b), branches = sinks(2)
    await run_routes(from_(Feed(range(4)), int).load_balance(*branches))
    assert (a.bodies, b.bodies) == ([0, 2], [1, 3])
    (a, b), branches = sinks(2)
    await run_routes(from_(Feed(range(8)), int).load_balance(*branches, weights=(3, 1)))
    assert (len(a.bodies), len(b.bodies)) == (6, 2)


async def test_a_key_sticks_to_its_branch_also_after_a_restart() -> None:
    """Departure: `sticky` keeps a map in memory, which a restart forgets; here the key itself decides."""
    went: dict[int, set[int]] = {}
    for _ in range(2):
        those, branches = sinks(3)
        await run_routes(from_(Feed([n % 5 for n in range(40)]), int).load_balance(*branches, by=lambda n: n))
        for number, sink in enumerate(those):
            for body in sink.bodies:
                went.setdefault(body, set()).add(number)
    assert all(len(branches) == 1 for branches in went.values())


async def test_failover_tries_each_branch_once() -> None:
    """Departure: with `maximumFailoverAttempts=-1` and round robin Camel cycles for ever."""
    feed, tries = Feed([1]), Counter[str]()

    def failing(name: str) -> Any:
        def fail(n: int) -> None:
            tries[name] += 1
            raise Unavailable(name)

        return lambda flow: flow.transform(fail)

    flow = from_(feed, int, policy=REFUSE).failover(failing("a"), failing("b"), failing("c"), start="next")
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert tries == {"a": 1, "b": 1, "c": 1}
    assert isinstance(error.__cause__, PartsFailed)


async def test_failover_goes_on_with_the_first_that_succeeds() -> None:
    """As Camel with `exception`: only errors that are named lead on."""
    out, second = Sink(), Sink()
    away, down = Sink(fail={1: Unavailable("away")}), Sink(fail={1: ValueError("bad")})
    await run_routes(from_(Feed([1]), int).failover(lambda f: f.to(away), lambda f: f.to(out), on=Unavailable))
    assert out.bodies == [1]
    feed = Feed([1])
    flow = from_(feed, int, policy=REFUSE).failover(lambda f: f.to(down), lambda f: f.to(second), on=Unavailable)
    await run_routes(flow)
    assert (second.bodies, [type(error) for _, error in feed.refused]) == ([], [ValueError])


async def test_a_failed_try_changes_nothing_for_the_next_branch() -> None:
    """Departure: what the first branch did to the body is seen by the second."""
    out = Sink()

    def spoil(row: dict[str, int]) -> None:
        row["n"] = 99
        raise Unavailable("away")

    await run_routes(from_(Feed([{"n": 1}]), dict).failover(lambda f: f.transform(spoil), lambda f: f).to(out))
    assert out.bodies == [{"n": 1}]


async def test_a_detour_is_taken_while_it_is_on() -> None:
    """As the book's detour: through the branch and back, or straight on."""
    out, seen = Sink(), Sink()
    on = [True]

    def turn(n: int) -> bool:
        on[0] = n < 2
        return on[0]

    await run_routes(from_(Feed([1, 2]), int).detour(turn, lambda f: f.to(seen)).to(out))
    assert (seen.bodies, out.bodies) == ([1], [1, 2])


@pytest.mark.parametrize(("skip", "sent"), [(False, [2]), (True, [])])
async def test_sends_to_an_endpoint_are_intercepted(skip: bool, sent: list[int]) -> None:
    """As `interceptSendToEndpoint` and `skipSendToOriginalEndpoint`; departure: for this flow only, and drawn."""
    seen, original = Sink(), Sink()
    flow = from_(Feed([1]), int).transform(lambda n: n + 1).to("direct:out")
    inner = from_("direct:out", int).to(original)
    await run_routes(flow.intercept("direct:*", lambda f: f.to(seen), skip=skip), inner)
    assert (seen.bodies, original.bodies) == ([2], sent)


def test_an_interceptor_of_nothing_is_a_mistake() -> None:
    """Departure: advice and interceptors whose pattern fits nothing do nothing, in silence."""

    def flow() -> Flow[int]:
        return from_("timer:t", int).to("log:lines")

    with pytest.raises(DefinitionError, match="nothing is sent to"):
        flow().intercept("file:*", lambda f: f)
