"""to"""

import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_
from routekit.events import Retrying
from routekit.step import Target
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_the_message_goes_on_unchanged_once_it_is_delivered() -> None:
    """Two sinks get the same message, the second after the first."""
    first, second = Sink(), Sink()
    await run_routes(from_(Feed([Message(1, {"h": 1}, "m")]), int).to(first).to(second))
    assert first.messages == second.messages == [Message(1, {"h": 1}, "m")]


async def test_what_the_sink_raises_fails_the_message() -> None:
    """Nothing after it runs."""
    bad, after = Sink(fail={1: Unavailable("away")}), Sink()
    run = await run_routes(from_(Feed([1, 2]), int).to(bad).to(after))
    assert after.bodies == [2]
    assert [letter.error for letter in run.letters] == ["Unavailable"]


async def test_its_retry_repeats_just_this_send() -> None:
    """What came before does not run again, and neither does what follows when that fails."""
    before, bad, after = Sink(), Sink(fail={1: Unavailable("a"), 2: Unavailable("b")}), Sink(fail={1: ValueError("x")})
    run = await run_routes(from_(Feed([1]), int).to(before).to(bad, retry=Retry(3)).to(after))
    assert len(before.sends) == 1
    assert len(bad.sends) == 3
    assert len(after.sends) == 1, "a failure after it is not its own"
    assert [letter.error for letter in run.letters] == ["ValueError"]
    assert len(run.of(Retrying)) == 2


async def test_after_its_retries_the_policys_begin() -> None:
    """The route's policy runs the whole route again."""
    bad = Sink(fail=dict.fromkeys(range(1, 6), Unavailable("away")))
    run = await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(1))).to(bad, retry=Retry(2)))
    assert len(bad.sends) == 6
    assert run.counts["route-1"].done == 1


async def test_a_body_that_a_later_step_changes_was_not_changed_before() -> None:
    """A queue gets a copy: what the route does later does not show in it."""
    sink = Sink()
    flow = from_(Feed([{"rows": [1]}]), dict).to("queue:q").transform(lambda d: d["rows"].append(2))
    await run_routes(flow, from_("queue:q", dict).to(sink))
    assert sink.bodies == [{"rows": [1]}]


def test_a_source_is_no_sink() -> None:
    """A typed source is refused when it is written."""
    with pytest.raises(DefinitionError, match="can only be read from"):
        from_("timer:x").to(Feed([1]))


def test_secrets_do_not_show() -> None:
    """The label of the step, which letters and drawings show, hides passwords."""
    flow = from_("timer:x").to("amqp:orders?password=hunter2&url=amqp://me:hunter2@host/")
    step = flow.chain.steps[0]
    assert "hunter2" not in step.label
    assert step.label.startswith("to amqp:orders?password=***")
    assert "hunter2" not in str(Target("ftp:x?token=hunter2"))


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
