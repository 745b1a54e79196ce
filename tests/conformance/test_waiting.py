"""Delays, hand-overs and resequencers: messages that wait, and are not lost while they do."""

from typing import Any

import anyio
import pytest

from routekit import Flow, Message, Policy, Runs, from_
from routekit.events import GapSkipped
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, Outside, every_crash, wall
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def durable() -> Any:
    return setup_for(Run(), store=DurableStore(), now=wall)


async def test_a_delayed_message_goes_on_at_its_time_and_holds_up_nobody() -> None:
    """As `delay`: by a time that may come with each message; departure: it rests in the store."""
    seen: list[Any] = []
    begin = anyio.current_time()
    flow = from_(Feed([30, 10]), int).delay("d", int, by=lambda n: n)
    async with running(flow.transform(lambda n: seen.append((n, anyio.current_time() - begin))), setup=durable()):
        await anyio.sleep(50)
    assert seen == [(10, pytest.approx(10)), (30, pytest.approx(30))]


async def test_a_delay_goes_on_over_a_restart() -> None:
    """Departure: a delayed exchange is lost with its process, or held up unacknowledged for all the time."""
    setup, source, out = durable(), Watched([1]), Sink()
    flow = from_(source, int).delay("d", int, by=100).to(out)
    async with running(r=flow, setup=setup):
        await anyio.sleep(60)
        assert source.told == [("ack", "m1")], "the store has it"
    async with running(r=flow, setup=setup):
        await anyio.sleep(39)
        assert out.bodies == []
        await anyio.sleep(2)
        assert out.bodies == [1]


async def test_no_delayed_message_is_lost_wherever_the_process_dies() -> None:
    """At any operation of the store, of the source or of the sink."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).delay("d", int, by=5).to(outside.sink)

    def check(outside: Outside) -> None:
        assert {*outside.bodies, *(letter.body for letter in outside.letters)} == {1, 2}
        assert not outside.waiting

    await every_crash(flow, lambda: Outside([1, 2]), check)


async def test_a_hand_over_frees_the_source_and_bounds_what_waits() -> None:
    """As `threads` and `seda`; departure: a full one waits, and what waits is stored or held, not lost."""
    source, done = Watched(range(10)), []

    async def slow(n: int) -> None:
        await anyio.sleep(100)
        done.append(n)

    flow = from_(source, int).hand_over("h", int, workers=2, size=3).transform(slow)
    async with running(flow, setup=durable()):
        await anyio.sleep(50)
        assert done == []
        assert source.state["asked"] <= 6, "those at work, those that wait, and the one that waits for a place"
        await anyio.sleep(60)
        assert sorted(done) == [0, 1]


async def test_a_hand_over_may_keep_the_order_of_keys() -> None:
    """Departure: concurrent consumers of a queue lose the order; here equal keys go on one after the other."""
    out = Sink()

    async def work(pair: tuple[str, int]) -> tuple[str, int]:
        await anyio.sleep(10 - pair[1])
        return pair

    pairs = [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]
    flow = from_(Feed(pairs), tuple[str, int]).hand_over("h", tuple[str, int], workers=4, order_by=lambda p: p[0])
    async with running(flow.transform(work).to(out), setup=durable()):
        await anyio.sleep(100)
    assert [n for name, n in out.bodies if name == "a"] == [1, 2, 3]
    assert [n for name, n in out.bodies if name == "b"] == [1, 2]


async def test_numbered_messages_go_on_in_order() -> None:
    """As the stream resequencer: when the predecessor has gone on."""
    out = Sink()
    await run_routes(from_(Feed([3, 1, 2]), int).resequence("n", int, number=lambda n: n, gap=5, start=1).to(out))
    assert out.bodies == [1, 2, 3]


async def test_a_gap_is_waited_for_and_then_passed_and_told() -> None:
    """As `timeout`; departure: that a number was skipped is an event, and not silent."""
    out, seen = Sink(), []
    begin = anyio.current_time()
    flow = from_(Feed([1, 3]), int).resequence("n", int, number=lambda n: n, gap=7, start=1)
    run = await run_routes(flow.transform(lambda n: seen.append(anyio.current_time() - begin) or n).to(out))
    assert (out.bodies, seen) == ([1, 3], [pytest.approx(0), pytest.approx(7)])
    assert [(event.first, event.last) for event in run.of(GapSkipped)] == [(2, 2)]


@pytest.mark.parametrize(("late", "bodies", "refused"), [("pass", [2, 1], 0), ("refuse", [2], 1), ("drop", [2], 0)])
async def test_a_message_whose_place_was_passed(late: Any, bodies: list[int], refused: int) -> None:
    """As `rejectOld`, by choice: it goes on, is refused, or ends."""
    out = Sink()
    source = Trickle(items=[(0, 2), (60, 1)])
    flow = from_(source, int).resequence("n", int, number=lambda n: n, gap=5, start=1, late=late)
    run = await run_routes(flow.to(out))
    assert (out.bodies, len(run.letters)) == (bodies, refused)


async def test_what_waits_for_its_number_is_not_lost_with_the_process() -> None:
    """Departure: the resequencer is in memory only."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).resequence("n", int, number=lambda n: n, gap=30, start=1).to(outside.sink)

    def check(outside: Outside) -> None:
        assert {*outside.bodies, *(letter.body for letter in outside.letters)} == {1, 2, 3}
        assert not outside.waiting

    await every_crash(flow, lambda: Outside([2, 3, 1]), check)


async def test_each_key_has_a_sequence_of_its_own() -> None:
    """Departure: one sequence for the whole route."""
    out = Sink()
    bodies = [("a", 2), ("b", 1), ("a", 1), ("b", 2)]
    flow = from_(Feed([Message(body, id=str(body)) for body in bodies]), tuple[str, int])
    flow = flow.resequence("n", tuple[str, int], number=lambda p: p[1], per=lambda p: p[0], gap=9, start=1)
    await run_routes(flow.to(out))
    assert [n for name, n in out.bodies if name == "a"] == [1, 2]
    assert [n for name, n in out.bodies if name == "b"] == [1, 2]


async def test_urgent_messages_of_a_queue_come_first() -> None:
    """As priorities of brokers; departure: Camel's `seda:` has none, its resequencer sorts batches by a header."""
    done = Sink()
    manual = Policy(runs=Runs(start="manual"))
    intake = from_(Feed([1, 9, 2, 8]), int).to("queue:work", priority=lambda n: 5 if n > 5 else 0)
    async with running(intake=intake, work=from_("queue:work", int, policy=manual).to(done)) as service:
        await anyio.sleep(5)
        await service.control("start", "work")
        await anyio.sleep(5)
    assert done.bodies == [9, 8, 1, 2]
