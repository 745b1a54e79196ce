"""The wire tap."""

import pytest

from routekit import from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_the_branch_sees_the_message_and_the_message_goes_on() -> None:
    """What the branch makes of its copy stays in the branch."""
    aside, sink = Sink(), Sink()
    flow = from_(Feed([1]), int).tap(lambda copy: copy.transform(lambda n: -n).to(aside)).to(sink)
    await run_routes(flow)
    assert (aside.bodies, sink.bodies) == ([-1], [1])


async def test_what_the_branch_changes_does_not_show() -> None:
    """The branch has a body of its own: changing it in place changes nothing outside."""
    sink = Sink()
    flow = from_(Feed([[1]]), list).tap(lambda copy: copy.transform(lambda body: body.append(2))).to(sink)
    await run_routes(flow)
    assert sink.bodies == [[1]]


async def test_a_branch_that_ends_early_does_not_end_the_message() -> None:
    """A filter in the branch filters the copy only."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).tap(lambda copy: copy.filter(lambda n: False)).to(sink))
    assert sink.bodies == [1]


async def test_a_failure_in_the_branch_fails_the_message() -> None:
    """A tap drops no error: by default the message does not go on."""
    sink = Sink()
    run = await run_routes(from_(Feed([0]), int).tap(lambda copy: copy.transform(lambda n: 1 / n)).to(sink))
    assert sink.bodies == []
    assert [letter.step for letter in run.letters] == ["tap > transform(1 / n)"]


async def test_a_failure_may_become_a_dead_letter_instead() -> None:
    """With on_error="dead_letter" the failure of the branch is kept, and the message goes on."""
    sink, feed = Sink(), Feed([0])
    flow = from_(feed, int).tap(lambda copy: copy.transform(lambda n: 1 / n), on_error="dead_letter").to(sink)
    run = await run_routes(flow)
    assert (sink.bodies, len(run.letters), feed.refused) == ([0], 1, [])
