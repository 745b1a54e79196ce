"""Request and reply: over direct reply-to, with a route of ours or somebody else on the other side."""

from typing import Any

import anyio
import pytest

from routekit import Policy, Retry, Unanswered, Unavailable, from_
from routekit.testing import Feed, Run, Sink, run_routes, running

pytestmark = pytest.mark.anyio


async def test_a_route_asks_a_route(setup: Any, queue: str) -> None:
    """Many questions at once, each of which gets its own answer."""
    out = Sink()
    answering = from_(f"rabbitmq:{queue}?reply=true", int, policy=Policy(concurrency=20)).transform(lambda n: n * n)
    async with running(server=answering, setup=setup()):
        asking = from_(Feed(range(100)), int, policy=Policy(concurrency=20))
        flow = asking.enrich(f"rabbitmq:{queue}?reply=true&declare=true", answer=int).to(out)
        run = await run_routes(flow, setup=setup())
    assert run.letters == []
    assert sorted(out.bodies) == sorted(n * n for n in range(100))


async def test_somebody_else_is_answered_where_he_says(setup: Any, outside: Any, queue: str) -> None:
    """In the queue that the request names, with the request's correlation id."""
    await outside.declare(queue)
    await outside.declare(f"{queue}-answers")
    await outside.publish(queue, b"7", reply_to=f"{queue}-answers", correlation_id="c1")
    await outside.publish(queue, b"8", reply_to=f"{queue}-answers", message_id="m2")
    await outside.publish(queue, b"9")
    run = await run_routes(from_(f"rabbitmq:{queue}?reply=true", int).transform(lambda n: {"n": n}), setup=setup())
    assert run.counts["route-1"].done == 3
    found = await outside.taken(f"{queue}-answers", 2)
    assert [(answer.body, answer.correlation_id) for answer in found] == [(b'{"n":7}', "c1"), (b'{"n":8}', "m2")]
    assert found[0].content_type == "application/json"


async def test_without_the_option_nobody_is_answered(setup: Any, outside: Any, queue: str) -> None:
    """A header never makes a route send something; only its author does."""
    await outside.declare(queue)
    await outside.declare(f"{queue}-answers")
    await outside.publish(queue, b"7", reply_to=f"{queue}-answers")
    await run_routes(from_(f"rabbitmq:{queue}", int).transform(lambda n: n), setup=setup())
    assert await outside.bodies(f"{queue}-answers") == []


async def test_who_is_gone_is_not_waited_for(setup: Any, outside: Any, queue: str) -> None:
    """A reply whose queue does not exist any more is dropped, with a line in the log; the request is done."""
    await outside.declare(queue)
    await outside.publish(queue, b"7", reply_to=f"{queue}-gone", correlation_id="c1")
    run = Run()
    done = await run_routes(from_(f"rabbitmq:{queue}?reply=true", int), setup=setup(run=run))
    assert done.counts["route-1"].done == 1
    assert [event for event in run.events if "nobody waits for the reply to 7" in getattr(event, "text", "")]
    assert await outside.bodies(queue) == []


async def test_an_answer_that_does_not_come_in_time(setup: Any, outside: Any, queue: str) -> None:
    """The question fails as unanswered, which is worth another try."""
    await outside.declare(queue)
    run = Run()
    flow = from_(Feed([b"x"]), bytes).enrich(f"rabbitmq:{queue}?reply=true&timeout=100ms", answer=bytes)
    found = await run_routes(flow, setup=setup(run=run))
    assert [(letter.error, letter.reason) for letter in found.letters] == [
        (Unanswered.__name__, f"rabbitmq:{queue}: no answer came within 0.1 s")
    ]


async def test_a_question_that_no_queue_takes_fails_at_once(setup: Any, outside: Any, queue: str) -> None:
    """Nobody waits for an answer to what was returned."""
    channel = await outside.channel()
    await channel.declare_exchange(queue, "direct")
    flow = from_(Feed([b"x"]), bytes).enrich(f"rabbitmq:?exchange={queue}&key=k&reply=true&timeout=60s", answer=bytes)
    with anyio.fail_after(10):
        run = await run_routes(flow, setup=setup())
    assert run.letters[0].error == "Returned"


async def test_an_answer_is_lost_with_the_connection(setup: Any, outside: Any, queue: str, eventually: Any) -> None:
    """The question is asked again, by the retries that the route allows, over a new connection."""
    await outside.declare(queue)
    events: list[Any] = []

    def watch(event: Any) -> None:
        if type(event).__name__ == "Retrying":
            events.append(event.error)

    out = Sink()
    flow = from_(Feed([b"7"]), bytes).enrich(
        f"rabbitmq:{queue}?reply=true&timeout=30s", answer=int, retry=Retry(20, first=0.05, most=0.2)
    )
    async with running(flow.to(out), setup=setup(watch=watch)):
        (request,) = await outside.taken(queue, 1)
        await outside.cut("publishing")
        (request,) = await outside.taken(queue, 1)
        await outside.publish(request.reply_to, b"49", correlation_id=request.correlation_id)
        await eventually(lambda: out.bodies == [49])
    assert isinstance(events[0], Unavailable)
