"""Background jobs of a route."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from routekit import Consumer, Delivery, Message, Producer, Runtime, Send, from_
from routekit.testing import Sink, run_routes

pytestmark = pytest.mark.anyio


class Fed(Consumer):
    """A source that is fed by a job of its own, which it asks for while it runs."""

    scheme = "fed"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[str]]:
        send, receive = anyio.create_memory_object_stream[str](1)

        async def feed() -> None:
            async with send:
                await send.send("from the job")

        runtime.spawn(feed)
        async with receive:
            async for body in receive:
                yield Delivery(Message(body))


class Late(Producer):
    """A sink whose job delivers."""

    scheme = "late"
    bodies: list[Any]

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        wanted, waiting = anyio.create_memory_object_stream[tuple[Any, anyio.Event]](1)

        async def work() -> None:
            async with waiting:
                async for body, done in waiting:
                    self.bodies.append(body)
                    done.set()

        runtime.spawn(work)

        async def send(message: Message[Any]) -> None:
            done = anyio.Event()
            await wanted.send((message.body, done))
            await done.wait()

        async with wanted:
            yield send


async def test_a_job_asked_for_by_a_source_runs() -> None:
    """A job that a consumer asks for while it runs is started at once."""
    sink = Sink()
    await run_routes(from_(Fed()).to(sink))
    assert sink.bodies == ["from the job"]


async def test_a_job_asked_for_by_a_sink_runs() -> None:
    """A job that a producer asks for when it is opened runs before the first message."""
    late = Late(bodies=[])
    await run_routes(from_(Fed()).to(late))
    assert late.bodies == ["from the job"]
