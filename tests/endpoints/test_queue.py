"""queue:"""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, Policy, Runs, from_
from routekit.endpoints.queue import Queue, Queues, QueueSink, QueueSource
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, Outside, every_crash
from ..fakes import Watched

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Order:
    n: int


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


async def test_it_shows_how_many_wait() -> None:
    """The figure `waiting` is the number of messages in the queue, for whoever looks."""
    async with running(a=from_(Feed(range(5)), int).to("queue:q"), b=from_("queue:q", int).transform(slow)) as service:
        await anyio.sleep(5)
        assert (await service.control("stats", "b"))["endpoints"] == {"queue:q": {"waiting": 4}}
        await anyio.sleep(10)
        assert (await service.control("stats", "b"))["endpoints"] == {"queue:q": {"waiting": 3}}


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


async def test_the_most_urgent_is_taken_first() -> None:
    """By `priority`, a number or a function of each message; equal ones in the order in which they came."""
    sink = Sink()
    writer = from_(Feed([1, 22, 3, 21, 11, 2]), int).to("queue:q", priority=lambda n: n // 10)
    other = from_(Feed([90]), int).to("queue:q?priority=-1")
    reader = from_("queue:q", int, policy=Policy(runs=Runs(start="manual"))).to(sink)
    async with running(writer, other, reader=reader) as service:
        await anyio.sleep(1)
        await service.control("start", "reader")
        await anyio.sleep(1)
    assert sink.bodies == [22, 21, 11, 1, 3, 2, 90]


async def test_a_refused_message_is_the_first_of_its_priority() -> None:
    """It overtakes those that are as urgent, and nobody who is more."""
    seen: list[int] = []

    async def work(n: int) -> None:
        seen.append(n)
        await anyio.sleep(2)
        if len(seen) == 1:
            raise ValueError("not now")

    inner = from_("queue:q", int, policy=Policy(dead_letter="refuse")).transform(work)
    late = from_("timer:t?every=1&repeat=1").transform(lambda n: 50).to("queue:q?priority=5")
    await run_routes(from_(Feed([1, 2]), int).to("queue:q"), late, inner)
    assert seen == [1, 50, 1, 2]


async def test_a_priority_that_is_no_number_fails_its_message() -> None:
    """As any other option that is computed wrongly."""
    run = await run_routes(from_(Feed(["a"]), str).to("queue:q", priority=lambda text: text), from_("queue:q", str))
    assert [letter.error for letter in run.letters] == ["BodyError"]


@settings(max_examples=60)
@given(
    orders=st.lists(st.tuples(st.sampled_from(["put", "take", "back"]), st.integers(-2, 2)), max_size=40),
)
def test_it_is_as_a_sorted_list(orders: list[tuple[str, int]]) -> None:
    """Whatever is added, taken and given back: the next is the first of the most urgent."""
    queue, model, taken = Queue(), dict[int, list[int]](), list[tuple[Message[int], int]]()
    for number, (order, priority) in enumerate(orders):
        if order == "put":
            queue.put(Message(number), priority)
            model.setdefault(priority, []).append(number)
        elif order == "back" and taken:
            message, before = taken.pop()
            queue.put_back(message, before)
            model.setdefault(before, []).insert(0, message.body)
        elif any(model.values()):
            urgent = max(one for one, those in model.items() if those)
            taken.append(queue.take())
            assert (taken[-1][0].body, taken[-1][1]) == (model[urgent].pop(0), urgent)
        assert len(queue) == sum(map(len, model.values()))


async def test_what_is_lost_with_the_service_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Messages that nobody has taken at the end are counted in the log."""
    reader = from_("queue:q", int, policy=Policy(runs=Runs(start="manual")))
    async with running(from_(Feed([1, 2]), int).to("queue:q"), reader):
        await anyio.sleep(1)
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "queue:q" in line] == ["queue:q: 2 messages were left at the end, and are lost"]


KEPT = "queue:q?durable=true"


async def test_no_crash_loses_what_is_in_a_durable_queue() -> None:
    """Whatever the operation of sender, reader or store: afterwards all is done, and the queue is empty."""

    def flow(outside: Outside) -> list[Flow[Any]]:
        return [from_(outside.source, int).to(KEPT), from_(KEPT, int).to(outside.sink)]

    async def check(outside: Outside) -> None:
        given_up = {letter.message_id for letter in outside.letters}  # the store refused it while it was sent
        assert {*outside.ids, *given_up} == {"m1", "m2", "m3"}
        assert len(outside.bodies) <= 3 + 2 * len(outside.crashed)
        assert not outside.waiting
        assert await outside.store.journal("queue:q").count() == 0

    assert await every_crash(flow, lambda: Outside([1, 2, 3]), check, patience=100.0) > 20


async def test_what_is_left_in_a_durable_queue_is_there_at_the_next_start() -> None:
    """In its order, by urgency, with headers and id, typed as the reader wants it; twice if it was sent twice."""
    store, sink = DurableStore(), Sink()
    feed = Feed([Message(Order(n), {"n": n}, f"m{n}") for n in (1, 2, 3)])
    sender = from_(feed, Order).to(KEPT, priority=lambda order: order.n // 3).to(KEPT)
    await run_routes(sender, store=store)
    assert await store.journal("queue:q").count() == 6
    await run_routes(from_(KEPT, Order).to(sink), store=store)
    assert [message.body for message in sink.messages] == [Order(n) for n in (3, 1, 1, 2, 2, 3)]
    assert sink.messages[0] == Message(Order(3), {"n": 3}, "m3")
    assert await store.journal("queue:q").count() == 0


async def test_a_message_that_a_durable_queue_cannot_keep_is_refused() -> None:
    """At once: it would not come back."""
    run = await run_routes(from_(Feed([object()])).to(KEPT), from_(KEPT).log("x"))
    assert [letter.error for letter in run.letters] == ["BodyError"]


async def test_both_ends_say_whether_a_queue_is_durable() -> None:
    """Else a message would be kept by the one and never be forgotten by the other."""
    known = Queues()
    known.keeper("q", DurableStore(), durable=True)
    with pytest.raises(DefinitionError, match="durable for one route, and not for another"):
        known.keeper("q", DurableStore(), durable=False)


def test_a_durable_queue_is_no_memory() -> None:
    """For the guarantees that are computed."""
    assert not QueueSource(name="q", durable=True).promises().volatile
    assert not QueueSink(name="q", durable=True).promises().volatile
    assert QueueSource(name="q").promises().volatile
    assert QueueSink(name="q").promises().volatile
