"""detour"""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Flow, Message, Switch, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

pytestmark = pytest.mark.anyio


def doubled(flow: Flow[int]) -> Flow[int]:
    return flow.transform(lambda n: n * 2)


async def later(n: int, message: Message[int]) -> bool:
    await anyio.sleep(1)
    return message.body > 1


@pytest.mark.parametrize("when", [lambda n: n > 1, later, lambda n, message: n > 1 and message])
async def test_while_it_holds_messages_take_the_branch_and_come_back(when: Any) -> None:
    """Else they go straight on."""
    sink = Sink()
    await run_routes(from_(Feed([1, 2, 3]), int).detour(when, doubled).to(sink))
    assert sink.bodies == [1, 4, 6]


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """As any step."""
    sink = Sink()
    await run_routes(from_(Feed([1, 2]), int).detour(lambda n: n > 1, lambda f: f.stop()).to(sink))
    assert sink.bodies == [1]


async def test_a_switch_stands_as_it_is_written_until_it_is_turned() -> None:
    """On or off."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).detour(Switch("a"), doubled).detour(Switch("b", on=True), doubled).to(sink))
    assert sink.bodies == [2]


def route(sink: Sink) -> Flow[Any]:
    """A route whose messages arrive one second after the other, with a detour that a switch decides about."""

    async def second(n: int) -> int:
        await anyio.sleep(1)
        return n

    return from_(Feed(range(1, 6)), int).transform(second).detour(Switch("audit"), doubled).to(sink)


async def test_the_control_bus_turns_a_switch() -> None:
    """From the next message on; asked without `on`, it only tells how it stands."""
    sink = Sink()
    async with running(r=route(sink)) as service:
        await anyio.sleep(2.5)
        assert await service.control("turn", "audit") is False
        assert await service.control("turn", "audit", on=True) is True
        await anyio.sleep(1)
        assert await service.control("turn", "audit", on=False) is False
        await anyio.sleep(3)
    assert sink.bodies == [1, 2, 6, 4, 5]


async def test_a_message_turns_a_switch() -> None:
    """Over `control:`, in another route."""
    sink = Sink()

    async def wait(n: int) -> int:
        await anyio.sleep(2.5)
        return n

    turner = from_(Feed([1]), int).transform(wait).to("control:turn?name=audit&on=true")
    assert check(routes_of(route(sink), turner), Catalog()) == []
    await run_routes(route(sink), turner)
    assert sink.bodies == [1, 2, 6, 8, 10]


@pytest.mark.parametrize("on", [True, False])
async def test_a_switch_stands_as_it_was_left_after_a_restart(on: bool) -> None:
    """Its name owns the state in the store."""
    sink = Sink()
    waiting = from_(Feed([1], gate=anyio.Event()), int).detour(Switch("audit", on=not on), doubled)
    flow = from_(Feed([1]), int).detour(Switch("audit", on=not on), doubled).to(sink)
    async with setup_for(Run(), store="memory:").opened_store() as store:
        async with running(r=waiting, setup=setup_for(Run(), store=store)) as service:
            await anyio.sleep(1)
            await service.control("turn", "audit", on=on)
        await run_routes(flow, store=store)
    assert sink.bodies == [2 if on else 1]


def test_wrong_options_are_refused_when_written() -> None:
    """A switch without a name, a predicate that is none; two steps of one route with one switch."""
    flow: Any = from_("timer:x")
    with pytest.raises(DefinitionError):
        Switch("")
    with pytest.raises(DefinitionError):
        flow.detour(True, doubled)
    twice = flow.detour(Switch("a"), doubled)
    twice = twice.detour(Switch("a"), doubled)
    assert ["owned by two steps" in problem.message for problem in check(routes_of(twice), Catalog())] == [True]


def test_it_can_be_drawn() -> None:
    """With the way of the branch and the way straight on."""
    flow: Any = from_("timer:x")
    assert flow.detour(Switch("audit"), doubled).chain.steps[0].label == "detour(audit)"
    assert flow.detour(bool, doubled).chain.steps[0].label == "detour(bool)"
    assert [name for name, _ in flow.detour(bool, doubled).chain.steps[0].branches()] == ["detour", "straight on"]
