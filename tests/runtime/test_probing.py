"""Asking endpoints whether their other side is there, and what they count, without and with running routes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from pydantic import ConfigDict

from routekit import (
    Consumer,
    Delivery,
    Message,
    Policy,
    Producer,
    Runtime,
    Send,
    Unavailable,
    dead_letters,
    from_,
    rescue,
)
from routekit.runtime.probing import Probed
from routekit.runtime.service import Service
from routekit.testing import Run, routes_of, running, setup_for

pytestmark = pytest.mark.anyio


class Known(Consumer):
    """A source whose other side answers after some seconds, and shows what it has brought."""

    scheme = "known"
    after: float = 0

    async def probe(self, runtime: Runtime) -> str:
        await anyio.sleep(self.after)
        return f"known to {runtime.route} at x://me:hunter2@host"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        brought = 0
        with runtime.metered(self, {"brought_total": lambda: brought}):
            while True:
                brought += 1
                yield Delivery(Message(brought, id=str(brought)))
                await runtime.rest(60)


class Gone(Producer):
    """A sink whose other side is away, or answers with a fault of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme = "gone"
    fault: bool = False

    async def probe(self, runtime: Runtime) -> str:
        await anyio.lowlevel.checkpoint()
        if self.fault:
            raise KeyError("version")
        raise Unavailable("nobody answers at gone:", hint="start it")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            await anyio.lowlevel.checkpoint()

        yield send


class Here(Gone):
    """A sink whose other side is there."""

    scheme = "here"

    async def probe(self, runtime: Runtime) -> str:
        await anyio.lowlevel.checkpoint()
        return "it is here"


async def probes(*flows: Any) -> list[Probed]:
    return await Service(routes_of(*flows), setup_for(Run())).probed(within=10)


async def test_each_endpoint_with_another_side_is_asked_once() -> None:
    """Source, sinks in branches and the channel of dead letters are asked; what has no other side says nothing."""
    policy = Policy(dead_letter=dead_letters(lambda letters: letters.to(Gone(fault=True))))
    flow = from_(Known(), policy=policy).tap(lambda copy: copy.to(Gone())).to(Gone()).to(Here()).to("mock:out")
    assert await probes(flow) == [
        Probed("route-1", "known:0", True, "known to route-1 at x://me:***@host"),
        Probed("route-1", "gone:false", False, "nobody answers at gone:", "start it"),
        Probed("route-1", "here:false", True, "it is here"),
        Probed("route-1", "gone:true", False, "KeyError: 'version'"),
    ]


async def test_what_a_rescue_sends_to_is_asked() -> None:
    """Branches that only run when something fails are of no use if their sinks are away."""
    policy = Policy(rescue={ValueError: rescue(lambda failed: failed.to(Here()))})
    assert [probe.endpoint for probe in await probes(from_(Known(), policy=policy))] == ["known:0", "here:false"]


async def test_an_endpoint_that_does_not_answer_is_away() -> None:
    """Nobody waits longer than was asked for, and all are asked at the same time."""
    started = anyio.current_time()
    found = await probes(from_(Known(after=100)), from_(Known(after=8)))
    assert [(probe.there, probe.found) for probe in found] == [
        (False, "no answer within 10 s"),
        (True, "known to route-2 at x://me:***@host"),
    ]
    assert anyio.current_time() - started == pytest.approx(10)


async def test_figures_are_there_while_the_route_is_up() -> None:
    """What an endpoint counts is read from outside and on the control bus, until its route stops."""
    async with running(r=from_(Known())) as service:
        await anyio.sleep(90)
        assert [(figure.route, figure.name, figure.value) for figure in service.figures()] == [
            ("r", "brought_total", 2)
        ]
        assert (await service.control("stats", "r"))["endpoints"] == {"known:0": {"brought_total": 2}}
    assert service.figures() == []
