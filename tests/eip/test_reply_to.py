"""reply_to"""

from typing import Any

import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_
from routekit.check import check
from routekit.events import Retrying
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def request(address: Any, body: int = 1) -> Message[int]:
    return Message(body, {"reply-to": address, "correlation-id": "c1"}, "m1")


async def test_the_reply_goes_where_the_request_says() -> None:
    """With all headers, so with the correlation id; the message goes on."""
    one, two, after = Sink(name="one"), Sink(name="two"), Sink()
    feed = Feed([request("a", 1), request("b", 2), request("b", 3)])
    await run_routes(from_(feed).reply_to(names={"a": one, "b": two}).to(after))
    assert (one.bodies, two.bodies, after.bodies) == ([1], [2, 3], [1, 2, 3])
    assert one.messages[0].headers["correlation-id"] == "c1"


async def test_an_address_is_named_by_its_uri_without_options() -> None:
    """On both sides: options are the author's own matter."""
    sink = Sink()
    answers = from_(Feed([request("queue:answers"), request("queue:answers?size=1000000")])).reply_to(
        "queue:answers?size=5", "log:x"
    )
    await run_routes(answers, from_("queue:answers").to(sink))
    assert sink.bodies == [1, 1]


@pytest.mark.parametrize("address", ["file:/etc", "queue:other", "", 7])
async def test_a_message_cannot_name_another_address(address: Any) -> None:
    """What comes from outside chooses among the author's addresses, and steers nothing else; it is not retried."""
    sink = Sink()
    flow = from_(Feed([request(address)]), policy=Policy(retry=Retry(3))).reply_to("log:x", names={"s": sink})
    run = await run_routes(flow)
    (letter,) = run.letters
    assert (letter.error, letter.attempts) == ("Rejected", 1)
    assert letter.reason.endswith("it may reply to: log:x, s")
    assert sink.messages == []


async def test_a_message_that_names_none_is_rejected() -> None:
    """Nobody waits for its reply."""
    run = await run_routes(from_(Feed([1])).reply_to("log:x"))
    assert [letter.error for letter in run.letters] == ["Rejected"]
    assert "has no header 'reply-to'" in run.letters[0].reason


async def test_the_header_may_have_another_name() -> None:
    """As the other side has it."""
    sink = Sink()
    await run_routes(from_(Feed([Message(1, {"x": "s"})])).reply_to(names={"s": sink}, header="x"))
    assert sink.bodies == [1]


async def test_retry_repeats_just_the_reply() -> None:
    """And a codec writes it."""
    sink = Sink(fail={1: Unavailable("x")})
    flow = from_(Feed([request("s")])).reply_to(names={"s": sink}, retry=Retry(2), codec="json")
    run = await run_routes(flow)
    assert (sink.bodies, len(run.of(Retrying))) == ([b"1"], 1)
    failing = from_(Feed([request("s")])).reply_to(names={"s": Sink(fail={1: ValueError("x")})})
    assert [letter.error for letter in (await run_routes(failing)).letters] == ["ValueError"]


def test_what_cannot_work_is_found_by_check() -> None:
    """No address, a source, and each address that is wrong."""
    with pytest.raises(DefinitionError, match="has no address"):
        from_(Feed([])).reply_to()
    with pytest.raises(DefinitionError, match="give `reply_to` a sink"):
        from_(Feed([])).reply_to(Feed([]))
    problems = check([from_(Feed([])).reply_to("log:x", "queue:nobody").route("r")], Catalog())
    assert [problem.message for problem in problems] == ["no route reads from 'queue:nobody'"]


def test_its_label_names_the_addresses() -> None:
    """For drawings."""
    (step,) = from_(Feed([])).reply_to("log:x?level=debug", names={"crm": "log:y"}).chain.steps
    assert step.label == "reply_to log:x, crm"
    assert [str(target) for target in step.targets()] == ["log:x?level=debug", "log:y"]
