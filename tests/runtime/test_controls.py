"""Routes started, stopped, paused and resumed while the service runs, from outside and from inside."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Consumer, Delivery, Listener, Message, Policy, Runs, Step, Unavailable, UnknownName, from_
from routekit.events import RouteDegraded, RoutePaused, RouteResumed, RouteStarted, RouteStopped
from routekit.runtime.service import Service
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..fakes import Calls, Hooked, Watched

pytestmark = pytest.mark.anyio


async def slow(n: int) -> int:
    await anyio.sleep(10)
    return n


def states(service: Service) -> dict[str, str]:
    return {runner.route.name: runner.state for runner in service.runners}


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_paused_route_asks_for_no_more_and_finishes_what_it_has(slots: int) -> None:
    """Messages in flight are done and acknowledged; the source is asked again only after `resume`."""
    source = Watched(range(20))
    async with running(r=from_(source, int, policy=Policy(concurrency=slots)).transform(slow)) as service:
        await anyio.sleep(5)
        answer = await service.control("pause", "r")
        assert (answer["state"], answer["why"], answer["in_flight"]) == ("paused", "asked for", slots)
        await anyio.sleep(1000)
        assert source.state["asked"] == slots
        assert sorted(source.told) == [("ack", f"m{n}") for n in range(slots)]
        answer = await service.control("resume", "r")
        assert (answer["state"], answer["why"], answer["in_flight"]) == ("running", "", 0)
        await anyio.sleep(15)
        assert source.state["asked"] == 3 * slots


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_waiting_source_is_left_at_once_and_opened_anew(slots: int) -> None:
    """A pause does not wait for a source that has nothing; nothing that comes afterwards is taken before `resume`."""
    source = Watched([1])
    async with running(r=from_(source, int, policy=Policy(concurrency=slots))) as service:
        await anyio.sleep(5)
        await service.control("pause", "r")
        source.items.extend([2, 3])
        await anyio.sleep(1000)
        assert (source.state["opened"], source.state["asked"]) == (1, 1)
        await service.control("resume", "r")
        await anyio.sleep(1)
        assert (source.state["opened"], source.state["asked"]) == (2, 3)


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_resume_before_the_last_message_is_done_opens_no_second_intake(slots: int) -> None:
    """A source that was left while messages are in flight is opened when they are done: no message comes twice."""
    source = Watched([1, 2])
    async with running(r=from_(source, int, policy=Policy(concurrency=slots)).transform(slow)) as service:
        await anyio.sleep(5)
        await service.control("pause", "r")
        await anyio.sleep(1)
        await service.control("resume", "r")
        await anyio.sleep(2)
        assert source.state["opened"] == 1
        await anyio.sleep(100)
    assert sorted(source.told) == [("ack", "m1"), ("ack", "m2")]


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_message_that_comes_with_a_short_pause_is_finished(slots: int) -> None:
    """One that the source hands over in the moment of a pause that ends at once is neither cancelled nor lost."""
    told: list[str] = []
    news: list[anyio.Event] = [anyio.Event()]
    waiting = [1]

    class Late(Consumer):
        scheme = "late"

        async def consume(self, runtime: Any) -> Any:
            async def ack(reply: Any) -> None:
                told.append("ack")

            await news[0].wait()
            while waiting:
                yield Delivery(Message(waiting.pop(), id="late"), ack)
            await anyio.sleep_forever()

    async def work(n: int) -> int:
        await anyio.sleep(3)
        return n

    async with running(r=from_(Late(), int, policy=Policy(concurrency=slots)).transform(work)) as service:
        await anyio.sleep(1)
        news[0].set()  # the source wakes up now, and
        service.runners[0].pause()  # is left before it could say so,
        service.runners[0].resume()
        await anyio.sleep(10)
        assert told == ["ack"]


async def test_a_feed_goes_on_after_a_pause() -> None:
    """What was given before the pause does not come again."""
    feed, sink = Feed(range(6)), Sink()
    async with running(r=from_(feed, int).transform(slow).to(sink)) as service:
        await anyio.sleep(15)
        await service.control("pause", "r")
        await anyio.sleep(100)
        assert sink.bodies == [0, 1]
        await service.control("resume", "r")
        await anyio.sleep(100)
    assert sink.bodies == [0, 1, 2, 3, 4, 5]


async def test_pause_and_resume_are_told_once() -> None:
    """Each change is one event, however often it is asked for."""
    run = Run()
    async with running(r=from_(Watched([]), int), setup=setup_for(run)) as service:
        await anyio.sleep(1)
        for action in ("resume", "pause", "pause", "resume", "resume"):
            await service.control(action, "r")
            await anyio.sleep(1)
    kinds = [type(event) for event in run.events]
    assert kinds == [RouteStarted, RoutePaused, RouteResumed, RouteStopped]
    assert run.of(RoutePaused) == [RoutePaused("r", "asked for")]


async def test_a_stopped_route_drains_and_closes() -> None:
    """`stop` finishes what is in flight and closes the sinks; the answer does not wait for that."""
    log: list[str] = []

    async def closing() -> None:
        log.append("closed")

    async def sending(message: Message[Any]) -> None:
        await anyio.sleep(10)
        log.append("sent")

    source, run = Watched(range(9)), Run()
    async with running(
        r=from_(source, int).to(Hooked(sending=sending, closing=closing)), setup=setup_for(run)
    ) as service:
        await anyio.sleep(5)
        before = anyio.current_time()
        assert (await service.control("stop", "r"))["state"] == "stopping"
        assert anyio.current_time() == before
        await anyio.sleep(100)
        assert log == ["sent", "closed"]
        assert states(service) == {"r": "stopped"}
        assert [event.unfinished for event in run.of(RouteStopped)] == [0]
    assert len(run.of(RouteStopped)) == 1, "the end of the service says nothing new"
    assert source.told == [("ack", "m0")]


async def test_a_stopped_route_can_be_started_again() -> None:
    """It binds and opens anew, and goes on with what its source has."""
    opened: list[float] = []

    async def opening() -> None:
        opened.append(anyio.current_time())

    source, run = Watched(range(3)), Run()
    async with running(
        r=from_(source, int).transform(slow).to(Hooked(opening=opening)), setup=setup_for(run)
    ) as service:
        await anyio.sleep(5)
        await service.control("stop", "r")
        await anyio.sleep(100)
        assert (await service.control("start", "r"))["state"] == "starting"
        await anyio.sleep(100)
        assert states(service) == {"r": "running"}
        assert (await service.control("stats", "r"))["done"] == 3
    assert len(opened) == 2
    assert [name for _, name in source.told] == ["m0", "m1", "m2"]
    assert len(run.of(RouteStarted)) == len(run.of(RouteStopped)) == 2


async def test_a_start_during_the_drain_waits_for_it() -> None:
    """What is in flight is finished and closed first; then the route starts anew."""
    source = Watched(range(2))
    async with running(r=from_(source, int).transform(slow)) as service:
        await anyio.sleep(5)
        await service.control("stop", "r")
        assert (await service.control("start", "r"))["state"] == "stopping"
        await anyio.sleep(2)
        assert source.state["opened"] == 1
        await anyio.sleep(100)
        assert (states(service), source.state["opened"]) == ({"r": "running"}, 2)
    assert source.told == [("ack", "m0"), ("ack", "m1")]


async def test_a_route_that_closes_is_stopping() -> None:
    """Until its sinks are closed; also one whose source is exhausted."""

    async def closing() -> None:
        await anyio.sleep(5)

    async with running(r=from_(Feed([1])).to(Hooked(closing=closing))) as service:
        await anyio.sleep(2)
        assert (await service.control("stats", "r"))["state"] == "stopping"
        await anyio.sleep(10)
        assert (await service.control("stats", "r"))["state"] == "stopped"


async def test_a_manual_route_waits_for_its_start() -> None:
    """It opens nothing before; nothing is told of it."""
    source, run = Watched([1]), Run()
    policy = Policy(runs=Runs(start="manual"))
    async with running(r=from_(source, int, policy=policy), setup=setup_for(run)) as service:
        await anyio.sleep(100)
        assert (states(service), run.events, source.state["opened"]) == ({"r": "stopped"}, [], 0)
        for action in ("resume", "pause", "stop"):
            assert (await service.control(action, "r"))["state"] == "stopped"
        await service.control("start", "r")
        await anyio.sleep(1)
        assert states(service) == {"r": "running"}
    assert source.told == [("ack", "m1")]


async def test_an_exhausted_route_can_be_started_again() -> None:
    """Its source is read once more."""
    sink = Sink()
    async with running(r=from_("timer:t?every=1&repeat=2", int).to(sink)) as service:
        await anyio.sleep(10)
        assert (states(service), sink.bodies) == ({"r": "stopped"}, [1, 2])
        await service.control("start", "r")
        await anyio.sleep(10)
        assert (states(service), sink.bodies) == ({"r": "stopped"}, [1, 2, 1, 2])


@pytest.mark.parametrize("action", ["pause", "stop", None])
async def test_a_service_does_not_end_while_a_route_may_go_on(action: str | None) -> None:
    """Routes that are paused, stopped or not yet started keep it alive; only exhausted ones do not."""
    policy = Policy(runs=Runs(start="auto" if action else "manual"))
    flow = from_(Watched([], endless=bool(action)), policy=policy)
    service = Service(routes_of(r=flow), setup_for(Run()))

    async def control() -> None:
        await anyio.sleep(1)
        if action:
            await service.control(action, "r")

    with anyio.move_on_after(3600) as patience:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(control)
            await service.run()
    assert patience.cancelled_caught


async def test_the_service_ends_once_the_resumed_route_is_exhausted() -> None:
    """A pause puts the end off, no more."""
    feed = Feed(range(3))
    service = Service(routes_of(r=from_(feed, int).transform(slow)), setup_for(Run()))

    async def control() -> None:
        await anyio.sleep(5)
        await service.control("pause", "r")
        await anyio.sleep(1000)
        await service.control("resume", "r")

    before = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(control)
        await service.run()
    assert len(feed.acknowledged) == 3
    assert anyio.current_time() - before == pytest.approx(1025)


async def test_a_paused_route_is_idle() -> None:
    """A run that ends when nothing is left to do does not wait for it."""
    source = Watched(range(5))
    run = await run_routes(r=from_(source, int).to("control:pause"))
    assert source.told == [("ack", "m0")]
    assert run.of(RoutePaused)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("action", ["pause", "stop"])
async def test_a_route_can_pause_and_stop_itself(action: str, slots: int) -> None:
    """The message that brings the order is finished like every other; nobody waits for it."""
    source, run = Watched(range(9)), Run()
    policy = Policy(concurrency=slots)
    flow = from_(source, int, policy=policy).to(f"control:{action}").transform(slow)
    async with running(r=flow, setup=setup_for(run)) as service:
        await anyio.sleep(100)
        assert states(service) == {"r": "paused" if action == "pause" else "stopped"}
        taken = source.state["asked"]
        assert sorted(source.told) == [("ack", f"m{n}") for n in range(taken)]
        assert 1 <= taken <= slots
        await service.control("start", "r")
        await anyio.sleep(100)
        assert source.state["asked"] > taken


async def test_a_route_stopped_by_one_that_it_calls() -> None:
    """A message of the stopped route waits for the one that brings the order: no deadlock."""
    source = Watched(range(3))
    outer = from_(source, int).to("direct:inner").transform(slow)
    inner = from_("direct:inner", int).to("control:stop?route=outer")
    async with running(outer=outer, inner=inner) as service:
        await anyio.sleep(100)
        assert states(service) == {"outer": "stopped", "inner": "running"}
    assert source.told == [("ack", "m0")]


async def test_a_listener_that_is_paused_refuses_and_then_closes() -> None:
    """Calls in flight are answered, new ones are refused with the reason; the server is closed, and opened again."""
    log: list[str] = []
    answers: dict[int, Any] = {}

    class Server(Listener):
        scheme = "server"

        async def listen(self, runtime: Any, deliver: Any) -> None:
            async def call(after: float) -> None:
                await anyio.sleep(after)
                try:
                    answers[int(after)] = (await deliver(Message(int(after)))).body
                except Unavailable as error:
                    answers[int(after)] = str(error)

            log.append("opened")
            try:
                async with anyio.create_task_group() as calls:
                    for after in (1, 5):
                        calls.start_soon(call, after)
                    await anyio.sleep_forever()
            finally:
                log.append(f"closed at {anyio.current_time() - start:g}")

    start = anyio.current_time()
    async with running(r=from_(Server(), int).transform(slow)) as service:
        await anyio.sleep(3)
        await service.control("pause", "r")
        assert log == ["opened"]
        await anyio.sleep(50)
        assert answers == {1: 1, 5: "route r is paused; the message was not taken"}
        assert log == ["opened", "closed at 11"]
        await service.control("resume", "r")
        await anyio.sleep(0.5)
        assert log == ["opened", "closed at 11", "opened"]


async def test_a_listener_that_is_resumed_in_time_is_not_closed() -> None:
    """While a call is in flight it stays open; resumed before that ends, it never closes."""
    calls = Calls([1, 2])
    async with running(r=from_(calls, int).transform(slow)) as service:
        await anyio.sleep(5)
        await service.control("pause", "r")
        await anyio.sleep(1)
        await service.control("resume", "r")
        await anyio.sleep(100)
    assert calls.answers == {1: 1, 2: 2}


@pytest.mark.parametrize("away", [("pause", "resume"), ("stop", "start")])
@pytest.mark.parametrize("slots", [None, 1])
async def test_calls_of_a_route_that_is_away_wait_for_it(away: tuple[str, str], slots: int | None) -> None:
    """Calls from inside are not refused: their senders wait, also those that waited for a slot when it went."""
    feed, sink = Feed(range(8)), Sink()
    outer = from_(feed, int, policy=Policy(concurrency=4)).to("direct:inner")
    inner = from_("direct:inner", int, policy=Policy(concurrency=slots)).transform(slow).to(sink)
    async with running(outer=outer, inner=inner) as service:
        await anyio.sleep(5)
        await service.control(away[0], "inner")
        await anyio.sleep(500)
        assert len(sink.bodies) == (4 if slots is None else 1)
        await service.control(away[1], "inner")
        await anyio.sleep(500)
    assert sorted(sink.bodies) == list(range(8))
    assert len(feed.acknowledged) == 8
    assert feed.refused == []


async def test_a_call_waits_within_its_deadline() -> None:
    """A message that cannot be called on before its deadline fails as any other that comes too late."""
    run = Run()
    outer = from_(Watched([1]), int, policy=Policy(deadline=60)).to("direct:inner")
    inner = from_("direct:inner", int, policy=Policy(runs=Runs(start="manual")))
    async with running(outer=outer, inner=inner, setup=setup_for(run)) as service:
        await anyio.sleep(100)
        assert service.store is not None
        assert [letter.error for letter in await service.store.letters.list()] == ["Expired"]


async def test_a_queue_is_filled_while_its_reader_is_paused() -> None:
    """The writer waits when it is full; nothing is lost."""
    source, sink = Watched(range(10)), Sink()
    outer = from_(source, int).to("queue:q?size=3")
    async with running(outer=outer, inner=from_("queue:q", int).to(sink)) as service:
        await service.control("pause", "inner")
        await anyio.sleep(100)
        assert (source.state["asked"], sink.bodies) == (4, [])
        await service.control("resume", "inner")
        await anyio.sleep(100)
    assert sink.bodies == list(range(10))


async def test_a_stop_of_the_service_does_not_wait_for_a_paused_reader() -> None:
    """Nobody will resume it any more; what it left in its queue is told in the log."""
    sink = Sink()
    before = anyio.current_time()
    async with running(outer=from_(Watched(range(3)), int).to("queue:q"), inner=from_("queue:q", int).to(sink)) as it:
        await it.control("pause", "inner")
        await anyio.sleep(100)
    assert anyio.current_time() - before == pytest.approx(100)


@dataclass(frozen=True)
class Held(Step[Any, Any]):
    """Holds every message until `gate` opens."""

    gate: anyio.Event

    def bind(self, proceed: Any, runtime: Any) -> Any:
        hold = runtime.holding()

        async def handle(message: Message[Any]) -> Any:
            held = hold()

            async def later() -> None:
                await self.gate.wait()
                held.done()

            runtime.spawn(later)
            return await proceed(message)

        return handle


async def test_a_pause_cuts_no_call_whose_message_is_held() -> None:
    """A caller from outside who waits for the rest of a group still gets its answer; then the server closes."""
    closed: list[int] = []

    class Closing(Calls):
        async def listen(self, runtime: Any, deliver: Any) -> None:
            try:
                await super().listen(runtime, deliver)
            finally:
                closed.append(1)

    calls, gate = Closing([1]), anyio.Event()
    async with running(r=from_(calls, int).then(Held(gate))) as service:
        await anyio.sleep(5)
        await service.control("pause", "r")
        await anyio.sleep(5)
        assert (calls.answers, closed) == ({}, [])
        gate.set()
        await anyio.sleep(1)
        assert (calls.answers, closed) == ({1: 1}, [1])


async def test_held_messages_survive_a_pause() -> None:
    """A message that a step keeps in memory is acknowledged when it is done, paused or not."""
    source, gate = Watched([1, 2]), anyio.Event()
    async with running(r=from_(source, int).then(Held(gate))) as service:
        await anyio.sleep(5)
        await service.control("pause", "r")
        gate.set()
        await anyio.sleep(5)
        assert sorted(source.told) == [("ack", "m1"), ("ack", "m2")]


@dataclass(frozen=True)
class Ticking(Step[Any, Any]):
    """Rings once a second, from the first message on."""

    rung: list[float]

    def bind(self, proceed: Any, runtime: Any) -> Any:
        async def ring(key: str) -> None:
            self.rung.append(anyio.current_time())
            alarms.set(key, runtime.now() + 1)

        alarms = runtime.alarms(ring)

        async def handle(message: Message[Any]) -> Any:
            alarms.set("tick", runtime.now() + 1)
            return await proceed(message)

        return handle


async def test_timers_of_steps_go_on_while_a_route_is_paused() -> None:
    """And end with a stop."""
    rung: list[float] = []
    async with running(r=from_(Watched([1]), int).then(Ticking(rung))) as service:
        await anyio.sleep(0.5)
        await service.control("pause", "r")
        await anyio.sleep(10)
        assert len(rung) == 10
        await service.control("stop", "r")
        await anyio.sleep(10)
        assert len(rung) == 10


async def test_a_degraded_route_can_be_stopped_and_paused() -> None:
    """A stop ends its tries; one that is paused comes up paused."""
    down = [True]

    async def opening() -> None:
        if down[0]:
            raise Unavailable("away")

    source, run = Watched([1]), Run()
    async with running(r=from_(source, int).to(Hooked(opening=opening)), setup=setup_for(run)) as service:
        await anyio.sleep(100)
        answer = await service.control("stats", "r")
        assert (answer["state"], answer["why"]) == ("degraded", "away")
        await service.control("stop", "r")
        await anyio.sleep(1)
        assert states(service) == {"r": "stopped"}
        tries = len(run.of(RouteDegraded))
        await anyio.sleep(1000)
        assert len(run.of(RouteDegraded)) == tries
        await service.control("start", "r")
        await service.control("pause", "r")
        down[0] = False
        await anyio.sleep(100)
        assert (states(service), source.state["opened"]) == ({"r": "paused"}, 0)
        await service.control("resume", "r")
        await anyio.sleep(1)
    assert source.told == [("ack", "m1")]


async def test_a_source_that_breaks_after_a_pause_is_still_paused() -> None:
    """A restart after a failure forgets no order."""
    heart = anyio.Event()

    @dataclass(frozen=True)
    class Beating(Step[Any, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            async def beat() -> None:
                await heart.wait()
                await anyio.sleep(0 if not broken else 10**9)
                broken.append(1)
                raise OSError("heart stopped")

            runtime.spawn(beat)
            return proceed

    broken: list[int] = []
    run = Run()
    async with running(r=from_(Watched([]), int).then(Beating()), setup=setup_for(run)) as service:
        await anyio.sleep(1)
        await service.control("pause", "r")
        heart.set()
        await anyio.sleep(100)
        assert states(service) == {"r": "paused"}
    assert [type(event) for event in run.events] == [
        RouteStarted,
        RoutePaused,
        RouteDegraded,
        RouteStarted,
        RoutePaused,
        RouteStopped,
    ]


async def test_calls_of_a_route_that_broke_are_counted_no_more() -> None:
    """Those that are still at work when it starts again do not make it look idle, or never idle."""
    jobs: list[int] = []

    @dataclass(frozen=True)
    class Failing(Step[Any, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            async def job() -> None:
                jobs.append(1)
                await anyio.sleep(5 if len(jobs) == 1 else 10**9)
                raise OSError("job broke")

            runtime.spawn(job)
            return proceed

    outer = from_(Watched([1]), int).to("direct:inner")
    inner = from_("direct:inner", int).then(Failing()).transform(slow)
    before = anyio.current_time()
    async with running(outer=outer, inner=inner) as service:
        await anyio.sleep(100)
        assert service.counts()["inner"].in_flight == 0
    assert anyio.current_time() - before == pytest.approx(100)


async def test_stats_are_plain_data() -> None:
    """State, reason and figures of a route."""
    async with running(r=from_(Feed([1, 2]), int).filter(lambda n: n > 1)) as service:
        await anyio.sleep(1)
        stats = await service.control("stats", "r")
    assert stats["route"] == "r"
    assert (stats["received"], stats["done"], stats["ended"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("action", "name", "error"),
    [
        ("puase", "r", "nothing can be asked to 'puase'; did you mean 'pause'?"),
        ("pause", "q", "nothing called 'q' can be asked to pause; known: r"),
    ],
)
async def test_unknown_orders(action: str, name: str, error: str) -> None:
    """What nobody offers is refused, with the nearest that somebody does."""
    async with running(r=from_(Watched([]), int)) as service:
        with pytest.raises(UnknownName) as caught:
            await service.control(action, name)
    assert str(caught.value) == error


@dataclass(frozen=True)
class Offering(Step[Any, Any]):
    """Offers `shout` under a name."""

    name: str
    answer: Callable[[], Awaitable[Any]]

    def bind(self, proceed: Any, runtime: Any) -> Any:
        runtime.offer("shout", self.name, self.answer)
        return proceed


async def answer_a() -> str:
    return "a"


async def answer_b() -> str:
    return "b"


async def fail() -> str:
    raise ValueError("hoarse")


async def test_all_steps_of_one_name_are_asked() -> None:
    """One answers itself, several in a list; a failure stops none of the others."""
    heard: list[str] = []

    async def hear() -> str:
        heard.append("c")
        return "c"

    flow = from_(Watched([]), int)
    async with running(
        x=flow.then(Offering("one", answer_a)),
        y=flow.then(Offering("two", answer_a)).then(Offering("bad", fail)),
        z=flow.then(Offering("two", answer_b)).then(Offering("bad", hear)),
    ) as service:
        await anyio.sleep(1)
        assert await service.control("shout", "one") == "a"
        assert await service.control("shout", "two") == ["a", "b"]
        with pytest.raises(ValueError, match="hoarse"):
            await service.control("shout", "bad")
        assert heard == ["c"]
        await service.control("stop", "z")
        await anyio.sleep(1)
        assert await service.control("shout", "two") == "a"


async def test_steps_of_a_route_that_is_not_up_cannot_be_asked() -> None:
    """That is told apart from a name that does not exist."""
    policy = Policy(runs=Runs(start="manual"))
    async with running(r=from_(Watched([]), int, policy=policy).then(Offering("one", answer_a))) as service:
        with pytest.raises(Unavailable, match="cannot shout 'one': route r is not up"):
            await service.control("shout", "one")
        await service.control("start", "r")
        await anyio.sleep(1)
        await service.control("pause", "r")
        assert await service.control("shout", "one") == "a"


ORDERS = ("start", "stop", "pause", "resume")


class Strict(Watched):
    """Knows how many of its generators are open at once, and whether it was asked while it should not be."""

    async def consume(self, runtime: Any) -> Any:
        assert not self.state.get("open"), "two intakes of one route"
        self.state["open"] = 1
        try:
            async with aclosing(super().consume(runtime)) as deliveries:
                async for delivery in deliveries:
                    yield delivery
        finally:
            self.state["open"] = 0


@settings(max_examples=150)
@given(
    orders=st.lists(st.tuples(st.sampled_from(ORDERS), st.floats(0, 7)), max_size=14),
    slots=st.integers(1, 4),
    naps=st.lists(st.floats(0, 5), min_size=1, max_size=5),
    inside=st.lists(st.sampled_from([None, None, *ORDERS]), min_size=1, max_size=5),
    ordered=st.booleans(),
)
async def test_no_order_loses_a_message_or_opens_a_second_intake(
    orders: list[tuple[str, float]], slots: int, naps: list[float], inside: list[str | None], ordered: bool
) -> None:
    """Whatever is asked whenever, from outside and by messages: each is done once, and one intake runs at a time."""
    source = Strict(range(25))
    done: list[int] = []

    async def work(n: int) -> int:
        await anyio.sleep(naps[n % len(naps)])
        order = inside[n % len(inside)]
        if order is not None:
            await service.control(order, "r")
        done.append(n)
        return n

    policy = Policy(concurrency=slots, order_by=(lambda n: n % 2) if ordered else None)
    async with running(r=from_(source, int, policy=policy).transform(work)) as service:
        for order, pause in orders:
            answer = await service.control(order, "r")
            assert answer["state"] in _allowed(order), answer
            await anyio.sleep(pause)
            assert answer["route"] == "r"
        while source.items:  # messages may pause their own route again and again
            await service.control("start", "r")
            await anyio.sleep(30)
        await anyio.sleep(30)
        assert states(service)["r"] in ("running", "paused", "stopped")
        assert service.counts()["r"].in_flight == 0
    assert sorted(done) == list(range(25))
    assert sorted(source.told) == sorted(("ack", f"m{n}") for n in range(25))


def _allowed(order: str) -> set[str]:
    """The states that may follow an order at once."""
    return {
        "start": {"running", "starting", "stopping"},
        "stop": {"stopping", "stopped", "starting"},
        "pause": {"paused", "starting", "stopped", "stopping"},
        "resume": {"running", "starting", "stopped", "stopping"},
    }[order]


@settings(max_examples=60)
@given(
    orders=st.lists(st.tuples(st.sampled_from(ORDERS), st.sampled_from(["outer", "inner", "end"]), st.floats(0, 4))),
    slots=st.tuples(st.integers(1, 3), st.sampled_from([None, 1, 2])),
    nap=st.floats(0, 3),
)
async def test_orders_lose_nothing_between_routes(
    orders: list[tuple[str, str, float]], slots: tuple[int, int | None], nap: float
) -> None:
    """Routes that call each other and feed each other by a queue, each told anything at any time: all comes through."""
    sink = Sink()

    async def work(n: int) -> int:
        await anyio.sleep(nap)
        return n

    source = Watched(range(15))
    outer = from_(source, int, policy=Policy(concurrency=slots[0])).to("direct:d")
    inner = from_("direct:d", int, policy=Policy(concurrency=slots[1])).transform(work).to("queue:q?size=2")
    async with running(outer=outer, inner=inner, end=from_("queue:q", int).transform(work).to(sink)) as service:
        for order, route, pause in orders:
            await service.control(order, route)
            await anyio.sleep(pause)
        for route in ("end", "inner", "outer"):
            await service.control("start", route)
        await anyio.sleep(300)
    assert sorted(sink.bodies) == list(range(15))
    assert sorted(source.told) == sorted(("ack", f"m{n}") for n in range(15))
