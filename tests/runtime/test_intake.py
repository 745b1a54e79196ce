"""The intake: slots, order, stop, and who is told what."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from routekit import Consumer, Delivery, Message, Policy, Runtime, from_
from routekit.events import RouteDegraded, RouteStopped
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Calls, Watched

pytestmark = pytest.mark.anyio


class Gauge:
    """Handles messages that take their time; knows how many were at work at once."""

    def __init__(self, takes: float = 1.0) -> None:
        self.takes = takes
        self.now = 0
        self.most = 0
        self.started: list[Any] = []
        self.finished: list[Any] = []

    async def __call__(self, body: Any) -> Any:
        return await self.work(body)

    async def work(self, body: Any) -> Any:
        self.started.append(body)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await anyio.sleep(self.takes)
        finally:
            self.now -= 1
        self.finished.append(body)
        return body


@pytest.mark.parametrize("slots", [1, 2, 3, 8])
async def test_never_more_in_flight_than_slots(slots: int) -> None:
    """Never more than `concurrency` messages are at work, and as many as that if there are enough."""
    gauge = Gauge()
    await run_routes(from_(Feed(range(20)), int, policy=Policy(concurrency=slots)).transform(gauge.work))
    assert gauge.most == slots
    assert sorted(gauge.finished) == list(range(20))


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_source_is_not_asked_for_more_than_there_are_slots(slots: int) -> None:
    """While all slots are taken the consumer is not asked for another message."""
    source, gauge = Watched(range(10)), Gauge(takes=100)
    async with running(from_(source, int, policy=Policy(concurrency=slots)).transform(gauge.work)):
        await anyio.sleep(50)
        assert source.state["asked"] == slots
        await anyio.sleep(100)
        assert source.state["asked"] == 2 * slots


async def test_one_at_a_time_keeps_the_order() -> None:
    """Without a word about concurrency, messages are done one after the other, in order."""
    gauge = Gauge()
    await run_routes(from_(Feed([3, 1, 2]), int).transform(gauge.work))
    assert gauge.most == 1
    assert gauge.finished == [3, 1, 2]


@pytest.mark.parametrize("slots", [1, 4])
async def test_every_finished_message_is_acknowledged_once_at_a_stop(slots: int) -> None:
    """A stop in the middle acknowledges what finishes within the drain time, exactly once, and nothing else."""
    source, gauge = Watched(range(20)), Gauge(takes=10)
    async with running(from_(source, int, policy=Policy(concurrency=slots)).transform(gauge.work)):
        await anyio.sleep(15)
    assert sorted(source.told) == sorted(("ack", f"m{n}") for n in range(2 * slots))
    assert sorted(gauge.finished) == list(range(2 * slots))


@pytest.mark.parametrize("slots", [1, 4])
async def test_unfinished_messages_are_never_acknowledged(slots: int) -> None:
    """What the drain time does not suffice for is neither acknowledged nor refused, and is reported."""
    run = Run()
    source, gauge = Watched(range(20)), Gauge(takes=100)
    flow = from_(source, int, policy=Policy(concurrency=slots)).transform(gauge.work)
    async with running(flow, setup=setup_for(run, drain=5)):
        await anyio.sleep(10)
    assert source.told == []
    assert gauge.finished == []
    assert [event.unfinished for event in run.of(RouteStopped)] == [slots]


@pytest.mark.parametrize("slots", [1, 4])
async def test_a_delivery_that_comes_with_the_stop_is_finished(slots: int) -> None:
    """A message that the source hands over in the moment of the stop is not cancelled but done and acknowledged."""
    told: list[str] = []
    news = anyio.Event()

    class Late(Consumer):
        scheme = "late"

        async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
            await news.wait()

            async def ack(reply: Message[Any] | None) -> None:
                told.append("ack")

            yield Delivery(Message(1, id="late"), ack)
            await anyio.sleep_forever()

    gauge = Gauge(takes=3)
    async with running(from_(Late(), int, policy=Policy(concurrency=slots)).transform(gauge.work)) as service:
        await anyio.sleep(1)
        news.set()  # the source wakes up now, and
        service.runners[0].stop()  # is stopped before it could say so
    assert (told, gauge.finished) in (([], []), (["ack"], [1]))
    assert len(told) == len(gauge.started), "what was started was also finished"


async def test_the_right_delivery_is_acknowledged() -> None:
    """Acknowledgements belong to their delivery, also when messages finish in another order."""
    feed = Feed([Message(n, id=f"id-{n}") for n in (30, 10, 20)])

    async def work(n: int) -> int:
        await anyio.sleep(n)
        return n * 2

    await run_routes(from_(feed, int, policy=Policy(concurrency=3)).transform(work))
    told = [(message_id, reply.body) for message_id, reply in feed.acknowledged]
    assert told == [("id-10", 20), ("id-20", 40), ("id-30", 60)]


async def test_a_source_that_cannot_be_told_degrades_the_route() -> None:
    """If an acknowledgement fails, the route starts again and what is in flight is finished before."""
    broken = [True]
    finished: list[int] = []

    class Deaf(Watched):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            usual = super().delivery(message)

            async def ack(reply: Message[Any] | None) -> None:
                if message.id == "m1" and broken.pop():
                    raise OSError("connection lost")
                await usual.ack(reply)  # type: ignore[misc]

            return Delivery(message, ack, usual.nack)

    async def work(n: int) -> int:
        await anyio.sleep(n)
        finished.append(n)
        return n

    run, source = Run(), Deaf([1, 5])
    async with running(from_(source, int, policy=Policy(concurrency=2)).transform(work), setup=setup_for(run)):
        await anyio.sleep(100)
    assert finished == [1, 5]
    assert source.told == [("ack", "m5")]
    assert source.state["opened"] == 2
    assert [str(event.error) for event in run.of(RouteDegraded)] == ["connection lost"]


async def test_messages_in_flight_survive_the_end_of_their_source() -> None:
    """A source that breaks does not cancel what is in flight; it is finished and acknowledged."""
    source, gauge, run = Watched([1, 2, OSError("gone"), 3]), Gauge(takes=10), Run()
    flow = from_(source, int, policy=Policy(concurrency=4)).transform(gauge.work)
    async with running(flow, setup=setup_for(run)):
        await anyio.sleep(100)
    assert sorted(gauge.started) == [1, 2, 3], "nothing ran twice"
    assert sorted(source.told) == [("ack", "m1"), ("ack", "m2"), ("ack", "m3")]
    assert [type(event.error) for event in run.of(RouteDegraded)] == [OSError]


async def test_lanes_are_free_again_after_a_source_broke() -> None:
    """Messages that waited for their turn in a lane take no slots from the next start of the route."""
    items: list[Any] = [1, 2, 3, OSError("gone"), 4, 5, 6, 7]
    source, gauge = Watched(items, endless=False), Gauge(takes=10)
    policy = Policy(concurrency=3, order_by=lambda n: "same")
    run = await run_routes(from_(source, int, policy=policy).transform(gauge.work))
    assert gauge.finished == [1, 2, 3, 4, 5, 6, 7]
    assert run.counts["route-1"].in_flight == 0


async def test_a_listeners_calls_in_flight_are_finished_at_a_stop() -> None:
    """Calls that a server has taken are answered before it is closed, which takes no longer than they do."""
    calls = Calls([2, 10, 20])

    async def work(n: int) -> int:
        await anyio.sleep(n)
        return n

    before = anyio.current_time()
    async with running(from_(calls, int, policy=Policy(concurrency=5)).transform(work)):
        await anyio.sleep(5)
    assert calls.answers == {2: 2, 10: 10, 20: 20}
    assert anyio.current_time() - before == pytest.approx(20)


async def test_a_listeners_calls_wait_for_slots() -> None:
    """More calls than slots wait; each is answered."""
    calls, gauge = Calls(range(6)), Gauge()
    async with running(from_(calls, int, policy=Policy(concurrency=2)).transform(gauge.work)):
        await anyio.sleep(10)
    assert gauge.most == 2
    assert calls.answers == {n: n for n in range(6)}


async def test_a_listeners_calls_are_unbounded_without_a_word() -> None:
    """Without `concurrency` a listener is bound by its callers alone."""
    calls, gauge = Calls(range(6)), Gauge()
    async with running(from_(calls, int).transform(gauge.work)):
        await anyio.sleep(10)
    assert gauge.most == 6


async def test_a_failure_is_raised_at_the_caller_of_a_listener() -> None:
    """A listener's failed call is raised where it was made, and is no dead letter unless the policy says so."""
    calls, run = Calls([0, 1]), Run()
    async with running(from_(calls, int).transform(lambda n: 1 // n), setup=setup_for(run)) as service:
        await anyio.sleep(1)
        assert service.store is not None
        assert await service.store.letters.count() == 0
    assert calls.answers[1] == 1
    assert isinstance(calls.answers[0], ZeroDivisionError)


async def test_a_listener_with_dead_letters_answers_nothing() -> None:
    """With a policy of dead letters the failed call ends, and the letter is kept."""
    calls, run = Calls([0]), Run()
    flow = from_(calls, int, policy=Policy(dead_letter="store")).transform(lambda n: 1 // n)
    async with running(flow, setup=setup_for(run)) as service:
        await anyio.sleep(1)
        assert service.store is not None
        assert await service.store.letters.count() == 1
    assert calls.answers == {0: None}


async def test_a_busy_route_lets_others_run() -> None:
    """A source that never waits does not starve another route."""
    sink, other = Sink(), Sink()

    async def endless() -> Any:
        for number in range(5000):
            sink.messages.append(number)
        yield None

    class Flood(Consumer):
        scheme = "flood"

        async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
            number = 0
            while not other.messages:
                number += 1
                yield Delivery(Message(number, id=str(number)))

    await run_routes(from_(Flood(), int), from_(Feed([1]), int).to(other))
    assert other.bodies == [1]


async def test_more_slots_are_used_at_once() -> None:
    """Where there were several, and where there was one as soon as that message is done; the source stays open."""
    for before in (1, 2):
        source, gauge = Watched(range(20)), Gauge(takes=10)
        async with running(from_(source, int, policy=Policy(concurrency=before)).transform(gauge.work)) as service:
            await anyio.sleep(5)
            (runner,) = service.runners
            runner.admit(4)
            await anyio.sleep(6)
            assert (gauge.now, runner.concurrency, len(gauge.finished)) == (4, 4, before)
            assert source.state["opened"] == 1


async def test_fewer_slots_let_those_at_work_finish() -> None:
    """Nothing is taken until there are fewer at work than slots; then never more than that, in order."""
    source, gauge = Watched(range(9)), Gauge(takes=10)
    async with running(from_(source, int, policy=Policy(concurrency=4)).transform(gauge.work)) as service:
        await anyio.sleep(5)
        service.runners[0].admit(1)
        await anyio.sleep(10)
        assert (gauge.now, len(gauge.finished)) == (1, 4)
        await anyio.sleep(20)
        assert (gauge.now, gauge.finished[4:]) == (1, [4, 5])


async def test_slots_that_change_and_change_back_end_no_route() -> None:
    """More slots, and then one again before that message is done, leave the route as it was."""
    source, gauge = Watched(range(5)), Gauge(takes=2)
    async with running(from_(source, int).transform(gauge.work)) as service:
        await anyio.sleep(1)
        service.runners[0].admit(3)
        service.runners[0].admit(1)
        await anyio.sleep(20)
        assert (gauge.finished, gauge.most, service.runners[0].state) == ([0, 1, 2, 3, 4], 1, "running")
        assert source.state["opened"] == 1


async def test_calls_get_more_slots_too() -> None:
    """A listener's callers wait for a slot; with more of them those that wait are let in."""
    calls, gauge = Calls(range(10)), Gauge(takes=10)
    async with running(from_(calls, int, policy=Policy(concurrency=2)).transform(gauge.work)) as service:
        await anyio.sleep(5)
        assert gauge.now == 2
        service.runners[0].admit(5)
        await anyio.sleep(1)
        assert gauge.now == 5


async def test_a_stop_forgets_the_slots_that_were_given() -> None:
    """What an operator wanted holds until the route stops; then its policy counts again."""
    source = Watched(range(3))
    async with running(from_(source, int, policy=Policy(concurrency=2)).transform(Gauge(10).work)) as service:
        (runner,) = service.runners
        await anyio.sleep(1)
        runner.admit(7)
        assert runner.concurrency == 7
        runner.stop()
        await anyio.sleep(20)
        assert (runner.state, runner.concurrency) == ("stopped", 2)
