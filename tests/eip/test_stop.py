"""Stopping."""

import pytest

from routekit import from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_nothing_after_it_runs_and_the_message_is_acknowledged() -> None:
    """A stopped message is done: acknowledged, without a reply, and no letter."""
    feed, before, after = Feed([1]), Sink(), Sink()
    run = await run_routes(from_(feed, int).to(before).stop().to(after))
    assert (before.bodies, after.bodies, run.letters) == ([1], [], [])
    assert (feed.acknowledged, run.counts["route-1"].ended) == ([("feed-1", None)], 1)


async def test_a_branch_that_stops_ends_the_message() -> None:
    """Stop in a branch of a choice ends the message, not only the branch."""
    sink = Sink()
    flow = (
        from_(Feed([1, 2]), int)
        .choice()
        .when(lambda n: n == 1, lambda branch: branch.stop())
        .otherwise(lambda branch: branch)
        .to(sink)
    )
    await run_routes(flow)
    assert sink.bodies == [2]
