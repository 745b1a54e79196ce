"""Many routes, one service: start, idleness, counted runs, and the orderly end."""

from typing import Any

import anyio
import pytest

from routekit import Message, Policy, from_
from routekit.events import RouteStopped
from routekit.runtime.service import Service
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..fakes import Calls, Hooked, Watched

pytestmark = pytest.mark.anyio


async def slow(n: int) -> int:
    await anyio.sleep(10)
    return n


def service_of(*flows: Any, **changes: Any) -> Service:
    return Service(routes_of(*flows), setup_for(Run(), **changes))


async def test_it_ends_when_all_sources_are_exhausted() -> None:
    """Routes that have nothing more to bring end the service by themselves, after the last message."""
    feeds = Feed([1, 2]), Feed([3])
    service = service_of(from_(feeds[0], int).transform(slow), from_(feeds[1], int))
    await service.run()
    assert [len(feed.acknowledged) for feed in feeds] == [2, 1]
    assert {name: counts.done for name, counts in service.counts().items()} == {"route-1": 2, "route-2": 1}


async def test_until_idle_waits_for_what_is_in_flight() -> None:
    """Idle is when sources rest and nothing is at work any more."""
    source = Watched([1, 2, 3])
    service = service_of(from_(source, int, policy=Policy(concurrency=2)).transform(slow))
    before = anyio.current_time()
    await service.run(until_idle=True)
    assert sorted(source.told) == [("ack", "m1"), ("ack", "m2"), ("ack", "m3")]
    assert anyio.current_time() - before == pytest.approx(20)


async def test_until_idle_waits_for_routes_fed_by_others() -> None:
    """A message in a queue between two routes is something to do."""
    sink = Sink()
    outer = from_(Watched(range(5)), int).to("queue:q")
    await service_of(outer, from_("queue:q", int).transform(slow).to(sink)).run(until_idle=True)
    assert sink.bodies == [0, 1, 2, 3, 4]


async def test_a_polling_source_is_idle_after_a_poll_without_news() -> None:
    """A source that polls is asked at least twice, and again whenever something happened."""
    polls: list[int] = []

    class Polling(Watched):
        async def consume(self, runtime: Any) -> Any:
            while True:
                polls.append(len(polls))
                if len(polls) == 3:
                    yield self.delivery(Message("late", id="late"))
                await runtime.rest(60)

    source = Polling()
    await service_of(from_(source)).run(until_idle=True)
    assert len(polls) == 2
    both = Polling()
    polls.clear()
    await service_of(from_(Watched(range(12)), int).transform(slow), from_(both)).run(until_idle=True)
    assert both.told == [("ack", "late")]


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("most", [1, 4])
async def test_most_takes_just_so_many(most: int, slots: int) -> None:
    """`run(most=N)` takes N messages, finishes them and ends."""
    source = Watched(range(20))
    await service_of(from_(source, int, policy=Policy(concurrency=slots)).transform(slow)).run(most=most)
    assert sorted(source.told) == [("ack", f"m{n}") for n in range(most)]


async def test_most_waits_for_a_message_that_is_yet_to_come() -> None:
    """The last of N messages is waited for, however long it takes."""
    sink = Sink()
    await service_of(from_("timer:t?every=3600", int).to(sink)).run(most=3)
    assert sink.bodies == [1, 2, 3]


async def test_most_counts_over_all_routes() -> None:
    """Routes share the number: one that brings nothing does not use it up."""
    silent, source = Watched([]), Watched(range(9))
    await service_of(from_(silent, int), from_(source, int).transform(slow)).run(most=4)
    assert [name for name, _ in source.told] == ["ack"] * 4


async def test_most_does_not_count_routes_fed_by_others() -> None:
    """What goes on to an inner route counts once."""
    sink = Sink()
    outer = from_(Watched(range(9)), int).to("queue:q")
    await service_of(outer, from_("queue:q", int).to(sink)).run(most=3)
    assert sink.bodies == [0, 1, 2]


async def test_stop_ends_outer_routes_first_and_drains_what_is_between() -> None:
    """A stop takes no more from outside, then works off the queues, then ends; nothing is lost."""
    source, sink, run = Watched(range(100)), Sink(), Run()

    async def each(n: int) -> int:
        await anyio.sleep(1)
        return n

    outer = from_(source, int).to("queue:q?size=5").transform(each)
    inner = from_("queue:q", int).transform(each).transform(each).to(sink)
    async with running(outer=outer, inner=inner, setup=setup_for(run)):
        await anyio.sleep(10.5)
    taken = source.state["asked"]
    assert 5 < taken < 100
    assert sink.bodies == list(range(taken))
    assert [event.route for event in run.of(RouteStopped)] == ["outer", "inner"]


async def test_a_stop_within_the_drain_time_finishes() -> None:
    """What takes less than the drain time is finished, and the stop takes no longer than that."""
    source = Watched([1, 2])
    async with running(from_(source, int).transform(slow), setup=setup_for(Run(), drain=30)) as service:
        await anyio.sleep(1)
        service.stop()
        before = anyio.current_time()
    assert anyio.current_time() - before == pytest.approx(9)
    assert source.told == [("ack", "m1")]


async def test_the_drain_time_is_the_limit() -> None:
    """What takes longer is cut off."""
    source = Watched([1])
    async with running(from_(source, int).transform(slow), setup=setup_for(Run(), drain=3)):
        await anyio.sleep(1)
        before = anyio.current_time()
    assert anyio.current_time() - before == pytest.approx(3)
    assert source.told == []


async def test_force_ends_at_once() -> None:
    """A forced stop does not wait; nothing that was not finished is acknowledged."""
    source = Watched([1])
    async with running(from_(source, int).transform(slow)) as service:
        await anyio.sleep(1)
        before = anyio.current_time()
        service.force()
    assert anyio.current_time() == before
    assert source.told == []


async def test_force_ends_a_drain() -> None:
    """Force while a stop is under way ends it."""
    source = Watched([1])
    service = service_of(from_(source, int).transform(slow), drain=1000)

    async def signals() -> None:
        await anyio.sleep(1)
        service.stop()
        await anyio.sleep(2)
        service.force()

    before = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(signals)
        await service.run()
    assert anyio.current_time() - before == pytest.approx(3)
    assert source.told == []


async def test_stop_ends_a_run() -> None:
    """`run` returns once `stop` was called from anywhere and the end is reached."""
    source = Watched([1, 2])
    service = service_of(from_(source, int).transform(slow))

    async def signal() -> None:
        await anyio.sleep(5)
        service.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(signal)
        await service.run()
    assert source.told == [("ack", "m1")]


async def test_a_degraded_route_does_not_hold_up_a_stop() -> None:
    """A route that waits for its sink ends at once when asked to."""

    async def opening() -> None:
        raise OSError("away")

    before = anyio.current_time()
    async with running(from_(Watched([1]), int).to(Hooked(opening=opening))):
        await anyio.sleep(100)
    assert anyio.current_time() - before == pytest.approx(100)


async def test_an_error_in_the_block_is_raised_itself() -> None:
    """Who runs routes in a block sees his own error, not a group."""
    with pytest.raises(KeyError):
        async with running(from_(Watched([]), int)):
            raise KeyError


async def test_a_service_of_listeners_alone_runs_until_it_is_stopped() -> None:
    """A server does not end by itself."""
    calls = Calls([1])
    service = service_of(from_(calls, int))
    with anyio.move_on_after(3600) as scope:
        await service.run()
    assert scope.cancelled_caught
    assert calls.answers == {1: 1}


async def test_calls_after_the_stop_are_turned_away() -> None:
    """A listener's call that comes during the drain is refused with the reason, so that the caller can go elsewhere."""
    late: list[Exception] = []

    class Late(Calls):
        async def listen(self, runtime: Any, deliver: Any) -> None:
            async def call(after: float) -> None:
                await anyio.sleep(after)
                try:
                    await deliver(Message(1, id="x"))
                except Exception as error:
                    late.append(error)

            async with anyio.create_task_group() as server:
                server.start_soon(call, 0)
                server.start_soon(call, 5)
                await anyio.sleep_forever()

    async with running(from_(Late(), int).transform(slow)):
        await anyio.sleep(2)
    assert [str(error) for error in late] == ["route route-1 is stopping; the message was not taken"]


async def test_counts_before_the_start_are_empty() -> None:
    """A service that has not started has nothing to count, and may be stopped."""
    service = service_of(from_(Watched([1]), int))
    assert service.counts() == {}
    service.stop()
    service.force()
    await service.run()


async def test_watchers_see_every_event() -> None:
    """`watch` gets all events in order."""
    run = Run()
    await run_routes(from_(Feed([1]), int).log("{body}"), setup=setup_for(run))
    assert [type(event).__name__ for event in run.events] == ["RouteStarted", "Logged", "RouteStopped"]
