"""expire"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

from routekit import BodyError, DefinitionError, Message, Policy, Retry, from_
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio

START = 1_700_000_000.0


async def run_at_start(flow: Any) -> Run:
    """The routes run, with a wall clock that stands at START when they begin and follows virtual time."""
    begun = anyio.current_time()
    return await run_routes(flow, setup=setup_for(Run(), now=lambda: START + anyio.current_time() - begun))


async def slow(body: Any) -> Any:
    await anyio.sleep(10)
    return body


@pytest.mark.parametrize(
    "at",
    [
        START - 60,
        int(START) - 60,
        START,
        datetime.fromtimestamp(START - 60, UTC),
        datetime.fromtimestamp(START - 60, timezone(timedelta(hours=5))),
    ],
)
async def test_a_message_whose_time_has_passed_is_refused(at: Any) -> None:
    """Whatever form the time has; nothing after the step is done."""
    sink = Sink()
    run = await run_at_start(from_(Feed([at])).expire(at=lambda at: at).to(sink))
    assert sink.bodies == []
    assert [letter.error for letter in run.letters] == ["Expired"]
    if at != START:
        assert run.letters[0].reason == "the message expired at 2023-11-14T22:12:20+00:00, 60 s ago"


async def test_a_message_expires_on_its_way() -> None:
    """What is at work then is cancelled, and never retried."""
    times = list[float]()

    async def work(at: float) -> None:
        try:
            await anyio.sleep(100)
        finally:
            times.append(anyio.current_time() - begun)

    begun = anyio.current_time()
    flow = from_(Feed([START + 7]), policy=Policy(retry=Retry(5))).expire(at=lambda at: at).transform(work)
    run = await run_at_start(flow)
    assert times == pytest.approx([7])
    assert run.letters[0].reason == "not done by 2023-11-14T22:13:27+00:00, when the message expired"


async def test_a_message_in_time_goes_on() -> None:
    """As does one without a time."""
    sink = Sink()
    flow = from_(Feed([START + 11, None])).expire(at=lambda at: at).transform(slow)
    await run_at_start(flow.to(sink))
    assert sink.bodies == [START + 11, None]


async def test_the_rest_of_the_route_knows_the_deadline() -> None:
    """By the clock that it waits by; a sooner one from the policy stays."""
    deadlines = list[float | None]()
    begun = anyio.current_time()

    async def at(seconds: float, message: Message[float]) -> float:
        return START + seconds

    for patience in (None, 5):
        flow = from_(Feed([8.0]), float, policy=Policy(deadline=patience)).expire(at=at)
        flow = flow.transform(lambda body, message: deadlines.append(message.meta.deadline))
        await run_at_start(flow)
    assert [(time or 0) - begun for time in deadlines] == pytest.approx([8, 5])


async def test_within_a_branch_it_counts_for_the_branch() -> None:
    """What follows the branch has the deadline from before; it is no longer held to the other."""
    begun, seen = anyio.current_time(), list[float | None]()

    def inside(flow: Any) -> Any:
        return flow.expire(at=lambda at: at)

    scopes: list[Any] = [
        lambda flow: flow.timeout(inside, seconds=100),
        lambda flow: flow.bulkhead(inside, name="a"),
        lambda flow: flow.circuit_breaker(inside, name="b"),
        lambda flow: flow.attempt(inside),
    ]
    for scope in scopes:
        flow = from_(Feed([START + 8]), policy=Policy(deadline=50)).apply(scope).transform(slow)
        run = await run_at_start(flow.transform(lambda _, message: seen.append(message.meta.deadline)))
        assert run.counts["route-1"].done == 1
    assert [(time or 0) - begun for time in seen] == pytest.approx([50, 60, 70, 80])


async def test_the_sooner_of_two_counts() -> None:
    """A later time does not extend the policy's deadline."""
    flow = from_(Feed([START + 8]), policy=Policy(deadline=5)).expire(at=lambda at: at).transform(slow)
    run = await run_at_start(flow)
    assert run.letters[0].reason == "not done within 5 s, its deadline"


@pytest.mark.parametrize(
    "at", [datetime(2030, 1, 1), "2030-01-01", True, START * 1000, -1.0, 0, float("nan"), float("inf")]
)
async def test_what_is_no_time_is_refused(at: Any) -> None:
    """A time without a zone, a text, and milliseconds too: they would be taken for another time."""
    feed = Feed([1])
    await run_at_start(from_(feed, policy=Policy(dead_letter="refuse")).expire(at=lambda body: at))
    ((_, error),) = feed.refused
    assert isinstance(error, BodyError)
    assert "as the time to expire; give a datetime with a time zone" in str(error)


def test_it_takes_a_function() -> None:
    """A time for all messages would be none."""
    with pytest.raises(DefinitionError, match="expire takes a function"):
        from_("timer:x").expire(at=START)  # type: ignore[arg-type]


def test_its_label_names_the_function() -> None:
    """In a drawing."""
    (step,) = from_("timer:x").expire(at=lambda body: body.until).chain.steps
    assert step.label == "expire(body.until)"
