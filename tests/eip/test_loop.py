"""loop"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def more(flow: Flow[int]) -> Flow[int]:
    return flow.transform(lambda n: n + 1)


def grow(body: list[int]) -> list[int]:
    body.append(len(body))
    return body


async def later(n: int) -> int:
    await anyio.sleep(1)
    return n


@pytest.mark.parametrize(("times", "expected"), [(0, 3), (1, 4), (5, 8), (lambda n: n, 6), (later, 6)])
async def test_the_branch_runs_so_many_times(times: Any, expected: int) -> None:
    """A number, or what a function makes of the body; what the last turn gave goes on."""
    sink = Sink()
    await run_routes(from_(Feed([Message(3, id="m")]), int).loop(more, times=times).to(sink))
    assert [(message.body, message.id) for message in sink.messages] == [(expected, "m")]


async def test_the_branch_runs_as_long_as_the_predicate_holds() -> None:
    """It is asked about what the last turn gave, and before the first turn about the message."""
    sink, asked = Sink(), []

    async def small(n: int, message: Message[int]) -> bool:
        await anyio.sleep(1)
        asked.append((n, message.id))
        return n < 3

    await run_routes(from_(Feed([1, 7]), int).loop(more, while_=small).to(sink))
    assert sink.bodies == [3, 7]
    assert asked == [(1, "feed-1"), (2, "feed-1"), (3, "feed-1"), (7, "feed-2")]


async def test_with_copy_each_turn_gets_the_message_as_it_came() -> None:
    """Whatever a turn before has changed; the result of the last goes on."""
    sink, seen = Sink(), Sink()
    flow = from_(Feed([Message([7], {"h": 1}, "m")]), list)
    await run_routes(flow.loop(lambda f: f.to(seen).transform(grow).set_header("h", 2), times=3, copy=True).to(sink))
    assert sink.bodies == [[7, 1]]
    assert [dict(message.headers) for message in seen.messages] == [{"h": 1}] * 3
    await run_routes(flow.loop(lambda f: f.transform(grow), times=3).to(sink))
    assert sink.bodies[1] == [7, 1, 2, 3]


async def test_headers_travel_from_turn_to_turn() -> None:
    """And go on."""
    sink = Sink()

    def count(body: int, message: Message[int]) -> int:
        return message.headers.get("turns", 0) + 1

    await run_routes(from_(Feed([1]), int).loop(lambda f: f.set_header("turns", count), times=4).to(sink))
    assert dict(sink.messages[0].headers) == {"turns": 4}


async def test_a_turn_knows_its_number_and_has_an_id_of_its_own() -> None:
    """So that turns do not collapse in a store; afterwards the message is itself again."""
    turns, sink = Sink(), Sink()
    flow = from_(Feed([Message(1, id="m")]), int).loop(lambda f: f.to(turns), times=2).to(sink)
    await run_routes(flow.loop(lambda f: f.to(turns).transform(lambda n: n + 1), while_=lambda n: n < 3))
    assert [message.id for message in turns.messages] == ["m/turn-1", "m/turn-2"] * 2
    said = [(m.meta.sequence.index, m.meta.sequence.last, m.meta.sequence.size) for m in turns.messages]
    assert said == [(0, False, 2), (1, True, 2), (0, False, None), (1, False, None)]
    assert sink.messages[0].meta.sequence is None


async def test_a_turn_that_ends_the_message_ends_it() -> None:
    """No other turn runs."""
    sink, seen = Sink(), Sink()
    await run_routes(from_(Feed([1]), int).loop(lambda f: f.to(seen).stop(), times=3).to(sink))
    assert (seen.bodies, sink.bodies) == ([1], [])


@pytest.mark.parametrize("times", [-1, 6, "2", 2.0, True, None])
async def test_a_number_of_turns_that_cannot_be_rejects_the_message(times: Any) -> None:
    """Negative, above `most`, or none."""
    run = await run_routes(from_(Feed([1]), int).loop(more, times=lambda n: times, most=5))
    assert [letter.error for letter in run.letters] == ["Rejected"]


@pytest.mark.parametrize(("most", "fails"), [(3, True), (4, False)])
async def test_a_loop_that_never_ends_rejects_the_message(most: int, fails: bool) -> None:
    """After `most` turns, if the predicate still holds."""
    sink, turns = Sink(), []
    flow = from_(Feed([0]), int).loop(
        lambda f: f.transform(lambda n: turns.append(n) or n + 1), while_=lambda n: n < 4, most=most
    )
    run = await run_routes(flow.to(sink))
    assert (len(turns), sink.bodies) == (most, [] if fails else [4])
    assert [letter.reason for letter in run.letters] == [
        "the loop goes on after 3 turns; raise `most` if that is meant"
    ] * fails


async def test_other_routes_run_meanwhile() -> None:
    """Turns that never wait leave the others their turn."""
    seen: list[str] = []

    async def other(n: int) -> None:
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        seen.append("other")

    busy = from_(Feed([1]), int).loop(more, times=5000, most=5000).transform(lambda n: seen.append("busy"))
    await run_routes(busy, from_(Feed([1])).transform(other))
    assert seen == ["other", "busy"]


def test_wrong_options_are_refused_when_written() -> None:
    """An end must be given, and only one."""
    flow: Any = from_("timer:x")
    for options in (
        {},
        {"times": 1, "while_": bool},
        {"times": -1},
        {"times": 1001},
        {"times": 1, "most": 0},
        {"while_": True},
    ):
        with pytest.raises(DefinitionError):
            flow.loop(more, **options)


def test_it_can_be_drawn() -> None:
    """With what ends it."""
    flow: Any = from_("timer:x")
    assert flow.loop(more, times=3).chain.steps[0].label == "loop(times 3)"
    assert flow.loop(more, times=len).chain.steps[0].label == "loop(times len)"
    assert flow.loop(more, while_=bool).chain.steps[0].label == "loop(while bool)"
    assert [name for name, _ in flow.loop(more, times=3).chain.steps[0].branches()] == ["turn"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 200)), max_size=4), st.booleans())
async def test_a_loop_is_a_loop(bodies: list[tuple[int, int]], copy: bool) -> None:
    """As `for _ in range(n)` around the branch."""
    sink = Sink()
    flow = from_(Feed(bodies)).loop(
        lambda f: f.transform(lambda body: (body[0] * 2, body[1])), times=lambda body: body[1], copy=copy
    )
    await run_routes(flow.to(sink))
    assert sink.bodies == [(n * 2 ** (min(times, 1) if copy else times), times) for n, times in bodies]
