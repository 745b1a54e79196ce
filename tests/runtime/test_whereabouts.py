"""Whereabouts: code that a message runs can be asked which one that is."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import pytest

from routekit import Flow, Message, Retry, from_, in_thread
from routekit.route import Policy
from routekit.runtime.whereabouts import whereabouts
from routekit.testing import Feed, run_routes

pytestmark = pytest.mark.anyio

Seen = list[tuple[str, str, str]]


class Asking:
    """A function that asks where it is."""

    def __init__(self) -> None:
        self.seen: Seen = []

    def ask(self, body: Any) -> Any:
        found = whereabouts()
        self.seen.append(("", "", "") if found is None else (found.route, found.step, found.message.id))
        return body

    async def wait(self, body: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return self.ask(body)

    def ask_with(self, body: Any, message: Message[Any]) -> Any:
        return self.ask(body)


@pytest.fixture
def asking() -> Asking:
    return Asking()


Make = Callable[[Flow[int], Asking], Flow[Any]]


@pytest.mark.parametrize(
    ("make", "step", "message"),
    [
        (lambda flow, asking: flow.transform(asking.ask), "transform(Asking.ask)", "m"),
        (lambda flow, asking: flow.transform(asking.wait), "transform(Asking.wait)", "m"),
        (lambda flow, asking: flow.transform(asking.ask_with), "transform(Asking.ask_with)", "m"),
        (lambda flow, asking: flow.transform(in_thread(asking.ask)), "transform(Asking.ask)", "m"),
        (lambda flow, asking: flow.filter(asking.ask).transform(lambda n: n), "filter(Asking.ask)", "m"),
        (lambda flow, asking: flow.split(lambda n: [n]).transform(asking.wait), "transform(Asking.wait)", "m/0"),
        (
            lambda flow, asking: flow.gather(lambda n: [n], lambda part: part.transform(asking.ask), parallel=2),
            "each > transform(Asking.ask)",
            "m/0",
        ),
        (
            lambda flow, asking: flow.multicast(lambda one: one.transform(asking.wait), parallel=2),
            "branch-1 > transform(Asking.wait)",
            "m/branch-1",
        ),
    ],
    ids=["plain", "async", "with the message", "in a thread", "filter", "part", "parallel part", "branch"],
)
async def test_a_function_of_a_step(make: Make, step: str, message: str, asking: Asking) -> None:
    """It is at the innermost step, and at the message or part of one that this is given."""
    flow = make(from_(Feed([Message(1, id="m")]), int), asking)
    await run_routes(flow)
    ((route, at, name),) = asking.seen
    assert (route, at, name) == ("route-1", step, message)


async def test_a_route_that_another_one_calls(asking: Asking) -> None:
    """The message is at the route that was called, and afterwards again at the one that called."""
    caller = from_(Feed([Message(1, id="m")]), int).to("direct:called").transform(asking.ask)
    called = from_("direct:called", int).transform(asking.ask)
    await run_routes(caller, called)
    assert [(route, name) for route, _, name in asking.seen] == [("route-2", "m"), ("route-1", "m")]


async def test_each_of_many_at_once(asking: Asking) -> None:
    """However many messages are in flight, each is at its own."""
    own: list[bool] = []

    async def check(body: int) -> int:
        await anyio.lowlevel.checkpoint()
        found = whereabouts()
        own.append(found is not None and found.message.id == f"m{body}")
        return body

    feed = Feed([Message(n, id=f"m{n}") for n in range(20)])
    await run_routes(from_(feed, int, policy=Policy(concurrency=8)).transform(check))
    assert own == [True] * 20


async def test_another_try(asking: Asking) -> None:
    """A try after the first is at the same message."""

    def failing(body: int) -> int:
        asking.ask(body)
        if len(asking.seen) < 3:
            raise OSError
        return body

    policy = Policy(retry=Retry(5, first=0.001))
    await run_routes(from_(Feed([Message(1, id="m")]), int, policy=policy).transform(failing))
    assert {(route, name) for route, _, name in asking.seen} == {("route-1", "m")}
    assert len(asking.seen) == 3


async def test_nowhere() -> None:
    """Code that no message runs is at none, whatever its variables are called."""
    message = Message(1, id="m")
    failure = "failure"
    assert whereabouts() is None, (message, failure)
