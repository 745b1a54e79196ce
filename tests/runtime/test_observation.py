"""What is counted of routes, and what observers are told."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from routekit import Message, Observer, Policy, Retry, Route, Spot, Target, Trace, from_, rescue, traces_of
from routekit.observed import RouteFigures
from routekit.runtime.service import Service, Setup
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Hooked

pytestmark = pytest.mark.anyio


class Told:
    """A trace that writes down all that it is told."""

    def __init__(self, message: Message[Any]) -> None:
        self.id = message.id
        self.parents = [trace.id for trace in traces_of(message) if isinstance(trace, Told)]
        self.steps: list[tuple[str, str, int]] = []
        self.failed: list[tuple[str, str]] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.ends: list[tuple[str, str]] = []

    async def step(self, spot: Spot, handler: Any, message: Message[Any]) -> Any:
        self.steps.append((spot.label, message.id, message.meta.attempt))
        try:
            return await handler(message)
        except Exception as error:
            self.failed.append((spot.label, str(error)))
            raise

    async def send(self, spot: Spot, target: Target, send: Any, message: Message[Any], options: Any) -> Any:
        self.sent.append((spot.label, str(target), message.body))
        return await send(message.with_header("traceparent", f"00-{self.id}"), **options)

    def end(self, outcome: Any, error: Exception | None) -> None:
        self.ends.append((outcome, "" if error is None else str(error)))


class Recorder:
    """Observes all routes, and follows what it is asked about."""

    def __init__(self, skips: int = 0) -> None:
        self.skips = skips
        self.traces: list[Told] = []

    def observing(self, route: Route) -> Observer:
        return self

    def begin(self, message: Message[Any]) -> Trace:
        self.traces.append(Told(message))
        return self.traces[-1]

    def setup(self, **changes: Any) -> Setup:
        return replace(setup_for(Run(), **changes), observers=[self.observing])


async def observed(*flows: Any, **changes: Any) -> dict[str, RouteFigures]:
    """The figures of routes that have run to their end, with metrics."""
    setup = setup_for(Run(), metrics=True, **changes)
    service = Service([flow.route(f"route-{n}") for n, flow in enumerate(flows, 1)], setup)
    await service.run(until_idle=True)
    return {figures.name: figures for figures in service.observed()}


def counts_of(figures: RouteFigures) -> list[tuple[str, int]]:
    return [(step.label, step.count) for step in figures.steps]


async def test_each_step_counts_what_enters_it() -> None:
    """In the order of the route, with its branches where they stand, and parts as often as there are of them."""
    flow = (
        from_(Feed([1, 2, 3]), int)
        .filter(lambda n: n != 3)
        .choice()
        .when(lambda n: n == 1, lambda one: one.transform(abs))
        .otherwise(lambda rest: rest.split(lambda n: [n, n]).set_header("twice", value=True))
        .to(Sink())
    )
    figures = (await observed(flow))["route-1"]
    assert [count for _, count in counts_of(figures)] == [3, 2, 1, 1, 2, 3]
    assert [step.label.partition("(")[0] for step in figures.steps] == [
        "filter",
        "choice",
        "when",
        "otherwise > split",
        "otherwise > set_header",
        "to sink:",
    ]
    assert (figures.done, figures.ended, figures.received, figures.in_flight) == (2, 1, 3, 0)


async def test_failures_and_retries_are_those_of_the_step_where_they_begin() -> None:
    """Each try counts as one that entered; the steps before do not fail with it, and the outcomes are remembered."""

    def bad(number: int) -> int:
        raise ValueError(f"amqp://me:hunter2@host has no {number}")

    flow = from_(Feed([7]), int, policy=Policy(retry=Retry(2))).filter(bool).transform(bad).to(Sink())
    figures = (await observed(flow))["route-1"]
    assert [(step.count, step.failures, step.retries) for step in figures.steps] == [(3, 0, 0), (3, 3, 2), (0, 0, 0)]
    assert [one.outcome for one in figures.failures] == ["dead", "retried", "retried"]
    latest = figures.failures[0]
    assert (latest.message, latest.error, latest.step) == ("feed-1", "ValueError", "transform(bad)")
    assert latest.reason == "amqp://me:***@host has no 7"


async def test_what_was_refused_or_rescued_is_remembered_as_that() -> None:
    """By the words of the latest failures."""
    refusing = from_(Feed([0]), int, policy=Policy(dead_letter="refuse")).transform(lambda n: 1 // n)
    rescuing = from_(Feed([0]), int).attempt(
        lambda tried: tried.transform(lambda n: 1 // n), rescue={ZeroDivisionError: lambda other: other.to(Sink())}
    )
    found = await observed(refusing, rescuing)
    assert [one.outcome for one in found["route-1"].failures] == ["refused"]
    assert [one.outcome for one in found["route-2"].failures] == ["rescued"]


async def test_only_the_latest_failures_are_kept() -> None:
    """However many there were."""
    figures = (await observed(from_(Feed(range(80)), int).transform(lambda n: n // 0)))["route-1"]
    assert figures.dead == 80
    assert [one.message for one in figures.failures][:2] == ["feed-80", "feed-79"]
    assert len(figures.failures) == 50


async def test_how_long_messages_take_is_measured_for_each_and_includes_retries() -> None:
    """By the clock of the service: a message of two seconds, and one that waits for its retry."""

    async def slow(number: int) -> int:
        await anyio.sleep(number)
        return number

    figures = (await observed(from_(Feed([2, 2, 2, 8]), int).transform(slow)))["route-1"]
    assert figures.times is not None
    assert (figures.times.count, round(figures.times.total, 3)) == (4, 14)
    assert figures.times.quantile(0.5) == pytest.approx(2.0, rel=0.2)
    assert figures.times.quantile(0.99) == pytest.approx(8.0, rel=0.2)


async def test_a_step_is_measured_by_itself() -> None:
    """The time of the steps that follow, and of the branches, is theirs; what waits in the step is its own."""

    async def slow(number: int) -> int:
        await anyio.sleep(2)
        return number

    flow = from_(Feed([1]), int).filter(bool).tap(lambda aside: aside.transform(slow)).split(lambda n: [n, n])
    figures = (await observed(flow.transform(slow)))["route-1"]
    times = {step.label: step.times for step in figures.steps}
    assert {label: (found.count, round(found.total, 3)) for label, found in times.items() if found} == {
        "filter(bool)": (1, 0),
        "tap": (1, 0),
        "tap > transform(slow)": (1, 2),
        "split()": (1, 0),
        "transform(slow)": (2, 4),
    }


async def test_steps_are_measured_on_few_messages_of_many() -> None:
    """One in 200 or so of those that come fast, the first one among them: the times of a route are those of all."""
    figures = (await observed(from_(Feed(range(20_000)), int).transform(str)))["route-1"]
    assert figures.times is not None
    assert figures.times.count == 20_000
    assert figures.steps[0].times is not None
    assert 50 <= figures.steps[0].times.count <= 200


async def test_steps_are_measured_on_all_messages_while_few_come() -> None:
    """A route of ten messages in a second knows the times of its steps from each of them."""

    async def slow(number: int) -> int:
        await anyio.sleep(0.1)
        return number

    figures = (await observed(from_(Feed(range(50)), int).transform(slow)))["route-1"]
    assert figures.steps[0].times is not None
    assert figures.steps[0].times.count == 50


async def test_rates_are_those_of_the_last_ten_seconds() -> None:
    """What ended well, and what failed for good; ten seconds later both are nothing."""
    setup = setup_for(Run(), metrics=True)

    async def waits(n: int) -> int:
        if n == 1:
            await anyio.sleep(30)
        return 1 // (n % 4)

    feed = Feed([1, *range(20, 40)])
    async with running(from_(feed, int).transform(waits), setup=setup) as service:
        while len(feed.acknowledged) < 21:
            await anyio.sleep(1)
        figures = service.observed()[0]
        assert (figures.rate, figures.errors) == (1.6, 0.5)
        assert [(step.rate, step.errors) for step in figures.steps] == [(1.5, 0.5)]  # the first one entered it long ago
        await anyio.sleep(12)
        figures = service.observed()[0]
        assert (figures.rate, figures.errors) == (0.0, 0.0)
        assert [(step.rate, step.errors) for step in figures.steps] == [(0.0, 0.0)]


async def test_the_oldest_message_in_flight_has_an_age() -> None:
    """That of the one that came first; none when nothing is at work, also after one was cancelled."""
    stuck = anyio.Event()

    async def waits(n: int) -> int:
        await stuck.wait()
        return n

    setup = setup_for(Run(), metrics=True, drain=1.0)
    flow = from_(Feed([1, 2]), int, policy=Policy(concurrency=2)).transform(waits)
    async with running(flow, setup=setup) as service:
        await anyio.sleep(7)
        (figures,) = service.observed()
        assert figures.in_flight == 2
        assert figures.oldest == pytest.approx(7.0)
    (figures,) = service.observed()
    assert figures.oldest is None
    assert figures.times is not None
    assert figures.times.count == 0


async def test_a_route_that_is_exchanged_goes_on_with_its_figures() -> None:
    """Its messages, times and failures are those of both versions; its steps begin anew."""
    setup = setup_for(Run(), metrics=True)

    def version(body: Any) -> Route:
        return from_("queue:in", int).transform(body).route("shop")

    def inverse(number: int) -> float:
        return 1 / number

    feeding = from_(Feed([1, 0]), int).to("queue:in").route("feed")
    async with running(version(inverse), feeding, setup=setup) as service:
        await anyio.sleep(1)
        again = from_(Feed([2]), int).to("queue:in").route("again")
        await service.replace([version(float), feeding, again])
        await anyio.sleep(1)
        figures = {one.name: one for one in service.observed()}["shop"]
    assert (figures.done, figures.dead) == (2, 1)
    assert figures.times is not None
    assert figures.times.count == 3
    assert [one.outcome for one in figures.failures] == ["dead"]
    assert [(step.label, step.count) for step in figures.steps] == [("transform(float)", 1)]


async def test_a_durable_route_is_observed_as_any_other() -> None:
    """Its messages are counted when they are handled, and its sends are told."""
    recorder = Recorder()
    setup = recorder.setup(metrics=True)
    flow = from_(Feed([1, 2]), int, policy=Policy(durable="store")).transform(str).to(Sink())
    service = Service([flow.route("kept")], setup)
    await service.run(until_idle=True)
    (figures,) = service.observed()
    assert counts_of(figures) == [("transform(str)", 2), ("to sink:", 2)]
    assert [len(trace.sent) for trace in recorder.traces] == [1, 1]
    assert [trace.ends for trace in recorder.traces] == [[("done", "")]] * 2


async def test_without_metrics_there_are_the_counts_of_routes_alone() -> None:
    """Nothing is known of steps and times."""
    service = Service([from_(Feed([1]), int).transform(str).route("plain")], setup_for(Run()))
    await service.run(until_idle=True)
    (figures,) = service.observed()
    assert (figures.done, figures.steps, figures.times, figures.failures) == (1, (), None, ())


async def test_an_observer_is_told_of_each_step_and_send() -> None:
    """With the branches, the parts and the tries of a message in one trace, and its end."""
    recorder = Recorder()
    tries = iter([ValueError("not yet")])

    def once(text: str) -> str:
        for error in tries:
            raise error
        return text

    flow = from_(Feed([5]), int, policy=Policy(retry=Retry(1))).split(lambda n: [n, n]).transform(str).transform(once)
    sink = Sink()
    await run_routes(flow.to(sink), setup=recorder.setup())
    (trace,) = recorder.traces
    entered = [(part, attempt) for label, part, attempt in trace.steps if label == "transform(once)"]
    assert entered == [(f"feed-1/{n}", attempt) for attempt in (1, 2) for n in (0, 1)]
    assert ("transform(once)", "not yet") in trace.failed
    assert [body for *_, body in trace.sent] == ["5", "5", "5"]
    assert trace.ends == [("done", "")]
    assert [headers["traceparent"] for headers in [message.headers for message in sink.messages]] == ["00-feed-1"] * 3


async def test_an_observer_hears_how_each_message_ended() -> None:
    """Once for each: done, ended, dead, refused, with the error if there was one."""
    recorder = Recorder()
    flow = from_(Feed([1, 2, 0]), int).filter(lambda n: n != 2).transform(lambda n: 1 // n)
    refusing = from_(Feed([3]), int, policy=Policy(dead_letter="refuse")).transform(lambda n: 1 // 0)
    await run_routes(flow, refusing, setup=recorder.setup())
    zero = "integer division or modulo by zero"
    assert sorted(end for trace in recorder.traces for end in trace.ends) == [
        ("dead", zero),
        ("done", ""),
        ("ended", ""),
        ("refused", zero),
    ]


async def test_a_message_that_is_broken_off_is_left() -> None:
    """It ended in no other way: the service was stopped before it was done."""
    recorder = Recorder()

    async def for_ever(n: int) -> int:
        await anyio.sleep_forever()
        return n

    async with running(from_(Feed([1]), int).transform(for_ever), setup=recorder.setup(drain=1.0)):
        await anyio.sleep(1)
    assert [trace.ends for trace in recorder.traces] == [[("left", "")]]


async def test_another_route_has_a_trace_of_its_own_that_knows_the_first() -> None:
    """By `direct:` the trace of the caller is there when the other one begins; the source knows none."""
    recorder = Recorder()
    caller = from_(Feed([1]), int).to("direct:other")
    called = from_("direct:other", int).transform(str)
    await run_routes(caller, called, setup=recorder.setup())
    assert [(trace.id, trace.parents) for trace in recorder.traces] == [("feed-1", []), ("feed-1", ["feed-1"])]
    assert recorder.traces[0].steps == [("to direct:other", "feed-1", 1)]
    assert recorder.traces[1].steps == [("transform(str)", "feed-1", 1)]


async def test_the_whole_of_a_group_begins_a_trace() -> None:
    """The messages in it have ended theirs at the step that keeps them."""
    recorder = Recorder()
    flow = from_(Feed([1, 2]), int).aggregate("g", int, key=lambda n: 0, size=2).transform(sum)
    await run_routes(flow, setup=recorder.setup())
    first, second, whole = sorted(recorder.traces, key=lambda trace: trace.id.startswith("g#"))
    assert [label.partition("(")[0] for label, _, _ in first.steps + second.steps] == ["aggregate", "aggregate"]
    assert [label for label, _, _ in whole.steps] == ["transform(sum)"]
    assert [trace.ends for trace in (first, second, whole)] == [[("ended", "")], [("ended", "")], [("done", "")]]


async def test_several_observers_are_told_of_the_same() -> None:
    """The first one is around the second, and metrics go on beside them."""
    one, two = Recorder(), Recorder()
    setup = replace(setup_for(Run()), observers=[one.observing, two.observing], metrics=True)
    sink = Sink()
    await run_routes(from_(Feed([1]), int).transform(str).to(sink), setup=setup)
    assert one.traces[0].steps == two.traces[0].steps == [("transform(str)", "feed-1", 1), ("to sink:", "feed-1", 1)]
    assert one.traces[0].ends == two.traces[0].ends == [("done", "")]


async def test_an_observer_may_let_messages_pass() -> None:
    """Those that it skips are not asked about, and the steps work as ever."""
    recorder = Recorder(skips=9)
    sink = Sink()
    await run_routes(from_(Feed(range(25)), int).transform(str).to(sink), setup=recorder.setup())
    assert [trace.id for trace in recorder.traces] == ["feed-1", "feed-11", "feed-21"]
    assert all(len(trace.steps) == 2 for trace in recorder.traces)
    assert len(sink.bodies) == 25


async def test_a_message_beside_one_that_is_followed_is_not() -> None:
    """While one is at work, others pass the same steps without a trace."""
    recorder = Recorder(skips=99)
    first = anyio.Event()

    async def slow(n: int) -> int:
        if n == 1:
            await first.wait()
        elif n == 3:
            first.set()
        return n

    flow = from_(Feed([1, 2, 3]), int, policy=Policy(concurrency=3)).transform(slow).transform(str)
    await run_routes(flow, setup=recorder.setup())
    (trace,) = recorder.traces
    assert trace.steps == [("transform(slow)", trace.id, 1), ("transform(str)", trace.id, 1)]


async def test_an_observer_that_cannot_be_made_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is told in the log, and the route runs unobserved."""

    def broken(route: Route) -> Observer | None:
        raise ValueError("no disk")

    sink = Sink()
    await run_routes(from_(Feed([1]), int).to(sink), setup=replace(setup_for(Run()), observers=[broken]))
    assert sink.bodies == [1]
    assert "is not observed" in caplog.text


async def test_a_rescue_belongs_to_the_trace_of_the_message_that_failed() -> None:
    """The steps of the clause are told, and the message is done."""
    recorder, saved = Recorder(), Sink()
    policy = Policy(rescue={ZeroDivisionError: rescue(lambda other: other.to(saved))})
    await run_routes(from_(Feed([0]), int, policy=policy).transform(lambda n: 1 // n), setup=recorder.setup())
    (trace,) = recorder.traces
    assert [label.rpartition(" > ")[2] for label, *_ in trace.steps] == ["transform(1 // n)", "to sink:"]
    assert trace.ends == [("done", "")]


async def test_a_retried_send_is_told_twice() -> None:
    """Each try is a send of its own."""
    recorder = Recorder()
    left = [OSError("away")]

    async def sending(message: Message[Any]) -> None:
        if left:
            raise left.pop()

    await run_routes(from_(Feed([1]), int).to(Hooked(sending=sending), retry=Retry(1)), setup=recorder.setup())
    assert len(recorder.traces[0].sent) == 2
