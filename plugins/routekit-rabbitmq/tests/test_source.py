"""What a source guarantees: topology, acknowledgement, refusal, poison, batches."""

from typing import Any

import aio_pika
import anyio
import pytest

from routekit import Message, Policy, from_
from routekit.testing import Run, Sink, run_routes, running

pytestmark = pytest.mark.anyio


def fail(body: Any) -> Any:
    raise ValueError("bad")


async def test_it_declares_exchange_queue_and_bindings(setup: Any, outside: Any, queue: str) -> None:
    """Messages of the exchange come in as soon as the route is up, by each of the routing keys."""
    out = Sink()
    uri = f"rabbitmq:{queue}?exchange={queue}-x&exchange_type=topic&bind=order.*, invoice.%23"
    await run_routes(from_(uri).to(out), setup=setup())
    for key in ("order.new", "invoice.a.b", "other"):
        await publish(outside, f"{queue}-x", key)
    await run_routes(from_(uri, str).to(out), setup=setup())
    assert out.bodies == ["order.new", "invoice.a.b"]
    assert out.messages[0].headers["rabbitmq.exchange"] == f"{queue}-x"
    assert out.messages[0].headers["rabbitmq.routing_key"] == "order.new"


async def publish(outside: Any, exchange: str, key: str, headers: Any = None) -> None:
    """Publish the key as body; a message for nobody is dropped."""
    channel = await outside.channel()
    to = await channel.get_exchange(exchange)
    await to.publish(aio_pika.Message(key.encode(), headers=headers), key, mandatory=False)


async def test_a_headers_exchange_is_bound_by_what_must_match(setup: Any, outside: Any, queue: str) -> None:
    """The arguments of the binding are options."""
    out = Sink()
    uri = f"rabbitmq:{queue}?exchange={queue}-x&exchange_type=headers"
    flow = from_(f"{uri}&match.format=pdf", str)
    await run_routes(flow.to(out), setup=setup())
    await publish(outside, f"{queue}-x", "yes", {"format": "pdf"})
    await publish(outside, f"{queue}-x", "no", {"format": "csv"})
    await run_routes(flow.to(out), setup=setup())
    assert out.bodies == ["yes"]


async def test_properties_become_headers(setup: Any, outside: Any, queue: str) -> None:
    """Headers under their own names, properties as `rabbitmq.NAME`, correlation id and return address as everywhere."""
    await outside.declare(queue)
    given = {
        "headers": {"tenant": "acme", "n": 5},
        "content_type": "text/x",
        "type": "order",
        "priority": 4,
        "correlation_id": "7",
        "reply_to": "answers",
        "app_id": "shop",
        "expiration": 60,
        "message_id": "m1",
    }
    await outside.publish(queue, b"x", **given)
    out = Sink()
    await run_routes(from_(f"rabbitmq:{queue}").to(out), setup=setup())
    (message,) = out.messages
    assert message.id == "m1"
    assert dict(message.headers) == {
        "tenant": "acme",
        "n": 5,
        "rabbitmq.content_type": "text/x",
        "rabbitmq.type": "order",
        "rabbitmq.priority": 4,
        "rabbitmq.app_id": "shop",
        "rabbitmq.expiration": "60000",
        "rabbitmq.exchange": "",
        "rabbitmq.routing_key": queue,
        "rabbitmq.redelivered": False,
        "rabbitmq.deliveries": 1,
        "correlation-id": "7",
        "reply-to": "answers",
    }


async def test_without_declare_the_queue_has_to_exist(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """The route is degraded until somebody makes it, and takes it as it is."""
    run, out = Run(), Sink()
    async with running(from_(f"rabbitmq:{queue}?declare=false", str).to(out), setup=setup(run=run)):
        await eventually(lambda: [event for event in run.events if "no queue" in str(getattr(event, "error", ""))])
        await outside.declare(queue, "classic")
        await outside.publish(queue, b"a")
        await eventually(lambda: out.bodies == ["a"])


async def test_a_failed_message_becomes_a_dead_letter_here(setup: Any, outside: Any, queue: str) -> None:
    """Without dead letters of the queue's own, the letter in the store is what is left of it."""
    await outside.declare(queue)
    await outside.publish(queue, b"a")
    run = await run_routes(from_(f"rabbitmq:{queue}", str).transform(fail), setup=setup())
    assert [(letter.message_id, letter.error) for letter in run.letters] == [("a", "ValueError")]
    assert await outside.bodies(queue) == []


@pytest.mark.parametrize("kind", ["quorum", "classic"])
async def test_a_failed_message_goes_to_the_dead_letters_of_its_queue(
    setup: Any, outside: Any, queue: str, kind: str, eventually: Any
) -> None:
    """If the queue was given some: they are a queue of their own, with the reason that the broker knows."""
    uri = f"rabbitmq:{queue}?queue_type={kind}&dead_letter={queue}-dead"
    await run_routes(from_(uri).to(Sink()), setup=setup())
    await outside.publish(queue, b"a", b"b")
    run = await run_routes(from_(uri, str).filter(lambda body: body == "a").transform(fail), setup=setup())
    assert (run.counts["route-1"].refused, run.letters) == (1, [])
    (dead,) = await outside.taken(f"{queue}-dead", 1)
    assert dead.body == b"a"
    assert dead.headers["x-death"][0]["reason"] == "rejected"


async def test_a_dead_letter_exchange_has_to_exist(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """The broker would drop what is for a missing one, so the route does not run without it."""
    run = Run()
    uri = f"rabbitmq:{queue}?dead_letter_exchange={queue}-x&dead_letter_key=k"
    async with running(from_(uri, str).transform(fail), setup=setup(run=run)):
        await eventually(lambda: [event for event in run.events if "no exchange" in str(getattr(event, "error", ""))])
        channel = await outside.channel()
        exchange = await channel.declare_exchange(f"{queue}-x", "direct", durable=True)
        dead = await channel.declare_queue(f"{queue}-dead", durable=True, arguments={"x-queue-type": "quorum"})
        await dead.bind(exchange, "k")
        await eventually(lambda: outside.exists(queue))
        await outside.publish(queue, b"a")
        assert await outside.bodies(f"{queue}-dead", 1) == [b"a"]


async def test_a_refused_message_is_requeued_after_a_while(setup: Any, outside: Any, queue: str) -> None:
    """With the policy `refuse` and no dead letters it comes again, and its number of deliveries grows."""
    await outside.declare(queue)
    await outside.publish(queue, b"a")
    seen: list[tuple[int, bool]] = []

    def third(body: str, message: Message[str]) -> str:
        seen.append((message.headers["rabbitmq.deliveries"], message.headers["rabbitmq.redelivered"]))
        return body if len(seen) == 3 else fail(body)

    policy = Policy(dead_letter="refuse")
    run = await run_routes(from_(f"rabbitmq:{queue}?again=10ms", str, policy=policy).transform(third), setup=setup())
    assert seen == [(1, False), (2, True), (3, True)]
    assert (run.counts["route-1"].refused, run.counts["route-1"].done) == (2, 1)


@pytest.mark.parametrize("kind", ["quorum", "classic"])
async def test_a_message_that_comes_too_often_is_given_up(setup: Any, outside: Any, queue: str, kind: str) -> None:
    """Poison: a service that dies of it, again and again, finds it among the dead letters, not handled once more."""
    await outside.declare(queue, kind)
    await outside.publish(queue, b"poison")
    handled: list[str] = []
    uri = f"rabbitmq:{queue}?deliveries=2&queue_type={kind}"
    async with setup().opened_store() as store:
        for _ in range(2):
            dying = anyio.Event()

            async def die(body: str, dying: anyio.Event = dying) -> None:
                handled.append(body)
                dying.set()
                await anyio.sleep_forever()

            async with running(from_(uri, str).transform(die), setup=setup(store=store)) as service:
                await dying.wait()
                service.force()
        run = await run_routes(from_(uri, str).transform(handled.append), setup=setup(store=store))
    assert handled == ["poison"] * 2
    assert [letter.error for letter in run.letters] == ["Rejected"]
    assert "delivered 3 times, and never finished; deliveries=2 is the limit" in run.letters[0].reason
    assert await outside.bodies(queue) == []


async def test_what_was_only_prefetched_is_not_to_blame(setup: Any, outside: Any, queue: str, tmp_path: Any) -> None:
    """Messages behind one that kills the process, again and again, are handled once it has been given up."""
    await outside.declare(queue)
    await outside.publish(queue, *(str(n).encode() for n in range(5)))
    uri, store = f"rabbitmq:{queue}?deliveries=3", f"sqlite:{tmp_path}/state.db"
    out = Sink()
    for _ in range(3):
        dying = anyio.Event()

        async def die(body: str, dying: anyio.Event = dying) -> None:
            assert body == "0"
            dying.set()
            await anyio.sleep_forever()

        async with running(from_(uri, str).transform(die), setup=setup(store=store)) as service:
            await dying.wait()
            service.force()
    run = await run_routes(from_(uri, str).to(out), setup=setup(store=store))
    assert [letter.message_id for letter in run.letters] == ["0"]
    assert out.bodies == ["1", "2", "3", "4"]
    assert {message.headers["rabbitmq.deliveries"] for message in out.messages} == {2}


async def test_the_count_of_a_classic_queue_is_forgotten_when_the_message_is_done(
    setup: Any, outside: Any, queue: str
) -> None:
    """What the store keeps for a message that has come twice is gone once it is acknowledged."""
    await outside.declare(queue, "classic")
    await outside.publish(queue, b"a")
    tries: list[str] = []

    def second(body: str) -> str:
        tries.append(body)
        return body if len(tries) == 2 else fail(body)

    uri = f"rabbitmq:{queue}?again=0&queue_type=classic"
    async with setup().opened_store() as store:
        policy = Policy(dead_letter="refuse")
        await run_routes(from_(uri, str, policy=policy).transform(second), setup=setup(store=store))
        assert tries == ["a", "a"]
        assert await store.marks(f"rabbitmq-deliveries:default/{queue}").items() == []


async def test_no_more_than_the_prefetch_is_taken(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """Back-pressure: while a slow route has one message, the broker keeps all but the prefetch for others."""
    await outside.declare(queue)
    await outside.publish(queue, *(str(n).encode() for n in range(20)))
    gate, reached = anyio.Event(), anyio.Event()

    async def slow(body: str) -> str:
        reached.set()
        await gate.wait()
        return body

    out = Sink()
    async with running(from_(f"rabbitmq:{queue}?prefetch=5", str).transform(slow).to(out), setup=setup()):
        await reached.wait()
        await anyio.sleep(0.2)
        assert len(await outside.taken(queue)) == 15
        gate.set()
        await eventually(lambda: len(out.bodies) == 5)
    assert out.bodies == ["0", "1", "2", "3", "4"]


async def test_a_stop_gives_back_what_was_not_begun(setup: Any, outside: Any, queue: str) -> None:
    """The message in flight is finished and acknowledged; those that only wait go back to the queue at once."""
    await outside.declare(queue)
    await outside.publish(queue, b"a", b"b", b"c")
    reached = anyio.Event()

    async def slow(body: str) -> str:
        reached.set()
        await anyio.sleep(0.3)
        return body

    out = Sink()
    async with running(from_(f"rabbitmq:{queue}", str).transform(slow).to(out), setup=setup()):
        await reached.wait()
    assert out.bodies == ["a"]
    assert sorted(await outside.bodies(queue, 2)) == [b"b", b"c"]


async def test_messages_finish_in_any_order(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """What is done is acknowledged and nothing else, though acknowledgements go together; the rest comes again."""
    await outside.declare(queue)
    await outside.publish(queue, *(str(n).encode() for n in range(40)))
    gates = {n: anyio.Event() for n in range(40)}
    done = {1, 0, 2, 3, 7, 8, 9, 20, 22, 39, 4}

    async def wait(number: int) -> int:
        await gates[number].wait()
        return number

    out, rest = Sink(), Sink()
    flow = from_(f"rabbitmq:{queue}?prefetch=40", int, policy=Policy(concurrency=40)).transform(wait).to(out)
    async with running(mine=flow, setup=setup()) as service:
        await eventually(lambda: service.counts()["mine"].in_flight == 40)
        for number in done:
            gates[number].set()
        await eventually(lambda: service.counts()["mine"].done == len(done))
        service.force()
    await run_routes(from_(f"rabbitmq:{queue}", int).to(rest), setup=setup())
    assert set(out.bodies) == done
    assert sorted(rest.bodies) == sorted(set(range(40)) - done)


async def test_a_paused_route_leaves_the_queue_to_others(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """What was at work is finished, what was not begun goes back; once it is resumed it consumes again."""
    await outside.declare(queue)
    await outside.publish(queue, b"a", b"b", b"c")
    gate, reached, out = anyio.Event(), anyio.Event(), Sink()

    async def slow(body: str) -> str:
        reached.set()
        await gate.wait()
        return body

    async with running(mine=from_(f"rabbitmq:{queue}", str).transform(slow).to(out), setup=setup()) as service:
        await reached.wait()
        await service.control("pause", "mine")
        gate.set()
        assert sorted(await outside.bodies(queue, 2)) == [b"b", b"c"]
        assert out.bodies == ["a"]
        await outside.publish(queue, b"d")
        assert await outside.bodies(queue, 1) == [b"d"]
        await outside.publish(queue, b"e")
        await service.control("resume", "mine")
        await eventually(lambda: out.bodies == ["a", "e"])
    assert await outside.bodies(queue) == []


async def test_messages_come_in_batches(setup: Any, outside: Any, queue: str) -> None:
    """As lists of bodies, as many as there are and no more than asked for; all are acknowledged together."""
    await outside.declare(queue)
    await outside.publish(queue, *(str(n).encode() for n in range(7)))
    out = Sink()
    uri = f"rabbitmq:{queue}?batch=3&batch_wait=200ms&codec=json"
    run = await run_routes(from_(uri, list[int]).to(out), setup=setup())
    assert out.bodies == [[0, 1, 2], [3, 4, 5], [6]]
    assert out.messages[0].headers["rabbitmq.batch"] == 3
    assert (out.messages[0].id, run.counts["route-1"].done) == ("0..2", 3)
    assert await outside.bodies(queue) == []


async def test_a_message_that_cannot_be_read_does_not_fail_its_batch(setup: Any, outside: Any, queue: str) -> None:
    """It is a dead letter of its own, as it came."""
    await outside.declare(queue)
    await outside.publish(queue, b"1", b"{", b"3")
    out = Sink()
    uri = f"rabbitmq:{queue}?batch=3&batch_wait=200ms&codec=json"
    run = await run_routes(from_(uri, list[int]).to(out), setup=setup())
    assert out.bodies == [[1, 3]]
    assert [(letter.error, letter.message_id) for letter in run.letters] == [("BodyError", "{")]
    assert await outside.bodies(queue) == []


async def test_a_batch_that_fails_comes_again_as_a_whole(setup: Any, outside: Any, queue: str) -> None:
    """All its messages are refused together."""
    await outside.declare(queue)
    await outside.publish(queue, b"1", b"2")
    tries: list[Any] = []

    def second(bodies: Any) -> Any:
        tries.append(bodies)
        return bodies if len(tries) == 2 else fail(bodies)

    uri = f"rabbitmq:{queue}?batch=2&batch_wait=200ms&codec=json&again=0"
    await run_routes(from_(uri, list[int], policy=Policy(dead_letter="refuse")).transform(second), setup=setup())
    assert [sorted(bodies) for bodies in tries] == [[1, 2], [1, 2]]


async def test_batches_at_work_at_once_are_acknowledged_apart(setup: Any, outside: Any, queue: str) -> None:
    """A later batch that is done first takes no message of an earlier one off the queue."""
    await outside.declare(queue)
    await outside.publish(queue, *(str(n).encode() for n in range(4)))
    done, begun = anyio.Event(), anyio.Event()

    async def work(bodies: list[int]) -> list[int]:
        if bodies[0] == 0:
            begun.set()
            await anyio.sleep_forever()
        return bodies

    uri = f"rabbitmq:{queue}?batch=2&batch_wait=200ms&codec=json"
    flow = from_(uri, list[int], policy=Policy(concurrency=2)).transform(work).transform(lambda _: done.set())
    async with running(flow, setup=setup()) as service:
        await begun.wait()
        await done.wait()
        await anyio.sleep(0.2)
        service.force()
    assert sorted(await outside.bodies(queue, 2)) == [b"0", b"1"]


async def test_only_one_consumer_is_active(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """Of two routes on a queue with single_active one gets all; the other takes over when it stops."""
    first, second = Sink(), Sink()
    uri = f"rabbitmq:{queue}?single_active=true"
    async with running(b=from_(uri, str).to(second), a=from_(uri, str).to(first), setup=setup()) as service:
        await service.control("stop", "b")
        await eventually(lambda: outside.exists(queue))
        await anyio.sleep(0.5)
        await service.control("start", "b")
        await anyio.sleep(0.5)
        await outside.publish(queue, b"1", b"2", b"3")
        await eventually(lambda: first.bodies == ["1", "2", "3"])
        await service.control("stop", "a")
        await outside.publish(queue, b"4")
        await eventually(lambda: second.bodies == ["4"])


async def test_an_exclusive_consumer_is_the_only_one(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """A second one is told, and waits until the first is gone."""
    run, out = Run(), Sink()
    uri = f"rabbitmq:{queue}?exclusive=true&consumer=mine&queue_type=classic"
    async with running(from_(uri, str).to(Sink()), setup=setup()):
        await eventually(lambda: outside.exists(queue))
        await anyio.sleep(0.2)
        async with running(from_(uri, str).to(out), setup=setup(run=run)):
            refused = "exclusive"
            await eventually(lambda: [e for e in run.events if refused in str(getattr(e, "error", ""))])


async def test_a_temporary_queue_ends_with_its_consumer(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """Several services get every message of an exchange, each by a queue of its own that nobody names."""
    first, second = Sink(), Sink()
    uri = f"rabbitmq:?exchange={queue}&exchange_type=fanout&temporary=true"
    async with running(a=from_(uri, str).to(first), b=from_(uri, str).to(second), setup=setup()):
        await anyio.sleep(0.5)
        await publish(outside, queue, "hello")
        await eventually(lambda: (first.bodies, second.bodies) == (["hello"], ["hello"]))


async def test_what_waits_too_long_runs_out(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """With a ttl, into the dead letters of the queue."""
    uri = f"rabbitmq:{queue}?ttl=100ms&dead_letter={queue}-dead"
    await run_routes(from_(uri).to(Sink()), setup=setup())
    await outside.publish(queue, b"late")
    assert await outside.bodies(f"{queue}-dead", 1) == [b"late"]


async def test_urgent_messages_come_first(setup: Any, outside: Any, queue: str) -> None:
    """A classic queue with priorities gives the highest first."""
    uri = f"rabbitmq:{queue}?queue_type=classic&priorities=9"
    await run_routes(from_(uri).to(Sink()), setup=setup())
    for priority in (1, 9, 5):
        await outside.publish(queue, str(priority).encode(), priority=priority)
    out = Sink()
    await run_routes(from_(uri, int).to(out), setup=setup())
    assert out.bodies == [9, 5, 1]


async def test_a_message_that_is_known_to_be_bad_is_not_handled(setup: Any, outside: Any, queue: str) -> None:
    """With a codec, what it cannot read is a dead letter with the bytes as they came."""
    await outside.declare(queue)
    await outside.publish(queue, b"[1]", b"{")
    out = Sink()
    run = await run_routes(from_(f"rabbitmq:{queue}?codec=json", list[int]).to(out), setup=setup())
    assert out.bodies == [[1]]
    assert run.letters[0].error == "BodyError"
