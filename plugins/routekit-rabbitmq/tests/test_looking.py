"""Looking at what a route has on its other side, before it runs and while it does."""

from typing import Any

import anyio
import pytest

from routekit import Policy, from_
from routekit.testing import Feed, Sink, probed, running

pytestmark = pytest.mark.anyio


async def looked(setup: Any, uri: str, *, sink: bool = False) -> tuple[bool, str]:
    flow = from_(Feed([])).to(uri) if sink else from_(uri).to(Sink())
    (found,) = await probed(flow, setup=setup())
    return found.there, found.found


async def test_a_queue_that_is_there(setup: Any, outside: Any, queue: str) -> None:
    """How many messages wait is told, from both sides; none of them is taken."""
    await outside.declare(queue, "classic")
    await outside.publish(queue, b"a", b"b")
    for uri, sink in ((f"rabbitmq:{queue}?queue_type=classic", False), (f"rabbitmq:{queue}", True)):
        there, found = await looked(setup, uri, sink=sink)
        assert there
        assert found.startswith("RabbitMQ 3."), found
        assert found.endswith(f", queue {queue}: 2 waiting, consumers: 0")
    assert await outside.bodies(queue, 2) == [b"a", b"b"]


async def test_a_queue_that_will_be_declared_is_not_declared_by_looking(setup: Any, outside: Any, queue: str) -> None:
    """Looking leaves nothing behind."""
    there, found = await looked(setup, f"rabbitmq:{queue}?exchange={queue}-x&bind=k")
    assert there
    assert found.endswith(f", exchange {queue}-x: to be declared, queue {queue}: to be declared")
    assert not await outside.exists(queue)


async def test_a_queue_that_is_missing(setup: Any, queue: str) -> None:
    """Where nobody declares it, it is told that it is not there."""
    there, found = await looked(setup, f"rabbitmq:{queue}", sink=True)
    assert not there
    assert "no queue" in found


async def test_an_exchange_that_is_there(setup: Any, queue: str) -> None:
    """It is named."""
    there, found = await looked(setup, "rabbitmq:?exchange=amq.topic&key=k", sink=True)
    assert there
    assert found.endswith(", exchange amq.topic")


async def test_a_queue_with_other_options(setup: Any, outside: Any, queue: str) -> None:
    """What would keep the route from starting is found before."""
    await outside.declare(queue, "classic")
    there, found = await looked(setup, f"rabbitmq:{queue}?queue_type=quorum")
    assert not there
    assert "inequivalent arg 'x-queue-type'" in found


async def test_a_broker_that_is_away(setup: Any, queue: str) -> None:
    """The reason is told, without the password."""
    made = setup(connection={"url": "amqp://guest:hunter2@127.0.0.1:1/"})
    (found,) = await probed(from_(f"rabbitmq:{queue}").to(Sink()), setup=made)
    assert not found.there
    assert "127.0.0.1:1" in found.found
    assert "hunter2" not in str(found)


async def test_figures_of_a_bridge(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """Who looks sees what waits here, what is at work, and what is on its way."""
    await outside.declare(queue)
    await outside.declare(f"{queue}-to")
    await outside.publish(queue, b"a", b"b", b"c")
    gate = anyio.Event()

    async def wait(body: bytes) -> bytes:
        await gate.wait()
        return body

    bridge = from_(f"rabbitmq:{queue}", bytes, policy=Policy(concurrency=2)).transform(wait).to(f"rabbitmq:{queue}-to")
    async with running(bridge, setup=setup()) as service:

        def figures() -> dict[str, float]:
            return {figure.name: figure.value for figure in service.figures()}

        await eventually(lambda: figures().get("unacknowledged") == 2)
        await eventually(lambda: figures()["prefetched"] == 1)
        assert figures() == {
            "prefetched": 1,
            "unacknowledged": 2,
            "delivered_total": 3,
            "reconnects_total": 0,
            "unconfirmed": 0,
            "blocked": 0,
            "channels_total": 1,
        }
        gate.set()
        await eventually(lambda: figures()["unacknowledged"] == 0)
        await outside.cut("consuming")
        await eventually(
            lambda: [one.value for one in service.figures() if one.name == "reconnects_total"] in ([1, 0], [0, 1])
        )
