"""stop"""

import pytest

from routekit import from_
from routekit.eip.stop import Stop
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_nothing_after_it_runs() -> None:
    """The message ends there, successfully."""
    feed, sink = Feed([1]), Sink()
    run = await run_routes(from_(feed, int).stop().to(sink))
    assert sink.bodies == []
    assert feed.acknowledged == [("feed-1", None)]
    assert run.counts["route-1"].ended == 1


async def test_in_a_branch_it_ends_the_message() -> None:
    """A choice may end some messages and pass on the others."""
    sink = Sink()
    flow = from_(Feed([1, 2]), int).choice().when(lambda n: n == 1, lambda f: f.stop()).otherwise(lambda f: f)
    await run_routes(flow.to(sink))
    assert sink.bodies == [2]


async def test_in_a_part_it_ends_the_part() -> None:
    """The other parts go on, and the message is done."""
    feed, sink = Feed([[1, 2]]), Sink()
    parts = from_(feed, list).split(lambda ns: ns)
    await run_routes(parts.choice().when(lambda n: n == 1, lambda f: f.stop()).otherwise(lambda f: f).to(sink))
    assert sink.bodies == [2]
    assert feed.acknowledged[0][1] is not None


def test_it_is_known_to_end() -> None:
    """Tools see that nothing is reached after it."""
    assert Stop.ends
    assert Stop().label == "stop"
