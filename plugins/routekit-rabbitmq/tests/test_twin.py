"""RabbitMQ in memory: routes that use exchanges, without any server."""

from typing import Any

import anyio
import pytest

from routekit import Message, Retry, from_
from routekit.testing import Inlet, Sink, a_message, replace_endpoints, run_routes, running

pytestmark = pytest.mark.anyio


def noted(uri: str, name: str) -> Any:
    return from_(uri).to(f"mock:{name}")


async def test_an_exchange_distributes_by_the_bindings_of_the_sources() -> None:
    """As its type says; what nobody takes is only noted."""
    readers = {
        "direct": noted("rabbitmq:a?exchange=direct&bind=new,old", "direct"),
        "topic": noted("rabbitmq:b?exchange=topic&exchange_type=topic&bind=order.*.eu,%23.us", "topic"),
        "fanout": noted("rabbitmq:c?exchange=fanout&exchange_type=fanout", "fanout"),
        "headers": noted("rabbitmq:d?exchange=headers&exchange_type=headers&match.format=pdf", "headers"),
        "temporary": noted("rabbitmq:?temporary=true&exchange=fanout&exchange_type=fanout&queue_type=classic", "own"),
    }
    key = {"key": lambda body: body["key"]}
    sending = (
        from_("timer:t", dict)
        .to("rabbitmq:?exchange=direct", **key)
        .to("rabbitmq:?exchange=topic", **key)
        .to("rabbitmq:?exchange=fanout", **key)
        .to("rabbitmq:?exchange=headers", **key)
        .to("rabbitmq:?exchange=nobody&key=x")
    )
    keys = ["new", "order.new.eu", "order.us", "order.new.de"]
    with replace_endpoints() as world:
        world["timer:t"].put(*({"key": key} for key in keys), a_message({"key": "old"}, {"format": "pdf"}))
        await run_routes(sending, **readers)
        found = {
            name: [one.headers["rabbitmq.routing_key"] for one in world[f"mock:{name}"].messages]
            for name in ("direct", "topic", "fanout", "headers", "own")
        }
        assert found == {
            "direct": ["new", "old"],
            "topic": ["order.new.eu", "order.us"],
            "fanout": [*keys, "old"],
            "headers": ["old"],
            "own": [*keys, "old"],
        }
        world["rabbitmq:?exchange=nobody"].expect(count=5)


async def test_a_message_comes_with_what_a_broker_passes_on() -> None:
    """Bytes, its id, its own headers, and properties as headers; not what only the queue before it knew."""
    sending = from_("timer:t").to("rabbitmq:orders?priority=3", correlation_id=lambda _: "c1")
    with replace_endpoints() as world:
        world["timer:t"].put(a_message({"id": 1}, {"shop": "de", "x-delivery-count": 2}, id="m1"))
        await run_routes(sending, noted("rabbitmq:orders", "out"))
        (message,) = world["mock:out"].messages
        assert message == Message(
            b'{"id":1}',
            {
                "shop": "de",
                "rabbitmq.exchange": "",
                "rabbitmq.routing_key": "orders",
                "rabbitmq.redelivered": False,
                "rabbitmq.deliveries": 1,
                "rabbitmq.content_type": "application/json",
                "rabbitmq.priority": 3,
                "correlation-id": "c1",
            },
            "m1",
        )


async def test_what_amqp_cannot_carry_is_refused() -> None:
    """As it would be by the sink itself."""
    with replace_endpoints() as world:
        world["timer:t"].put(a_message(1, {"h": object()}), object())
        run = await run_routes(from_("timer:t").to("rabbitmq:orders"))
        assert [letter.error for letter in reversed(run.letters)] == ["Rejected", "BodyError"]


async def test_a_batch_is_a_list() -> None:
    """Of one message."""
    with replace_endpoints() as world:
        world["timer:t"].put({"n": 1})
        await run_routes(from_("timer:t").to("rabbitmq:in"), noted("rabbitmq:in?batch=5&codec=json", "out"))
        assert world["mock:out"].bodies == [[{"n": 1}]]


BODIES = [b"bytes", "text \u00fc", {"n": 1}, [1, 2], None, 1.5]
HEADERS = {"shop": "de", "n": 1, "flag": True, "list": [1, "a"], "correlation-id": "c1", "x-delivery-count": 7}


async def test_the_twin_and_the_broker_bring_the_same(setup: Any, outside: Any, queue: str) -> None:
    """By a queue and by an exchange: bodies, ids and headers are those that a real broker passes on."""
    to, bound = f"rabbitmq:?exchange={queue}-x&declare=true", f"rabbitmq:{queue}?exchange={queue}-x&bind=order.*"
    topic = "&exchange_type=topic"
    patient = Retry(100, first=0.1, most=0.1)  # the queue need not be bound yet
    send = from_(feed := Inlet()).to(f"{to}{topic}&priority=2", key=lambda _, one: f"order.{one.id}", retry=patient)
    messages = [Message(body, HEADERS, f"m{number}") for number, body in enumerate(BODIES)]

    async def brought(**how: Any) -> list[Message[Any]]:
        read, taken = Sink(), from_(f"{bound}{topic}")
        async with running(taken.to(read), setup=how.get("setup")), running(send, setup=how.get("setup")):
            for message in messages:
                await feed.give(message)
            with anyio.fail_after(20):
                while len(read.messages) < len(messages):
                    await anyio.sleep(0.01)
        return read.messages

    real = await brought(setup=setup())
    await outside.delete(queue)
    with replace_endpoints():
        twins = await brought()
    for one, other in zip(real, twins, strict=True):
        passed_on = {name: value for name, value in one.headers.items() if name != "rabbitmq.timestamp"}
        assert (one.body, one.id, passed_on) == (other.body, other.id, dict(other.headers))
