"""dynamic_router"""

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def half(flow: Flow[int]) -> Flow[int]:
    return flow.transform(lambda n: n // 2)


def triple(flow: Flow[int]) -> Flow[int]:
    return flow.transform(lambda n: 3 * n + 1)


def collatz(n: int) -> str | None:
    if n == 1:
        return None
    return "triple" if n % 2 else "half"


STOPS: Any = {"half": half, "triple": triple}


def oracle(n: int) -> list[int]:
    """All values on the way to 1."""
    way = [n]
    while way[-1] != 1:
        way.append(3 * way[-1] + 1 if way[-1] % 2 else way[-1] // 2)
    return way


@given(st.integers(1, 200))
async def test_the_function_is_asked_before_each_hop(n: int) -> None:
    """It sees what the last stop gave; when it says None, that goes on."""
    asked, sink = [], Sink()

    async def following(value: int, message: Message[int]) -> str | None:
        await anyio.sleep(0.1)
        asked.append(value)
        return collatz(value)

    await run_routes(from_(Feed([Message(n, id="m")]), int).dynamic_router(following, STOPS, most=200).to(sink))
    assert asked == oracle(n)
    assert [(message.body, message.id) for message in sink.messages] == [(1, "m")]


async def test_no_hop_at_all() -> None:
    """None at once: the message goes straight on."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).dynamic_router(collatz, STOPS).to(sink))
    assert sink.bodies == [1]


async def test_a_stop_that_ends_the_message_ends_it() -> None:
    """The function is not asked again."""
    asked, sink = [], Sink()
    stops: Any = {"end": lambda f: f.stop()}
    flow = from_(Feed([1]), int).dynamic_router(lambda n: asked.append(n) or "end", stops).to(sink)
    run = await run_routes(flow)
    assert (asked, sink.bodies, run.counts["route-1"].ended) == ([1], [], 1)


@pytest.mark.parametrize(("most", "fails"), [(2, True), (3, False)])
async def test_a_router_that_never_ends_rejects_the_message(most: int, fails: bool) -> None:
    """More than `most` hops, and no hop is made beyond them."""
    sink, hops = Sink(), []
    stops: Any = {"on": lambda f: f.transform(lambda n: hops.append(n) or n - 1)}
    flow = from_(Feed([3]), int).dynamic_router(lambda n: "on" if n else None, stops, most=most).to(sink)
    run = await run_routes(flow)
    assert hops == [3, 2, 1][:most]
    assert sink.bodies == ([] if fails else [0])
    reasons = [letter.reason for letter in run.letters]
    assert [letter.error for letter in run.letters] == ["Rejected"] * fails
    assert all("asks for 'on' after 2 hops; it must give None" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["haf", "", 7, ["half"]])
async def test_a_name_that_is_not_declared_rejects_the_message(name: Any) -> None:
    """With what there is."""
    run = await run_routes(from_(Feed([1]), int).dynamic_router(lambda n: name, STOPS))
    assert [letter.error for letter in run.letters] == ["Rejected"]
    assert run.letters[0].reason.startswith(f"no branch is named {name!r}; ")


async def test_other_routes_run_meanwhile() -> None:
    """Stops that never wait leave the others their turn."""
    seen: list[str] = []
    stops: Any = {"on": lambda f: f.transform(lambda n: n - 1)}
    busy = from_(Feed([5000]), int).dynamic_router(lambda n: "on" if n else None, stops, most=5000)

    async def other(n: int) -> None:
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        seen.append("other")

    await run_routes(busy.transform(lambda n: seen.append("busy")), from_(Feed([1])).transform(other))
    assert seen == ["other", "busy"]


def test_wrong_options_are_refused_when_written() -> None:
    """No stops, numbers."""
    flow: Any = from_("timer:x")
    with pytest.raises(DefinitionError):
        flow.dynamic_router(collatz, {})
    with pytest.raises(DefinitionError):
        flow.dynamic_router(collatz, STOPS, most=0)


def test_it_can_be_drawn() -> None:
    """Each stop under its name."""
    (step,) = from_("timer:x", int).dynamic_router(collatz, STOPS).chain.steps
    assert step.label == "dynamic_router(collatz)"
    assert [name for name, _ in step.branches()] == ["half", "triple"]
