"""What metrics and observers cost a message of the engine, beside a run without them."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from time import process_time, time
from typing import Any

import anyio

from routekit import Message, Observer, Route, Sampling, Trace
from routekit.testing import Run, run_routes, setup_for

from .engine import MESSAGES, MICRO, route
from .figures import Figure

ROUNDS = 15
SHARE = 0.01


class Hops:
    """A trace that keeps what a recorder would of each step: its name, and when the message entered and left it."""

    def __init__(self) -> None:
        self.hops: list[tuple[str, float, float]] = []

    async def step(self, spot: Any, handler: Any, message: Message[Any]) -> Any:
        began = time()
        try:
            return await handler(message)
        finally:
            self.hops.append((spot.label, began, time()))

    async def send(self, spot: Any, target: Any, send: Any, message: Message[Any], options: Any) -> Any:
        return await send(message, **options)

    def end(self, outcome: Any, error: Exception | None) -> None:
        self.hops.clear()


class Recorder:
    """Follows a share of the messages."""

    def __init__(self, share: float) -> None:
        self._sampling = Sampling(share, Random(0))
        self.skips = 0

    def begin(self, message: Message[Any]) -> Trace:
        self.skips = self._sampling.skips()
        return Hops()


def _nobody(route: Route) -> Observer | None:
    return None


def _some(route: Route) -> Observer:
    return Recorder(SHARE)


def _all(route: Route) -> Observer:
    return Recorder(1.0)


def _seconds(**options: Any) -> float:
    """Seconds for the messages of one run, by the time that the processor was at it: others use the machine too."""

    async def run() -> None:
        await run_routes(route(5), setup=replace(setup_for(Run(), now=time), **options))

    start = process_time()
    anyio.run(run)
    return process_time() - start


def _least(*measures: Callable[[], float]) -> list[float]:
    """The least of each measure, taken in turn: what is looked for is less than what a busy machine adds."""
    taken = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return [min(samples) for samples in zip(*taken, strict=True)]


def figures() -> list[Figure]:
    """Microseconds per message, and shares of the time without observation."""
    off, nobody, metrics, sampled, followed = _least(
        _seconds,
        lambda: _seconds(observers=(_nobody,)),
        lambda: _seconds(metrics=True),
        lambda: _seconds(observers=(_some,)),
        lambda: _seconds(observers=(_all,)),
    )
    beside = f"without {off / MESSAGES * MICRO:.2f} us per message, 7 steps"
    return [
        Figure("observation: metrics on, in addition", (metrics - off) / MESSAGES * MICRO, "us/message", beside, 1.0),
        Figure("observation: traces off", 100 * (nobody / off - 1), "%", beside),
        Figure("observation: 1 % of messages traced", 100 * (sampled / off - 1), "%", beside, 3.0),
        Figure("observation: a message that is traced", (followed - off) / MESSAGES * MICRO, "us/message", beside),
    ]
