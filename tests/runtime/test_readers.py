"""readers"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import Delivery, Handler, Message, Runtime, Step, Target, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Beside(Step[Any, Any]):
    """Reads a source in a job, and notes what it gives and how often it rests."""

    target: Target
    seen: list[Any]

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        read = runtime.reader(self.target)

        async def job() -> None:
            async with aclosing(read(idle=lambda: self.seen.append("idle"))) as deliveries:
                async for delivery in deliveries:
                    self.seen.append(delivery.message.body)

        runtime.spawn(job)

        def handle(message: Message[Any]) -> Awaitable[Message[Any] | None]:
            return proceed(message)

        return handle


class Slow(Watched):
    """Never rests, and brings its next message after an hour."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        for item in self.items:
            await anyio.sleep(3600)
            yield self.delivery(Message(item, id=str(item)))


async def test_a_source_beside_does_not_make_the_route_seem_idle() -> None:
    """Its rest is not the route's: all messages of the route's own source are waited for."""
    seen: list[Any] = []
    sink = Sink()
    await run_routes(from_(Slow([1, 2])).then(Beside(Target("queue:empty"), seen)).to(sink))
    assert sink.bodies == [1, 2]
    assert seen == ["idle"]


async def test_a_source_beside_does_not_keep_an_idle_route_busy() -> None:
    """Nor does it end the rest of the route's own source when its own ends."""
    seen: list[Any] = []
    with anyio.fail_after(7200):
        await run_routes(from_(Watched([1])).then(Beside(Target(Slow([7])), seen)))


async def test_what_it_asks_of_the_runtime_is_the_routes() -> None:
    """Shared resources too: a queue is the same for the route and for its step."""
    seen: list[Any] = []
    first = from_(Watched([1])).then(Beside(Target("queue:jobs"), seen))
    async with running(first, from_(Feed([5])).to("queue:jobs"), setup=setup_for(Run())):
        await anyio.sleep(1)
    assert 5 in seen


def test_what_hands_over_by_itself_cannot_be_read() -> None:
    """A listener waits for the outcome of each message in its own task."""
    problems = check([from_(Feed([])).then(Beside(Target("direct:x"), [])).route("r")], Catalog())
    assert [problem.message for problem in problems] == ["'direct:x' hands its messages over by itself"]


def test_what_a_step_reads_is_read() -> None:
    """Check does not miss a route that reads it."""
    routes = [
        from_(Feed([])).then(Beside(Target("queue:jobs"), [])).route("reads"),
        from_(Feed([])).to("queue:jobs").route("writes"),
    ]
    assert check(routes, Catalog()) == []
