"""Whole routes through a broker, as the engine runs them."""

from typing import Any

import pytest

from routekit import Policy, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_messages_go_through_a_queue(setup: Any, queue: str) -> None:
    """What is sent to a queue comes out of it, in order; one run declares the queue for the other."""
    out = Sink()
    await run_routes(from_(Feed(range(100)), int).to(f"rabbitmq:{queue}?declare=true"), setup=setup())
    await run_routes(from_(f"rabbitmq:{queue}", int).to(out), setup=setup())
    assert out.bodies == list(range(100))


async def test_a_bridge_keeps_every_message(setup: Any, outside: Any, queue: str) -> None:
    """From queue to queue with many in flight: each arrives once, and nothing is left behind."""
    await outside.declare(f"{queue}-b")
    bodies = [str(n).encode() for n in range(500)]
    await run_routes(from_(Feed(bodies), bytes).to(f"rabbitmq:{queue}?declare=true"), setup=setup())
    bridge = from_(f"rabbitmq:{queue}", bytes, policy=Policy(concurrency=50)).to(f"rabbitmq:{queue}-b")
    run = await run_routes(bridge, setup=setup())
    assert run.counts["route-1"].done == 500
    assert sorted(await outside.bodies(f"{queue}-b")) == sorted(bodies)
    assert await outside.bodies(queue) == []
