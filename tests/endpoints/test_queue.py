"""queue:"""

import anyio
import pytest

from routekit import Message, Policy, from_
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


async def slow(n: int) -> int:
    await anyio.sleep(10)
    return n


async def test_messages_come_in_order() -> None:
    """With body, headers and id."""
    sink = Sink()
    feed = Feed([Message(n, {"h": n}, f"m{n}") for n in range(5)])
    await run_routes(from_(feed, int).to("queue:q"), from_("queue:q", int).to(sink))
    assert sink.messages == [Message(n, {"h": n}, f"m{n}") for n in range(5)]


async def test_the_sender_does_not_wait_for_the_reader() -> None:
    """Returning means that it is in memory."""
    feed, times = Feed([1]), []
    outer = from_(feed, int).to("queue:q").transform(lambda n: times.append(anyio.current_time()))
    start = anyio.current_time()
    await run_routes(outer, from_("queue:q", int).transform(slow))
    assert times == [start]


async def test_the_sender_waits_while_it_is_full() -> None:
    """`size` messages wait at most; the sender goes on when there is room."""
    source = Watched(range(10))
    async with running(from_(source, int).to("queue:q?size=2"), from_("queue:q", int).transform(slow)):
        await anyio.sleep(5)
        assert source.state["asked"] == 4, "one at work, two in the queue, one waiting"
        await anyio.sleep(10)
        assert source.state["asked"] == 5


async def test_waiting_for_room_has_its_limit_in_the_deadline() -> None:
    """A message that cannot get in before its deadline is a dead letter."""
    outer = from_(Feed([1, 2, 3]), int, policy=Policy(deadline=5)).to("queue:q?size=1")
    run = await run_routes(outer=outer, inner=from_("queue:q", int).transform(slow))
    assert [(letter.error, letter.body) for letter in run.letters] == [("Expired", 3)]


async def test_it_is_worked_off_at_a_stop() -> None:
    """What was in the queue when the service stopped is done within the drain time."""
    sink = Sink()
    async with running(from_(Feed(range(5)), int).to("queue:q"), from_("queue:q", int).transform(slow).to(sink)):
        await anyio.sleep(1)
        assert sink.bodies == []
    assert sink.bodies == [0, 1, 2]


async def test_it_is_worked_off_whole_if_there_is_time() -> None:
    """Nothing is lost while the drain time lasts."""
    sink, setup = Sink(), setup_for(Run(), drain=1000)
    inner = from_("queue:q", int).transform(slow).to(sink)
    async with running(from_(Feed(range(9)), int).to("queue:q"), inner, setup=setup):
        await anyio.sleep(1)
    assert sink.bodies == list(range(9))


async def test_queues_in_a_row_are_worked_off() -> None:
    """From one to the next, in the order of the flow."""
    sink, setup = Sink(), setup_for(Run(), drain=1000)
    a = from_(Feed(range(4)), int).to("queue:a")
    b = from_("queue:a", int).transform(slow).to("queue:b")
    c = from_("queue:b", int).transform(slow).to(sink)
    async with running(c, b, a, setup=setup):
        await anyio.sleep(1)
    assert sink.bodies == [0, 1, 2, 3]


async def test_a_refused_message_goes_back_to_the_front() -> None:
    """And comes again first."""
    seen: list[int] = []

    def work(n: int) -> None:
        seen.append(n)
        if len(seen) == 1:
            raise ValueError("not now")

    inner = from_("queue:q", int, policy=Policy(dead_letter="refuse")).transform(work)
    await run_routes(from_(Feed([1, 2]), int).to("queue:q"), inner)
    assert seen == [1, 1, 2]


async def test_several_readers_share_one_queue() -> None:
    """Each message goes to one of them."""
    sink = Sink()
    readers = [from_("queue:q", int, policy=Policy(concurrency=2)).transform(slow).to(sink) for _ in range(2)]
    before = anyio.current_time()
    await run_routes(from_(Feed(range(8)), int).to("queue:q"), *readers)
    assert sorted(sink.bodies) == list(range(8))
    assert anyio.current_time() - before == pytest.approx(20)


async def test_a_queue_has_no_memory_between_services() -> None:
    """Each service has queues of its own."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).to("queue:q"))
    await run_routes(from_(Feed([2]), int).to("queue:q"), from_("queue:q", int).to(sink))
    assert sink.bodies == [2]
