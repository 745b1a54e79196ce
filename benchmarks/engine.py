"""What the engine costs per message, beside the same logic written by hand in plain asyncio."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter, time
from typing import Any

import anyio
from pydantic import Field

from routekit import Consumer, Delivery, Flow, Message, Policy, Producer, Retry, Runtime, Send, from_
from routekit.testing import Run, run_routes, setup_for

from .figures import Figure, alternately

MESSAGES = 100_000
ROUNDS = 7
MICRO = 1e6


class Numbers(Consumer):
    """A source of numbers that costs as little as a source can."""

    scheme = "numbers"
    count: int = MESSAGES

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[int]]:
        for number in range(self.count):
            yield Delivery(Message(number))


class Kept(Producer):
    """A sink in memory."""

    scheme = "kept"
    bodies: list[Any] = Field(default_factory=list)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        kept = self.bodies.append

        async def send(message: Message[Any]) -> None:
            kept(message.body)

        yield send


def positive(number: int) -> bool:
    return number >= 0


def one_more(number: int) -> int:
    return number + 1


def steps(flow: Flow[int], transforms: int) -> Flow[int]:
    flow = flow.filter(positive)
    for _ in range(transforms):
        flow = flow.transform(one_more)
    return flow


def route(transforms: int, policy: Policy | None = None) -> Flow[int]:
    """One filter, some transforms, one sink in memory; retry by policy, metrics and message ids included."""
    return steps(from_(Numbers(), int, policy=policy or Policy(retry=Retry(3))), transforms).to(Kept())


def by_hand(transforms: int = 5) -> float:
    """The same logic as a loop: a source to iterate, a sink to await, an error told from success."""
    calls = range(transforms)

    async def source() -> AsyncGenerator[int]:
        for number in range(MESSAGES):
            yield number

    async def sink(kept: list[int], number: int) -> None:
        kept.append(number)

    async def loop() -> None:
        kept: list[int] = []
        async for number in source():
            if positive(number):
                if transforms == 5:
                    await sink(kept, one_more(one_more(one_more(one_more(one_more(number))))))
                else:
                    for _ in calls:
                        number = one_more(number)
                    await sink(kept, number)

    return _seconds(lambda: asyncio.run(loop()))


def routed(*flows: Flow[Any]) -> float:
    return _seconds(lambda: anyio.run(_run, flows))


async def _run(flows: tuple[Flow[Any], ...]) -> None:
    run = await run_routes(*flows, setup=setup_for(Run(), now=time))
    assert not run.letters


def _seconds(work: Any) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def through_direct() -> float:
    caller = from_(Numbers(), int).filter(positive).transform(one_more).transform(one_more).to("direct:rest")
    rest = from_("direct:rest", int).transform(one_more).transform(one_more).transform(one_more).to(Kept())
    return routed(caller, rest)


def through_split() -> float:
    numbers = from_(Numbers(count=MESSAGES // 1000), int).split(lambda _: range(1000))
    return routed(steps(numbers, 5).to(Kept()))


def figures() -> list[Figure]:
    """Microseconds per message; the goals are those of the design."""
    hand, seven, seventeen, direct, split = (
        seconds / MESSAGES * MICRO
        for seconds in alternately(
            ROUNDS, by_hand, lambda: routed(route(5)), lambda: routed(route(15)), through_direct, through_split
        )
    )
    beside = f"by hand {hand:.2f} us per message"
    return [
        Figure("engine: 7 steps, over the hand-written loop", seven - hand, "us/message", beside, 3.0),
        Figure("engine: 7 steps, in all", seven, "us/message", beside),
        Figure("engine: each further step", (seventeen - seven) / 10, "us/step", f"17 steps {seventeen:.2f} us", 0.3),
        Figure("engine: 8 steps through direct:", direct, "us/message", beside),
        Figure("engine: split of 1,000, 7 steps", split, "us/part", beside),
    ]
