"""What traces cost a message of the engine, in a service that counts as the daemon does."""

from time import process_time
from typing import Any

import anyio

from routekit import Policy, Retry
from routekit.testing import Run, run_routes, setup_for

from .engine import MESSAGES, MICRO, route
from .figures import Figure, alternately

ROUNDS = 15
SHARE = 0.01


def _now() -> float:
    """A clock that stands while others use the machine, so that no more messages are followed in a second of ours."""
    return 1.8e9 + process_time()


def _seconds(trace: Any, *, metrics: bool = True) -> float:
    """Seconds of the processor for the messages of one run, with what is written of them."""

    async def run() -> None:
        flow = route(5, Policy(retry=Retry(3), trace=trace))
        await run_routes(flow, setup=setup_for(Run(), now=_now, metrics=metrics))

    start = process_time()
    anyio.run(run)
    return process_time() - start


def figures() -> list[Figure]:
    """Shares of the time that a run without traces takes."""
    off, nothing, sampled = alternately(
        ROUNDS, lambda: _seconds(None), lambda: _seconds(False), lambda: _seconds(SHARE)
    )
    beside = f"with metrics alone {off / MESSAGES * MICRO:.2f} us per message, 7 steps"
    return [
        Figure("tracing: off by the policy", 100 * (nothing / off - 1), "%", beside),
        Figure("tracing: 1 % of messages", 100 * (sampled / off - 1), "%", beside, 3.0),
    ]
