"""throttle"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import (
    BodyError,
    DefinitionError,
    Expired,
    Handler,
    Message,
    Policy,
    Retry,
    Runtime,
    Step,
    Throttled,
    from_,
)
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, Run, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


@dataclass
class Visits:
    """When messages came to the throttle, when they passed, and when they were out again; times from the start."""

    came: list[tuple[int, float]] = field(default_factory=list)
    passed: list[tuple[int, float]] = field(default_factory=list)
    left: dict[int, float] = field(default_factory=dict)
    begun: float = 0.0

    def now(self) -> float:
        return anyio.current_time() - self.begun

    def coming(self, pauses: Sequence[float]) -> Callable[[int], Any]:
        async def come(n: int) -> int:
            await anyio.sleep(pauses[n])
            return n

        return come

    def note(self, n: int) -> int:
        self.came.append((n, self.now()))
        return n

    def working(self, durations: Sequence[float]) -> Callable[[int], Any]:
        async def work(n: int) -> int:
            self.passed.append((n, self.now()))
            try:
                await anyio.sleep(durations[n % len(durations)])
            finally:
                self.left[n] = self.now()
            return n

        return work


@dataclass(frozen=True)
class Patience(Step[int, int]):
    """Cancels the rest of the route for a message that waits longer than it will."""

    patience: Sequence[float]

    def bind(self, proceed: Handler[int], runtime: Runtime) -> Handler[int]:
        async def handle(message: Message[int]) -> Message[Any] | None:
            with anyio.move_on_after(self.patience[message.body % len(self.patience)]):
                return await proceed(message)
            return None

        return handle


async def visits(
    times: Sequence[float], durations: Sequence[float] = (0,), *, patience: Sequence[float] = (), **limits: Any
) -> Visits:
    """Messages 0, 1, ... that come at these times, work so long, and are cancelled when they lose their patience."""
    seen = Visits(begun=anyio.current_time())
    flow = from_(Feed(range(len(times))), int, policy=Policy(concurrency=max(1, len(times)), dead_letter="refuse"))
    flow = flow.transform(seen.coming(times)).transform(seen.note)
    if not patience:
        await run_routes(flow.throttle(**limits).transform(seen.working(durations)))
        return seen

    await run_routes(flow.then(Patience(patience)).throttle(**limits).transform(seen.working(durations)))
    return seen


def by_key(those: Sequence[tuple[int, float]], keys: int) -> dict[int, list[tuple[int, float]]]:
    found = defaultdict[int, list[tuple[int, float]]](list)
    for n, time in those:
        found[n % keys].append((n, time))
    return found


def eighths(most: int, least: int = 0) -> st.SearchStrategy[float]:
    """Times that a computer adds without rounding."""
    return st.integers(least, most).map(lambda number: number / 8)


EPS = 1e-6


@settings(max_examples=80)
@given(
    times=st.lists(eighths(80), min_size=1, max_size=25),
    durations=st.lists(eighths(24), min_size=1, max_size=5),
    patience=st.one_of(st.just([]), st.lists(eighths(100, 1).map(lambda time: time + 1 / 16), min_size=1, max_size=5)),
    rate=st.one_of(st.none(), st.integers(1, 5)),
    per=eighths(40, 1),
    concurrent=st.one_of(st.none(), st.integers(1, 4)),
    keys=st.integers(1, 3),
)
async def test_every_message_passes_when_it_may_and_not_before(
    times: list[float],
    durations: list[float],
    patience: list[float],
    rate: int | None,
    per: float,
    concurrent: int | None,
    keys: int,
) -> None:
    """For each key: in the order of coming, at the first moment at which rate and number allow it, whoever gives up."""
    if rate is None and concurrent is None:
        concurrent = 1
    seen = await visits(
        times, durations, patience=patience, rate=rate, per=per, concurrent=concurrent, key=lambda n: n % keys
    )
    assert len(seen.came) == len(times)
    passed = by_key(seen.passed, keys)
    for key, came in by_key(seen.came, keys).items():
        expected = expected_passes(came, dict(passed[key]), durations, patience, rate, per, concurrent)
        assert [n for n, _ in passed[key]] == [n for n, _ in expected]
        assert [time for _, time in passed[key]] == pytest.approx([time for _, time in expected], abs=EPS)
        starts = [time for _, time in passed[key]]
        if rate is not None:
            assert all(later - first >= per - EPS for first, later in zip(starts, starts[rate:], strict=False))
        if concurrent is not None:
            for start in starts:
                inside = [n for n, time in passed[key] if time <= start + EPS and seen.left[n] > start + EPS]
                assert len(inside) <= concurrent


def expected_passes(
    came: Sequence[tuple[int, float]],
    actual: dict[int, float],
    durations: Sequence[float],
    patience: Sequence[float],
    rate: int | None,
    per: float,
    concurrent: int | None,
) -> list[tuple[int, float]]:
    """Who passes when: one after the other, each as early as can be; who gives up before that does not pass."""
    passes: list[tuple[int, float]] = []
    ends: list[float] = []
    for n, arrival in came:
        gives_up = arrival + patience[n % len(patience)] if patience else float("inf")
        time = max(arrival, passes[-1][1]) if passes else arrival
        inside = sorted(end for end in ends if end > time)
        if concurrent is not None and len(inside) >= concurrent:
            time = inside[len(inside) - concurrent]
        if rate is not None and len(passes) >= rate:
            time = max(time, passes[-rate][1] + per)
        if n in actual if abs(time - gives_up) < EPS else time < gives_up:
            passes.append((n, time))
            ends.append(min(time + durations[n % len(durations)], gives_up))
    return passes


async def test_a_burst_passes_at_once_and_the_next_a_while_later() -> None:
    """The window begins with the first that passed, whatever the clock says."""
    seen = await visits([0.9] * 5, rate=2, per=1)
    assert [time for _, time in seen.passed] == pytest.approx([0.9, 0.9, 1.9, 1.9, 2.9])


async def test_no_two_bursts_meet_between_windows() -> None:
    """Messages at the end of one while and at the beginning of the next count together."""
    seen = await visits([0, 0.9, 0.95, 1.1], rate=2, per=1)
    assert [time for _, time in seen.passed] == pytest.approx([0, 0.9, 1.0, 1.9])


async def test_keys_do_not_wait_for_each_other() -> None:
    """Each has limits of its own; a function may be async, and look at the message."""

    async def first(body: int, message: Message[int]) -> int:
        return body % 2

    seen = await visits([0, 0, 0.5, 0.5], rate=1, per=1, key=first)
    assert dict(seen.passed) == pytest.approx({0: 0, 1: 0, 2: 1, 3: 1})


async def test_a_failure_frees_its_place() -> None:
    """It was a call all the same, so that the rate counts it."""
    feed, begun, times = Feed([0, 1, 2]), anyio.current_time(), list[float]()

    def fail(n: int) -> None:
        times.append(anyio.current_time() - begun)
        raise ValueError(n)

    flow = from_(feed, int, policy=Policy(concurrency=3, dead_letter="refuse"))
    await run_routes(flow.throttle(rate=1, per=2, concurrent=1).transform(fail))
    assert times == pytest.approx([0, 2, 4])
    assert len(feed.refused) == 3


async def test_a_deadline_that_cannot_be_met_fails_at_once() -> None:
    """The message does not keep its slot until then; one that can be met is waited for."""
    begun, ended = anyio.current_time(), list[float]()
    policy = Policy(deadline=15, concurrency=3)
    run = await run_routes(
        from_(Feed([0, 1, 2]), int, policy=policy)
        .attempt(
            lambda body: body.throttle(rate=1, per=20),
            rescue={Expired: lambda late: late.transform(lambda n: ended.append(anyio.current_time() - begun))},
        )
        .transform(lambda body: None)
    )
    assert ended == [0, 0]
    assert run.counts["route-1"].dead == 0
    run = await run_routes(from_(Feed([0, 1]), int, policy=policy).throttle(rate=1, per=10))
    assert run.counts["route-1"].done == 2


async def test_who_waits_in_line_is_cancelled_by_its_deadline() -> None:
    """The line goes on without it."""

    async def work(n: int) -> int:
        await anyio.sleep(6)
        return n

    run = await run_routes(
        from_(Feed([0, 1, 2]), int, policy=Policy(deadline=10, concurrency=3)).throttle(concurrent=1).transform(work)
    )
    assert run.counts["route-1"].done == 1
    assert [letter.reason for letter in run.letters] == ["not done within 10 s, its deadline"] * 2


async def test_refuse_says_when_to_come_again() -> None:
    """What is too much fails at once as `Unavailable`, so that a retry can bring it later."""
    feed = Feed(range(3))
    flow = from_(feed, int, policy=Policy(concurrency=3, dead_letter="refuse"))
    await run_routes(flow.throttle(rate=2, per=60, on_excess="refuse"))
    ((_, error),) = feed.refused
    assert isinstance(error, Throttled)
    assert str(error) == "2 messages in 60 s have passed; the next may pass in 60 s"
    patient = Policy(retry=Retry(20, first=1, on=Throttled))
    run = await run_routes(from_(Feed(range(3)), int, policy=patient).throttle(rate=1, per=9, on_excess="refuse"))
    assert run.counts["route-1"].done == 3


async def test_refuse_counts_those_under_way() -> None:
    """For each key."""
    feed = Feed(["a", "a", "b"])

    async def work(body: str) -> str:
        await anyio.sleep(1)
        return body

    flow = from_(feed, str, policy=Policy(concurrency=3, dead_letter="refuse"))
    await run_routes(flow.throttle(concurrent=1, on_excess="refuse", key=lambda body: body).transform(work))
    ((name, error),) = feed.refused
    assert name in ("feed-1", "feed-2")
    assert str(error) == "1 under way for 'a', and no more than 1 may be"


async def test_the_rate_may_depend_on_the_message() -> None:
    """It is asked for each message: no window that ends with it holds more than its own rate."""
    rates = [4, 4, 2, 2.9, 1, 4]
    seen = await visits([n / 8 for n in range(6)], rate=lambda n: rates[n], per=1)
    assert [time for _, time in seen.passed] == pytest.approx([0, 0.125, 1, 1.125, 2.125, 2.125])


@pytest.mark.parametrize("rate", [0, -1, 0.5, None, "5", float("inf"), float("nan")])
async def test_a_rate_that_is_none_refuses_the_message(rate: Any) -> None:
    """Whatever the function gave."""
    run = await run_routes(from_(Feed([1]), int).throttle(rate=lambda n: rate))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert f"gave the rate {rate!r}" in run.letters[0].reason


async def test_a_key_must_be_comparable() -> None:
    """A list is refused, with what to do."""
    feed = Feed([[1]])
    key: Any = lambda body: body  # noqa: E731
    await run_routes(from_(feed, list, policy=Policy(dead_letter="refuse")).throttle(rate=1, key=key))
    assert isinstance(feed.refused[0][1], BodyError)
    assert str(feed.refused[0][1]).endswith("give a text")


async def test_keys_are_bounded() -> None:
    """One more than there may be is refused, as long as all others are in use."""
    feed = Feed(range(4))

    async def come(n: int) -> int:
        await anyio.sleep([0, 0, 1, 12][n])
        return n

    flow = from_(feed, int, policy=Policy(concurrency=4, dead_letter="refuse")).transform(come)
    await run_routes(flow.throttle(rate=1, per=10, key=lambda n: n, most_keys=2))
    ((name, error),) = feed.refused
    assert (name, type(error)) == ("feed-3", Throttled)
    assert str(error) == "all 2 keys to throttle by are in use; raise most_keys, or make `per` shorter"


async def test_throttles_of_one_name_share_their_limits() -> None:
    """In all routes: the quota is that of the system behind them."""
    times = list[float]()
    begun = anyio.current_time()

    def note(n: int) -> None:
        times.append(anyio.current_time() - begun)

    def route() -> Any:
        return from_(Feed([1, 2]), int).throttle(rate=1, per=1, name="crm").transform(note)

    await run_routes(route(), route())
    assert times == pytest.approx([0, 1, 2, 3])


async def test_throttles_without_a_name_are_their_own() -> None:
    """Two in one route do not count a message twice."""
    run = await run_routes(
        from_(Feed([1]), int, policy=Policy(deadline=1)).throttle(rate=1, per=60).throttle(rate=1, per=60)
    )
    assert run.counts["route-1"].done == 1


def test_a_name_has_one_set_of_limits() -> None:
    """Anything else is found by the check."""
    flow = from_("timer:x").throttle(concurrent=1, name="crm")
    other = from_("timer:y").throttle(concurrent=2, name="crm")
    (problem,) = check([flow.route("a"), other.route("b")], Catalog())
    assert (problem.route, problem.message) == ("b", "'crm' has other options in route 'a'")


async def test_a_stop_leaves_those_that_wait_to_their_source() -> None:
    """After the drain time they are neither acknowledged nor refused."""
    source = Watched(range(3))
    flow = from_(source, int, policy=Policy(concurrency=3)).throttle(rate=1, per=100)
    async with running(flow, setup=setup_for(Run(), drain=5)):
        await anyio.sleep(10)
    assert [word for word, _ in source.told] == ["ack"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"per": 5},
        {"rate": 0},
        {"rate": -1},
        {"rate": 0.5},
        {"rate": float("nan")},
        {"rate": 1, "per": 0},
        {"concurrent": 0},
        {"rate": 1, "most_keys": 0},
        {"rate": 1, "on_excess": "drop"},
        {"rate": lambda: 5},
        {"rate": 1, "key": "customer"},
    ],
)
def test_limits_that_cannot_work(options: dict[str, Any]) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError):
        from_("timer:x").throttle(**options)


def test_its_label_says_the_limits() -> None:
    """In a drawing."""
    flow = from_("timer:x").throttle(rate=5, concurrent=2, key=str.lower).throttle(rate=lambda body: 5, per=0.5)
    labels = [step.label for step in flow.chain.steps]
    assert labels == ["throttle(5 per 1 s, 2 at once for each str.lower)", "throttle(5 per 0.5 s)"]
