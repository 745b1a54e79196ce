"""routing_slip"""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, Policy, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

Trip = dict[str, Any]


def stop(name: str) -> Any:
    """A stop that writes its name into the body."""

    async def visit(trip: Trip) -> Trip:
        await anyio.sleep(1)
        return {**trip, "seen": [*trip.get("seen", ()), name]}

    return lambda flow: flow.transform(visit)


def listed(trip: Trip) -> Any:
    return trip["slip"]


STOPS: Any = {name: stop(name) for name in ("a", "b", "c")}


@pytest.mark.parametrize("slip", [["b", "a", "b"], ("c",), [], "a"])
async def test_the_message_goes_through_the_stops_of_its_slip(slip: Any) -> None:
    """In that order, also twice through one; each gets what the one before it gave, and the last result goes on."""
    sink = Sink()
    flow = from_(Feed([Message({"slip": slip}, {"h": 1}, "m")]), dict).routing_slip(listed, STOPS)
    await run_routes(flow.to(sink))
    (message,) = sink.messages
    assert message.body.get("seen", []) == list(slip)
    assert (message.id, dict(message.headers)) == ("m", {"h": 1})


async def test_the_slip_is_computed_once() -> None:
    """A stop cannot change where the message goes."""
    asked, sink = [], Sink()

    async def slip(trip: Trip, message: Message[Trip]) -> list[str]:
        await anyio.sleep(1)
        asked.append(message.id)
        return trip["slip"]

    stops: Any = {"a": lambda f: f.transform(lambda trip: {"slip": ["b"]}), "b": stop("b")}
    await run_routes(from_(Feed([{"slip": ["a"]}]), dict).routing_slip(slip, stops).to(sink))
    assert asked == ["feed-1"]
    assert sink.bodies == [{"slip": ["b"]}]


async def test_a_stop_that_ends_the_message_ends_it() -> None:
    """Neither the stops after it nor the rest of the route run."""
    sink, stops = Sink(), {**STOPS, "end": lambda f: f.stop()}
    feed = Feed([{"slip": ["a", "end", "b"]}])
    run = await run_routes(from_(feed, dict).routing_slip(listed, stops).to(sink))
    assert sink.bodies == []
    assert (run.counts["route-1"].ended, len(feed.acknowledged)) == (1, 1)


async def test_headers_travel_from_stop_to_stop() -> None:
    """As between any two steps."""
    sink = Sink()
    stops: Any = {"a": lambda f: f.set_header("x", 1), "b": lambda f: f.transform(lambda body, m: m.headers["x"])}
    await run_routes(from_(Feed([{"slip": "ab"}]), dict).routing_slip(lambda trip: list(trip["slip"]), stops).to(sink))
    assert sink.bodies == [1]


@pytest.mark.parametrize("slip", [["a", "x"], "x", [None], None, [["a"]], 3])
async def test_a_name_that_is_not_declared_rejects_the_message(slip: Any) -> None:
    """Before the first stop."""
    visited: list[int] = []
    stops: Any = {"a": lambda f: f.transform(lambda trip: visited.append(1))}
    run = await run_routes(from_(Feed([{"slip": slip}]), dict).routing_slip(listed, stops))
    assert [letter.error for letter in run.letters] == ["Rejected"]
    assert visited == []


async def test_an_endless_slip_rejects_the_message() -> None:
    """Not more than `most` names are taken of a generator."""
    taken: list[str] = []

    def endless(trip: Trip) -> Iterator[str]:
        while True:
            taken.append("a")
            yield "a"

    run = await run_routes(from_(Feed([{}]), dict).routing_slip(endless, STOPS, most=5))
    assert [letter.reason for letter in run.letters] == [
        "more than 5 branches were given; raise `most` if that is meant"
    ]
    assert len(taken) == 6


async def test_a_failure_in_a_stop_is_the_messages_own() -> None:
    """And says which stop it was."""
    feed, stops = Feed([{"slip": ["a", "bad"]}]), {**STOPS, "bad": lambda f: f.transform(lambda trip: 1 // 0)}
    await run_routes(from_(feed, dict, policy=Policy(dead_letter="refuse")).routing_slip(listed, stops))
    ((_, error),) = feed.refused
    assert isinstance(error, ZeroDivisionError)
    assert any("bad > transform" in note for note in error.__notes__)


def test_wrong_options_are_refused_when_written() -> None:
    """No stops, names, numbers."""
    flow: Any = from_("timer:x")
    for wrong in (({},), ({"": lambda f: f},), (STOPS, 0)):
        with pytest.raises(DefinitionError):
            flow.routing_slip(listed, wrong[0], **({"most": wrong[1]} if len(wrong) > 1 else {}))


def test_it_can_be_drawn() -> None:
    """Each stop under its name."""
    (step,) = from_("timer:x", dict).routing_slip(listed, STOPS).chain.steps
    assert step.label == "routing_slip(listed)"
    assert [name for name, _ in step.branches()] == ["a", "b", "c"]


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=5))
async def test_every_message_takes_its_own_way(slips: list[list[str]]) -> None:
    """Also when several are under way."""
    sink = Sink()
    flow: Flow[Any] = from_(Feed([{"slip": slip} for slip in slips]), dict, policy=Policy(concurrency=3))
    await run_routes(flow.routing_slip(listed, STOPS).to(sink))
    assert sorted(body.get("seen", []) for body in sink.bodies) == sorted(slips)
    assert all(body.get("seen", []) == body["slip"] for body in sink.bodies)
