"""tap"""

import pytest

from routekit import Policy, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_the_branch_is_done_before_the_message_goes_on() -> None:
    """The copy is awaited, then the message itself continues."""
    order: list[str] = []
    flow = from_(Feed([1]), int).tap(lambda f: f.transform(lambda n: order.append("aside") or "changed"))
    sink = Sink()
    await run_routes(flow.transform(lambda n: order.append("main") or n).to(sink))
    assert order == ["aside", "main"]
    assert sink.bodies == [1]


async def test_what_the_branch_changes_stays_there() -> None:
    """Neither body nor headers of the message show it."""
    sink = Sink()
    aside = from_(Feed([{"rows": [1]}]), dict).tap(
        lambda f: f.set_header("x", 1).transform(lambda d: d["rows"].append(2))
    )
    await run_routes(aside.to(sink))
    assert sink.bodies == [{"rows": [1]}]
    assert dict(sink.messages[0].headers) == {}


async def test_a_branch_that_ends_early_does_not_end_the_message() -> None:
    """A filter on the side is no filter of the route."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).tap(lambda f: f.filter(lambda n: False)).to(sink))
    assert sink.bodies == [1]


async def test_a_failure_in_the_branch_fails_the_message() -> None:
    """By default."""
    feed, sink = Feed([1]), Sink()
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).tap(lambda f: f.transform(lambda n: 1 // 0))
    await run_routes(flow.to(sink))
    assert sink.bodies == []
    assert [name for name, _ in feed.refused] == ["feed-1"]


async def test_a_failure_in_the_branch_may_be_a_dead_letter_of_its_own() -> None:
    """With `on_error="dead_letter"` the message goes on, and the letter keeps the body as it came to the tap."""
    feed, sink = Feed([{"n": 1}]), Sink()

    def spoil(row: dict[str, int]) -> None:
        row["n"] = 99
        raise ValueError("bad")

    run = await run_routes(from_(feed, dict).tap(lambda f: f.transform(spoil), on_error="dead_letter").to(sink))
    assert sink.bodies == [{"n": 1}]
    assert [(letter.body, letter.reason) for letter in run.letters] == [({"n": 1}, "bad")]
    assert len(feed.acknowledged) == 1


def test_its_branch_can_be_drawn() -> None:
    """Under its name."""
    (step,) = from_("timer:x").tap(lambda f: f.stop()).chain.steps
    assert [name for name, _ in step.branches()] == ["tap"]
    assert step.label == "tap"
