"""What a sink guarantees, and what it says when it cannot."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import anyio
import pytest

from routekit import DefinitionError, Message, Policy, Rejected, Send, Unavailable, from_
from routekit.testing import Feed, run_routes, running
from routekit_rabbitmq import RabbitMQSink
from routekit_rabbitmq.faults import Returned

pytestmark = pytest.mark.anyio


class Host:
    """A runtime that opens what routes share, and nothing else."""

    def __init__(self, setup: Any) -> None:
        self.route = "test"
        self.random = Random(1)
        self.setup = setup()
        self.settings = self.setup.settings
        self.codec = self.setup.catalog.codec
        self.stack = AsyncExitStack()
        self.events: list[Any] = []
        self.emit = self.events.append
        self.jobs: Any = None

    def now(self) -> float:
        return 1_700_000_000.0

    def spawn(self, job: Any) -> None:
        self.jobs.start_soon(job)

    def metered(self, endpoint: Any, figures: Any) -> Any:
        return nullcontext()

    async def shared(self, factory: Any, *args: Any) -> Any:
        return await self.stack.enter_async_context(factory(*args))

    async def sink(self, path: str, **options: Any) -> Send:
        """An open sink."""
        return await self.stack.enter_async_context(RabbitMQSink.of(path, options).open(self))  # pyright: ignore


@pytest.fixture
def hosting(setup: Any, outside: Any) -> Any:
    """Hosts of sinks."""

    @asynccontextmanager
    async def host() -> AsyncGenerator[Host]:
        made = Host(setup)
        async with anyio.create_task_group() as made.jobs:
            async with made.stack:
                yield made
            made.jobs.cancel_scope.cancel()

    return host


def noted(message: Any) -> dict[str, Any]:
    """The headers that somebody sent."""
    return {name: value for name, value in message.headers.items() if name != "x-delivery-count"}


async def test_a_missing_queue_degrades_the_route_until_it_is_there(setup: Any, outside: Any, queue: str) -> None:
    """The route says what is missing and what to do; once somebody has made the queue, it sends."""
    degraded = anyio.Event()
    errors: list[Any] = []

    def watch(event: Any) -> None:
        if getattr(event, "wait", None) is not None:
            errors.append(event.error)
            degraded.set()

    async with running(from_(Feed([b"a"]), bytes).to(f"rabbitmq:{queue}"), setup=setup(watch=watch)):
        await degraded.wait()
        await outside.declare(queue)
        assert await outside.bodies(queue, 1) == [b"a"]
    assert isinstance(errors[0], Unavailable)
    assert f"no queue '{queue}'" in str(errors[0])
    assert "start what declares it, or write declare=true" in str(errors[0])


async def test_a_missing_exchange_is_named(hosting: Any, queue: str) -> None:
    """As for a queue."""
    async with hosting() as host:
        with pytest.raises(Unavailable, match=f"no exchange '{queue}'.*declare=true"):
            await host.sink("", exchange=queue)


async def test_a_queue_that_is_different_is_a_definition_error(hosting: Any, outside: Any, queue: str) -> None:
    """Declaring a queue that exists with other options says which one differs."""
    await outside.declare(queue, "classic")
    async with hosting() as host:
        with pytest.raises(DefinitionError, match=r"inequivalent arg 'x-queue-type'.*write the options that it has"):
            await host.sink(queue, declare=True)


async def test_a_message_that_no_queue_takes_is_an_error(hosting: Any, outside: Any, queue: str) -> None:
    """The broker returns it; the others that are on their way at that moment are not affected."""
    channel = await outside.channel()
    exchange = await channel.declare_exchange(queue, "direct", auto_delete=False)
    await (await channel.declare_queue(queue)).bind(exchange, "known")
    async with hosting() as host:
        send = await host.sink("", exchange=queue)
        outcomes: dict[int, Any] = {}

        async def one(number: int) -> None:
            try:
                outcomes[number] = await send(Message(b"x", id=str(number)), key="known" if number % 3 else "unknown")
            except Unavailable as error:
                outcomes[number] = error

        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(one, number)
    returned = [number for number, outcome in outcomes.items() if isinstance(outcome, Returned)]
    assert sorted(returned) == list(range(0, 30, 3))
    assert "returned the message: NO_ROUTE for 'unknown'; is a queue bound there?" in str(outcomes[0])
    assert len(await outside.taken(queue)) == 20


async def test_messages_of_one_id_are_not_confused(hosting: Any, outside: Any, queue: str) -> None:
    """Of three with one id that are sent at once, one to a queue and two to none, only the first is confirmed."""
    channel = await outside.channel()
    exchange = await channel.declare_exchange(queue, "direct")
    await (await channel.declare_queue(queue)).bind(exchange, "known")
    async with hosting() as host:
        send = await host.sink("", exchange=queue)
        outcomes: dict[str, Any] = {}

        async def one(key: str) -> None:
            try:
                outcomes[key] = await send(Message(key.encode(), id="same"), key=key)
            except Unavailable as error:
                outcomes[key] = error

        async with anyio.create_task_group() as tasks:
            for key in ("known", "unknown", "known too"):
                tasks.start_soon(one, key)
    assert outcomes["known"] is None
    assert isinstance(outcomes["unknown"], Returned)
    assert isinstance(outcomes["known too"], Returned)
    assert await outside.bodies(queue) == [b"known"]


async def test_without_mandatory_a_message_for_nobody_is_dropped(hosting: Any, outside: Any, queue: str) -> None:
    """Whoever writes mandatory=false wants that."""
    channel = await outside.channel()
    await channel.declare_exchange(queue, "fanout")
    async with hosting() as host:
        await (await host.sink("", exchange=queue, mandatory=False))(Message(b"x"))


async def test_a_full_queue_refuses(hosting: Any, outside: Any, queue: str) -> None:
    """What does not fit is refused by the broker, and is worth another try; nothing is dropped."""
    async with hosting() as host:
        send = await host.sink(queue, declare=True, queue_type="classic", max_length=2)
        for body in (b"a", b"b"):
            await send(Message(body))
        with pytest.raises(Unavailable, match="the broker refused the message; the queue may be full"):
            await send(Message(b"c"))
        assert await outside.bodies(queue) == [b"a", b"b"]
        await send(Message(b"c"))
    assert await outside.bodies(queue) == [b"c"]


@dataclass
class Order:
    number: int
    total: Decimal


@pytest.mark.parametrize(
    ("body", "options", "written", "content_type"),
    [
        (b"\xff", {}, b"\xff", None),
        ("grüß", {}, "grüß".encode(), "text/plain"),
        ({"a": 1}, {}, b'{"a":1}', "application/json"),
        (Order(1, Decimal("9.50")), {}, b'{"number":1,"total":"9.50"}', "application/json"),
        ({"a": 1}, {"content_type": "application/vnd.order"}, b'{"a":1}', "application/vnd.order"),
        ("a", {"codec": "json"}, b'"a"', "application/json"),
    ],
)
async def test_bodies_are_written_with_their_content_type(
    hosting: Any, outside: Any, queue: str, body: Any, options: Any, written: bytes, content_type: str | None
) -> None:
    """Bytes and text as they are, others as JSON or by the codec."""
    async with hosting() as host:
        await (await host.sink(queue, declare=True, **options))(Message(body))
    (found,) = await outside.taken(queue)
    assert (found.body, found.content_type) == (written, content_type)


async def test_a_body_that_cannot_be_written_is_rejected(hosting: Any, queue: str) -> None:
    """It is not retried, and nothing is published."""
    async with hosting() as host:
        send = await host.sink(queue, declare=True)
        with pytest.raises(Rejected):
            await send(Message({"a": object()}))
        with pytest.raises(Rejected, match="cannot be written as UTF-8"):
            await send(Message("\ud800"))


async def test_messages_are_persistent_and_have_id_and_time(hosting: Any, outside: Any, queue: str) -> None:
    """The message's own id, also a very long one, and the time of sending."""
    async with hosting() as host:
        send = await host.sink(queue, declare=True)
        await send(Message(b"a", id="order-1"))
        await send(Message(b"b", id="ü" * 500))
        await (await host.sink(queue, persistent=False))(Message(b"c", id="c"))
    first, second, third = await outside.taken(queue)
    assert (first.message_id, first.delivery_mode, first.timestamp) == (
        "order-1",
        2,
        datetime.fromtimestamp(1_700_000_000, UTC),
    )
    assert second.message_id.startswith("üüü")
    assert len(second.message_id.encode()) <= 255
    assert third.delivery_mode == 1


async def test_properties_are_given_fixed_or_for_each_message(hosting: Any, outside: Any, queue: str) -> None:
    """What is computed wins over what is written, and that over what the message came with."""
    headers = {"rabbitmq.type": "came", "rabbitmq.app_id": "shop", "correlation-id": "7", "reply-to": "answers"}
    async with hosting() as host:
        send = await host.sink(queue, declare=True, message_type="fixed", priority=3, expiration="1m")
        await send(Message(b"a", headers))
        await send(Message(b"b", headers), message_type="computed", expiration=0.5, correlation_id="8", reply_to="r")
        await (await host.sink(queue))(Message(b"c", headers))
    first, second, third = await outside.taken(queue, 3)
    assert (first.type, first.priority, first.expiration, first.app_id) == ("fixed", 3, 60.0, "shop")
    assert (first.correlation_id, first.reply_to) == ("7", "answers")
    assert (second.type, second.expiration, second.correlation_id, second.reply_to) == ("computed", 0.5, "8", "r")
    assert (third.type, third.expiration) == ("came", None)


async def test_headers_keep_their_types(hosting: Any, outside: Any, queue: str) -> None:
    """What AMQP has a type for stays what it is; names, paths and ids become texts."""
    when = datetime(2026, 11, 21, 4, tzinfo=UTC)
    kept = {"n": 5, "big": 1 << 40, "f": 0.5, "t": True, "s": "ü", "none": None, "d": Decimal("9.5"), "when": when}
    nested = {"list": [1, "a", {"b": 2}], "table": {"x": [1.5]}}
    texts = {"id": UUID(int=1), "path": Path("a/b"), "day": when.date()}
    async with hosting() as host:
        await (await host.sink(queue, declare=True))(Message(b"x", {**kept, **nested, **texts}))
    (found,) = await outside.taken(queue)
    assert {name: found.headers[name] for name in (*kept, *nested)} == {**kept, **nested}
    assert [type(found.headers[name]) for name in ("n", "f", "t", "d")] == [int, float, bool, Decimal]
    assert {name: found.headers[name] for name in texts} == {"id": str(UUID(int=1)), "path": "a/b", "day": "2026-11-21"}


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"thing": object()}, "header 'thing' is a object, which AMQP cannot carry"),
        ({"n": 1 << 70}, "AMQP cannot carry it"),
        ({"x" * 129: 1}, "AMQP takes 128 bytes"),
    ],
)
async def test_a_header_that_amqp_cannot_carry_is_rejected(hosting: Any, queue: str, headers: Any, why: str) -> None:
    """It is not retried, and the channel goes on."""
    async with hosting() as host:
        send = await host.sink(queue, declare=True)
        with pytest.raises(Rejected, match=why):
            await send(Message(b"x", headers))
        await send(Message(b"y"))


async def test_no_header_steers_the_broker(hosting: Any, outside: Any, queue: str) -> None:
    """CC and BCC would send copies to any queue, and what a queue has noted on a message is not for the next one."""
    await outside.declare(f"{queue}-secret")
    headers = {"CC": [f"{queue}-secret"], "BCC": [f"{queue}-secret"], "x-death": [], "x-delivery-count": 3, "tenant": 1}
    steering = {"rabbitmq.expiration": "1", "rabbitmq.user_id": "root", "rabbitmq.routing_key": "x"}
    async with hosting() as host:
        await (await host.sink(queue, declare=True))(Message(b"x", {**headers, **steering}))
    (found,) = await outside.taken(queue)
    assert noted(found) == {"tenant": 1}
    assert (found.expiration, found.user_id) == (None, None)
    assert await outside.bodies(f"{queue}-secret") == []


async def test_headers_go_along_as_far_as_they_are_wanted(hosting: Any, outside: Any, queue: str) -> None:
    """By globs; none if the option is empty."""
    message = Message(b"x", {"file.name": "a", "tenant": 1, "trace-id": "t"})
    async with hosting() as host:
        await (await host.sink(queue, declare=True, headers="tenant, trace-*"))(message)
        await (await host.sink(queue, headers=""))(message)
    first, second = await outside.taken(queue)
    assert noted(first) == {"tenant": 1, "trace-id": "t"}
    assert noted(second) == {}


async def test_the_routing_key_is_computed_for_each_message(setup: Any, outside: Any, queue: str) -> None:
    """A topic exchange distributes by what a function gives."""
    channel = await outside.channel()
    exchange = await channel.declare_exchange(queue, "topic")
    for name, key in (("new", "order.new"), ("all", "order.*")):
        await (await channel.declare_queue(f"{queue}-{name}")).bind(exchange, key)
    flow = from_(Feed(["new", "paid"]), str).to(f"rabbitmq:?exchange={queue}", key=lambda state: f"order.{state}")
    run = await run_routes(flow, setup=setup())
    assert not run.letters
    assert await outside.bodies(f"{queue}-new") == [b"new"]
    assert await outside.bodies(f"{queue}-all") == [b"new", b"paid"]


async def test_a_key_without_exchange_is_refused(setup: Any, outside: Any, queue: str) -> None:
    """A computed key cannot reach another queue than that which is written."""
    await outside.declare(queue)
    run = await run_routes(from_(Feed([b"a"]), bytes).to(f"rabbitmq:{queue}", key=lambda _: "elsewhere"), setup=setup())
    assert "key goes with exchange" in run.letters[0].reason


async def test_many_messages_are_on_their_way_at_once(setup: Any, outside: Any, queue: str) -> None:
    """With 200 in flight, 2,000 messages need far fewer round trips than one each."""
    await outside.declare(queue)
    flow = from_(Feed(range(2000)), int, policy=Policy(concurrency=200)).to(f"rabbitmq:{queue}")
    with anyio.fail_after(10):
        run = await run_routes(flow, setup=setup())
    assert run.counts["route-1"].done == 2000
    assert len(await outside.taken(queue)) == 2000


async def test_an_exchange_is_declared_with_its_kind(hosting: Any, outside: Any, queue: str) -> None:
    """With declare=true the exchange is there, and durable."""
    async with hosting() as host:
        await host.sink("", exchange=queue, exchange_type="fanout", declare=True)
    channel = await outside.channel()
    await channel.declare_exchange(queue, "fanout", durable=True)


async def test_a_message_that_the_broker_does_not_take(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """One that is too large closes the channel: it is given up, and those that were on their way with it are not."""
    await outside.declare(queue)
    bodies = [b"x" * 2_000_000 if n == 3 else str(n).encode() for n in range(20)]
    run = await run_routes(
        from_(Feed(bodies), bytes, policy=Policy(concurrency=5)).to(f"rabbitmq:{queue}"), setup=setup()
    )
    assert [letter.message_id for letter in run.letters] == ["feed-4"]
    assert run.letters[0].error == "Rejected"
    assert "the broker does not take such a message: PRECONDITION_FAILED" in run.letters[0].reason
    found, wanted = set[bytes](), {body for body in bodies if len(body) < 100}

    async def taken() -> bool:  # a quorum queue may give them late, and some twice
        found.update(await outside.bodies(queue))
        return found >= wanted

    await eventually(taken)
    assert found == wanted
