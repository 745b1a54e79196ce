"""Start, stop and what is away: as Camel's supervised controller and graceful shutdown, or better."""

from contextvars import ContextVar

import anyio
import pytest

from routekit import Deliver, Listener, Message, Policy, Runtime, Unavailable, from_, in_thread
from routekit.check import check
from routekit.events import RouteDegraded, RouteStarted, RouteStopped
from routekit.plugins import Catalog
from routekit.runtime.service import DRAIN
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


def problem(uri: str) -> str:
    (found,) = check([from_("timer:t", int).to(uri).route("r")], Catalog())
    return f"{found.message}; {found.hint}"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("lgo:x", "did you mean 'log'?"),
        ("log:x?levle=info", "did you mean 'level'?"),
        ("log:x?level=loud", "'level'"),
        ("timer:t", "it can only be read from"),
        ("direct:nobody", "no route reads from 'direct:nobody'"),
    ],
)
def test_an_unknown_scheme_or_option_fails_before_the_start(uri: str, said: str) -> None:
    """As Camel fails at the start; departure: `check` finds all of them without starting, with the likely word."""
    assert said in problem(uri)


async def test_a_broken_sink_degrades_its_own_route_only() -> None:
    """Departure: one broker that is down keeps the whole application from starting unless it is supervised."""
    run, out = Run(), Sink()

    async def opening() -> None:
        raise OSError("the broker is down")

    source = Watched([1])
    async with running(
        bad=from_(source, int).to(Hooked(opening=opening)), good=from_(Feed([1]), int).to(out), setup=setup_for(run)
    ):
        await anyio.sleep(60)
    assert out.bodies == [1]
    assert {event.route for event in run.of(RouteDegraded)} == {"bad"}
    assert source.state["asked"] == 0, "no message is taken that could go nowhere"


async def test_a_degraded_route_starts_by_itself() -> None:
    """As the supervising controller, with a random wait that grows; departure: it is the default."""
    left, run = [20], Run()

    async def opening() -> None:
        left[0] -= 1
        if left[0]:
            raise OSError("down")

    feed = Feed([1])
    after = await run_routes(from_(feed, int).to(Hooked(opening=opening)), setup=setup_for(run))
    assert len(feed.acknowledged) == 1
    assert max(event.wait for event in after.of(RouteDegraded)) <= 60


async def test_a_failing_consumer_is_told_and_opened_again() -> None:
    """Departure: a consumer's own failure is only logged unless `bridgeErrorHandler`; here the route is degraded."""
    source, run = Watched([1, OSError("gone"), 2], endless=False), Run()
    after = await run_routes(from_(source, int), setup=setup_for(run))
    assert source.told == [("ack", "m1"), ("ack", "m2")]
    assert [str(event.error) for event in after.of(RouteDegraded)] == ["gone"]
    assert len(after.of(RouteStarted)) == 2


async def slow(n: int) -> int:
    await anyio.sleep(10)
    return n


async def test_a_stop_finishes_what_is_in_flight() -> None:
    """As the graceful shutdown: no more is taken in, what is at work is done and acknowledged."""
    source = Watched([1, 2, 3])
    async with running(from_(source, int).transform(slow)):
        await anyio.sleep(1)
    assert source.told == [("ack", "m1")]


async def test_after_the_drain_time_messages_are_left_and_not_lost() -> None:
    """As Camel's forced shutdown after 45 s; departure: 30 s, unfinished messages are counted, and come again."""
    assert DRAIN == 30
    source, run = Watched([1]), Run()

    async def for_ever(n: int) -> None:
        await anyio.sleep_forever()

    async with running(from_(source, int).transform(for_ever), setup=setup_for(run)):
        await anyio.sleep(1)
        before = anyio.current_time()
    assert anyio.current_time() - before == pytest.approx(DRAIN)
    assert source.told == []
    assert [event.unfinished for event in run.of(RouteStopped)] == [1]


async def test_one_message_is_in_flight_unless_more_are_allowed() -> None:
    """Departure: queues and pools are unbounded or large by default; here concurrency is a number in the route."""
    for policy, most in ((None, 1), (Policy(concurrency=4), 4)):
        source = Watched(range(20))
        async with running(from_(source, int, policy=policy).transform(slow)) as service:
            await anyio.sleep(5)
            assert service.counts()["route-1"].in_flight == most
            assert source.state["asked"] == most


async def test_a_full_queue_makes_its_sender_wait() -> None:
    """Departure: a full `seda:` raises; here it is back-pressure, up to the source."""
    source = Watched(range(10))
    async with running(from_(source, int).to("queue:q?size=2"), from_("queue:q", int).transform(slow)):
        await anyio.sleep(5)
        assert source.state["asked"] == 4, "one at work, two in the queue, one waiting"


async def test_waiting_for_a_full_queue_is_bounded_by_the_deadline() -> None:
    """The wait counts as every other: the message fails as expired, and is a letter."""
    feed = from_(Feed([1, 2, 3]), int, policy=Policy(deadline=5)).to("queue:q?size=1")
    run = await run_routes(feed, from_("queue:q", int).transform(slow))
    assert [(letter.error, letter.body) for letter in run.letters] == [("Expired", 3)]


async def test_late_work_is_cancelled_at_the_deadline() -> None:
    """Departure: the timeout of a multicast lets late work run on and ignores it; here it is cancelled."""
    late: list[int] = []

    async def work(n: int) -> None:
        await anyio.sleep(100)
        late.append(n)

    await run_routes(
        from_(Feed([[1, 2]]), list, policy=Policy(deadline=5)).split(lambda ns: ns, parallel=2).transform(work)
    )
    await anyio.sleep(1000)
    assert late == []


async def test_order_is_kept_for_each_key_while_others_run() -> None:
    """Departure: Camel keeps order or runs concurrently; `order_by` does both, by key."""
    out = Sink()

    async def work(pair: tuple[str, int]) -> tuple[str, int]:
        await anyio.sleep(5 if pair[0] == "a" else 1)
        return pair

    pairs = [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("b", 3)]
    policy = Policy(concurrency=4, order_by=lambda pair: pair[0])
    await run_routes(from_(Feed(pairs), tuple[str, int], policy=policy).transform(work).to(out))
    assert [n for name, n in out.bodies if name == "a"] == [1, 2]
    assert [n for name, n in out.bodies if name == "b"] == [1, 2, 3]
    assert out.bodies[0] == ("b", 1), "another key overtakes"


async def test_the_source_hears_only_after_everything_is_done() -> None:
    """As the unit of work: acknowledged once, after the last step, the parts and the taps."""
    order: list[str] = []

    class Noting(Watched):
        def delivery(self, message: Message[object]):
            told = super().delivery(message)
            ack = told.ack

            async def noted(reply: Message[object] | None) -> None:
                order.append("acknowledged")
                assert ack is not None
                await ack(reply)

            return type(told)(message, noted, told.nack)

    async def late(n: int) -> int:
        await anyio.sleep(1)
        order.append(f"part {n}")
        return n

    flow = from_(Noting([3], endless=False), int).tap(lambda f: f.transform(late)).split(range).transform(late)
    await run_routes(flow)
    assert order == ["part 3", "part 0", "part 1", "part 2", "acknowledged"]


async def test_a_failed_send_is_no_reason_to_stop_the_route() -> None:
    """A message that fails costs itself; the next one is taken."""
    out = Sink(fail={1: Unavailable("away")})
    run = await run_routes(from_(Feed([1, 2]), int).to(out))
    assert (out.bodies, len(run.letters)) == ([2], 1)


async def test_the_context_of_a_caller_reaches_every_step() -> None:
    """Departure: MDC and trace contexts are lost across threads and pools; tasks and threads inherit context here."""
    trace: ContextVar[str] = ContextVar("trace", default="lost")
    seen: list[str] = []
    done = anyio.Event()

    class Server(Listener):
        scheme = "server"

        async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
            trace.set("t-1")
            await deliver(Message([1, 2]))

    def look(n: object) -> object:
        seen.append(trace.get())
        if len(seen) == 7:
            done.set()
        return n

    called = from_("direct:called", int).transform(look)
    flow = (
        from_(Server(), list)
        .transform(look)
        .transform(in_thread(look))
        .tap(lambda copy: copy.transform(look))
        .split(lambda ns: ns, parallel=2)
        .transform(look)
        .to("direct:called")
    )
    async with running(flow, called):
        await done.wait()
    assert seen == ["t-1"] * 7
