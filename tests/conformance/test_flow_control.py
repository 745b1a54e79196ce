"""Throttles, samplers, bulkheads, timeouts, expiration and circuit breakers."""

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from routekit import CircuitOpen, DefinitionError, Policy, Unavailable, from_
from routekit.events import CircuitChanged
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")
WIDE = Policy(concurrency=50, dead_letter="refuse")


async def times(flow: Any) -> list[float]:
    """When each message passed, from the start of the run."""
    begin = anyio.current_time()
    seen: list[float] = []
    await run_routes(flow.transform(lambda _: seen.append(anyio.current_time() - begin)))
    return seen


@pytest.mark.parametrize("policy", [REFUSE, WIDE])
async def test_no_window_of_time_holds_more_than_the_rate(policy: Policy) -> None:
    """As Camel's rolling window of permits: no two bursts meet at the border of two buckets."""
    passed = await times(from_(Feed(range(20)), int, policy=policy).throttle(rate=5, per=10))
    assert len(passed) == 20
    for number, first in enumerate(passed):
        assert sum(1 for other in passed[number:] if other < first + 10 - 1e-6) <= 5


async def test_a_throttled_message_waits_in_the_order_of_arrival() -> None:
    """As Camel without `rejectExecution`; departure: it waits in its slot, so waiting messages do not pile up."""
    out = Sink()
    await run_routes(from_("timer:t?every=100ms&repeat=9", int, policy=WIDE).throttle(rate=2, per=5).to(out))
    assert out.bodies == list(range(1, 10))


async def test_a_throttle_may_refuse() -> None:
    """As `rejectExecution`: ThrottlerRejectedExecutionException; here `Throttled`, which is worth another try."""
    feed = Feed(range(5))
    await run_routes(from_(feed, int, policy=REFUSE).throttle(rate=3, per=60, on_excess="refuse"))
    assert [type(error).__name__ for _, error in feed.refused] == ["Throttled"] * 2
    assert all(isinstance(error, Unavailable) for _, error in feed.refused)


async def test_each_key_has_a_limit_of_its_own() -> None:
    """As `correlationExpression`."""
    feed = Feed([1, 2, 1, 2, 1])
    await run_routes(from_(feed, int, policy=REFUSE).throttle(rate=2, per=60, key=lambda n: n, on_excess="refuse"))
    assert [name for name, _ in feed.refused] == ["feed-5"]


async def test_a_rate_may_be_asked_for_each_message() -> None:
    """As the expression that is evaluated again; departure: null or a wrong rate refuses, the last one is not kept."""
    feed = Feed([2, 2, 2, -1])
    await run_routes(from_(feed, int, policy=REFUSE).throttle(rate=lambda n: n, per=60, on_excess="refuse"))
    assert [type(error).__name__ for _, error in feed.refused] == ["Throttled", "BodyError"]


async def test_so_many_messages_may_be_in_the_rest_of_the_route() -> None:
    """As `mode=ConcurrentRequests`."""
    now, most = [0], [0]

    async def work(_: int) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await anyio.sleep(5)
        now[0] -= 1

    await run_routes(from_(Feed(range(12)), int, policy=WIDE).throttle(concurrent=3).transform(work))
    assert most == [3]


async def test_throttles_of_one_name_are_one_within_the_process() -> None:
    """Departure: a throttle belongs to its node; here routes may share one by its name. Both are local to a process."""
    feeds = [Feed(range(3)), Feed(range(3))]
    flows = [from_(feed, int, policy=REFUSE).throttle(rate=4, per=60, on_excess="refuse", name="crm") for feed in feeds]
    await run_routes(*flows)
    assert sum(len(feed.refused) for feed in feeds) == 2


async def test_waiting_at_a_throttle_ends_with_the_deadline() -> None:
    """Nobody waits longer than its message may take."""
    feed = from_(Feed([1, 2]), int, policy=Policy(deadline=5)).throttle(rate=1, per=3600)
    run = await run_routes(feed)
    assert [letter.error for letter in run.letters] == ["Expired"]


async def test_samples_pass_and_the_others_end() -> None:
    """As `samplePeriod` and `messageFrequency`: the others stop at this node, acknowledged."""
    out, feed = Sink(), Feed(range(10))
    await run_routes(from_(feed, int).sample(nth=4).to(out))
    assert (out.bodies, len(feed.acknowledged)) == ([3, 7], 10)

    async def second(n: int) -> int:
        await anyio.sleep(1)
        return n

    out = Sink()
    await run_routes(from_(Feed(range(10)), int).transform(second).sample(every=4).to(out))
    assert out.bodies == [0, 4, 8]


async def test_a_bulkhead_refuses_when_it_is_full() -> None:
    """As `bulkheadEnabled` with 25 at once and no waiting."""

    async def work(n: int) -> int:
        await anyio.sleep(5)
        return n

    feed = Feed(range(30))
    flow = from_(feed, int, policy=WIDE).bulkhead(lambda f: f.transform(work), name="crm")
    await run_routes(flow)
    assert (len(feed.acknowledged), len(feed.refused)) == (25, 5)


async def test_what_takes_too_long_is_cancelled_and_its_thread_not_left_running() -> None:
    """As `timeoutEnabled`; departure: there is no pool on which late work goes on."""
    feed, late = Feed([1]), []

    async def work(n: int) -> None:
        await anyio.sleep(60)
        late.append(n)

    await run_routes(from_(feed, int, policy=REFUSE).timeout(lambda f: f.transform(work), seconds=5))
    await anyio.sleep(100)
    assert (late, [type(error).__name__ for _, error in feed.refused]) == ([], ["TimedOut"])


async def test_a_message_that_has_expired_is_refused() -> None:
    """The book's message expiration, which in Camel is a matter of each broker's headers."""
    out = Sink()
    past, future = datetime(1999, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    run = await run_routes(from_(Feed([past, future]), datetime).expire(at=lambda at: at).to(out))
    assert out.bodies == [future]
    assert [letter.error for letter in run.letters] == ["Expired"]


def breaking(crm: Sink, **options: Any) -> Any:
    given = {"minimum": 4, "window": 10, "open_for": 60, "probes": 2, **options}
    return lambda flow: flow.circuit_breaker(lambda f: f.to(crm), name="crm", **given)


def down(*sends: int) -> Sink:
    return Sink(fail={n: Unavailable("down") for n in sends})


async def test_an_open_circuit_without_a_fallback_refuses() -> None:
    """Departure: Camel goes on without a reply and without an exception, and only properties tell."""
    crm, feed, after = down(*range(1, 99)), Feed(range(6)), Sink()
    await run_routes(breaking(crm)(from_(feed, int, policy=REFUSE)).to(after))
    assert len(crm.sends) == 4, "the rest never reached it"
    assert after.bodies == []
    assert [type(error) for _, error in feed.refused][4:] == [CircuitOpen, CircuitOpen]


async def test_an_open_circuit_with_a_fallback_takes_it() -> None:
    """As `onFallback`, for failures and for calls that were not made; the error is with the message."""
    crm, out = down(*range(1, 99)), Sink()
    seen = lambda f: f.transform(lambda n, message: type(message.meta.error).__name__)  # noqa: E731
    await run_routes(breaking(crm, fallback=seen)(from_(Feed(range(6)), int)).to(out))
    assert out.bodies == ["Unavailable"] * 4 + ["CircuitOpen"] * 2


async def test_a_circuit_tries_again_and_closes() -> None:
    """As `waitDurationInOpenState` and the half-open state, whose probes decide."""
    crm, feed, run = down(1, 2, 3, 4), Feed(range(8)), Run()

    async def slowly(n: int) -> int:
        await anyio.sleep(20)
        return n

    flow = from_(feed, int, policy=REFUSE).transform(slowly)
    after = await run_routes(breaking(crm, open_for=50)(flow), setup=setup_for(run))
    assert [event.state for event in after.of(CircuitChanged)] == ["open", "half-open", "closed"]
    assert len(feed.acknowledged) == 2


async def test_errors_about_the_message_do_not_open_the_circuit() -> None:
    """As `ignoreException`; departure: what is `Rejected` is ignored unless one says otherwise."""
    feed = Feed(["x"] * 20)
    body = lambda f: f.parse(int)  # noqa: E731
    flow = from_(feed, str, policy=REFUSE).circuit_breaker(body, name="crm", minimum=2, window=4)
    run = await run_routes(flow)
    assert run.of(CircuitChanged) == []
    assert {type(error).__name__ for _, error in feed.refused} == {"BodyError"}


async def test_slow_calls_open_the_circuit_too() -> None:
    """As `slowCallDurationThreshold`."""

    async def slow(n: int) -> int:
        await anyio.sleep(10)
        return n

    body = lambda f: f.transform(slow)  # noqa: E731
    flow = from_(Feed(range(6)), int, policy=REFUSE).circuit_breaker(body, name="crm", minimum=4, window=4, slow=5)
    run = await run_routes(flow)
    assert run.of(CircuitChanged)[0].state == "open"


async def test_steps_of_one_name_share_the_circuit() -> None:
    """Departure: each node has a breaker of its own; here all routes that call one system may share what they know."""
    crm = down(*range(1, 99))
    first, second = Feed(range(4)), Feed([1])
    flows = [breaking(crm)(from_(feed, int, policy=REFUSE)) for feed in (first, second)]
    await run_routes(*flows)
    assert len(crm.sends) <= 5


def test_limits_that_cannot_work_are_found_when_they_are_written() -> None:
    """As the start of a Camel context; here sooner."""
    for wrong in (lambda f: f.throttle(), lambda f: f.sample(), lambda f: f.sample(every=1, nth=1)):
        with pytest.raises(DefinitionError):
            wrong(from_("timer:t", int))
