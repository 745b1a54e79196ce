"""Whole routes through a broker, as the engine runs them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from routekit import Message, Policy, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_messages_go_through_a_queue(setup: Any, queue: str) -> None:
    """What is sent to a queue comes out of it, in order; one run declares the queue for the other."""
    out = Sink()
    await run_routes(from_(Feed(range(100)), int).to(f"rabbitmq:{queue}?declare=true"), setup=setup())
    await run_routes(from_(f"rabbitmq:{queue}", int).to(out), setup=setup())
    assert out.bodies == list(range(100))


async def test_a_message_that_was_kept_on_the_way_is_sent_with_its_time(setup: Any, outside: Any, queue: str) -> None:
    """A store keeps the time with which it came as a text; a text that is no time gives way to the time of sending."""
    await outside.declare(f"{queue}-b")
    when = datetime(2026, 11, 21, 4, tzinfo=UTC)
    feed = [Message(b"a", {"rabbitmq.timestamp": when}), Message(b"b", {"rabbitmq.timestamp": "yesterday"})]
    await run_routes(from_(Feed(feed), bytes).to(f"rabbitmq:{queue}?declare=true"), setup=setup())
    late = from_(f"rabbitmq:{queue}", bytes).delay("late", bytes, by=0.01).to(f"rabbitmq:{queue}-b")
    await run_routes(late, setup=setup())
    times = {found.body: found.timestamp for found in await outside.taken(f"{queue}-b", 2)}
    assert times[b"a"] == when
    assert times[b"b"] != when


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
