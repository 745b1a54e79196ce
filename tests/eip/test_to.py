"""Sending to endpoints."""

import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_
from routekit.endpoints.timer import Timer
from routekit.events import Retrying
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_the_message_goes_on_unchanged_once_it_is_delivered() -> None:
    """What a sink answers does not replace the message."""
    first, second = Sink(), Sink()
    await run_routes(from_(Feed([1]), int).to(first).transform(lambda n: n + 1).to(second))
    assert (first.bodies, second.bodies) == ([1], [2])


async def test_a_failed_send_fails_the_message() -> None:
    """Nothing after a send that failed runs, and the message is not acknowledged as done."""
    after = Sink()
    run = await run_routes(from_(Feed([1]), int).to(Sink(fail={1: Unavailable("away")})).to(after))
    assert after.bodies == []
    assert [(letter.error, letter.reason) for letter in run.letters] == [("Unavailable", "away")]


async def test_retry_repeats_just_the_send() -> None:
    """With `retry` the steps before the send run once, the send until it succeeds, and those after it once."""
    before: list[int] = []
    sink, after = Sink(fail={1: Unavailable("away"), 2: OSError("gone")}), Sink()
    flow = from_(Feed([1]), int).transform(lambda n: before.append(n) or n).to(sink, retry=Retry(2)).to(after)
    run = await run_routes(flow)
    assert (before, len(sink.sends), sink.bodies, after.bodies) == ([1], 3, [1], [1])
    assert [event.attempt for event in run.of(Retrying)] == [1, 2]


async def test_the_failure_after_a_send_does_not_send_again() -> None:
    """A step that fails after the send is not the send's failure: it is not retried by it."""
    sink = Sink()
    run = await run_routes(from_(Feed([0]), int).to(sink, retry=Retry(5)).transform(lambda n: 1 / n))
    assert sink.bodies == [0]
    assert len(run.letters) == 1


async def test_retries_that_are_used_up_raise_the_last_error() -> None:
    """After the last retry the message fails, and the letter says how often it was tried."""
    sink = Sink(fail={n: Unavailable(f"away {n}") for n in range(1, 9)})
    run = await run_routes(from_(Feed([1]), int).to(sink, retry=Retry(3)))
    assert [(letter.reason, letter.attempts) for letter in run.letters] == [("away 4", 4)]


async def test_only_errors_of_the_rule_are_retried() -> None:
    """The first rule that handles an error counts; an error that none handles fails at once."""
    sink = Sink(fail={1: Unavailable("away"), 2: KeyError("bug")})
    run = await run_routes(from_(Feed([1]), int).to(sink, retry=(Retry(9, on=Unavailable), Retry(0))))
    assert len(sink.sends) == 2
    assert [letter.error for letter in run.letters] == ["KeyError"]


async def test_a_codec_encodes_for_sinks_that_know_none() -> None:
    """`codec=` turns the body into bytes for this send only."""
    bytes_, after = Sink(), Sink()
    await run_routes(from_(Feed([{"a": 1}])).to(bytes_, codec="json").to(after))
    assert (bytes_.bodies, after.bodies) == ([b'{"a":1}'], [{"a": 1}])


async def test_equal_targets_share_one_open_sink() -> None:
    """A sink that is named twice in a route is opened once."""
    run = await run_routes(from_(Feed([1]), int).to("mock:a?fail=1", retry=Retry(1)).to("mock:a?fail=1"))
    assert run.letters == []


def test_a_typed_source_is_refused_as_a_sink() -> None:
    """Sending to something that can only be read from is refused where it is written."""
    with pytest.raises(DefinitionError, match="can only be read from"):
        from_("timer:x").to(Timer(name="y"))


async def test_the_route_retries_from_its_start_with_the_original_message() -> None:
    """The policy's retry runs the whole route again, on the body as it came, whatever a try did to it."""
    seen: list[list[int]] = []

    def spoil(body: list[int]) -> list[int]:
        seen.append(list(body))
        body.append(99)
        return body

    sink = Sink(fail={1: Unavailable("away")})
    await run_routes(from_(Feed([Message([1], id="m")]), list, policy=Policy(retry=Retry(1))).transform(spoil).to(sink))
    assert seen == [[1], [1]]
    assert sink.bodies == [[1, 99]]
