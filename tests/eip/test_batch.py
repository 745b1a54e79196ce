"""batch"""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Flow, from_
from routekit.eip.batch import Batch
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, Outside, every_crash
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio


async def test_lists_of_a_size_go_on() -> None:
    """In the order of arrival; what is left over waits for more, unacknowledged with a store in memory."""
    out, feed = Sink(), Feed([1, 2, 3, 4, 5])
    await run_routes(from_(feed, int).batch("rows", int, size=2).to(out))
    assert out.bodies == [[1, 2], [3, 4]]
    assert len(feed.acknowledged) == 4


async def test_fewer_go_on_after_a_while() -> None:
    """`wait` counts from the first message of a list, however many follow."""
    out, went = Sink(), list[float]()
    source = Trickle(items=[(0, 1), (3, 2), (4.5, 3), (20, 4)])
    flow = from_(source, int).batch("rows", int, size=9, wait=5)
    started = anyio.current_time()
    await run_routes(flow.transform(lambda ns: went.append(anyio.current_time() - started) or ns).to(out))
    assert out.bodies == [[1, 2, 3], [4]]
    assert went == [pytest.approx(5), pytest.approx(25)]


async def test_a_list_outlives_the_process() -> None:
    """With a durable store a message is done when it is kept, and its list goes on in the next run."""
    store, out = DurableStore(anyio.current_time), Sink()
    for items in ([1], [2]):
        source = Watched(items)
        async with running(from_(source, int).batch("rows", int, size=2).to(out), setup=setup_for(Run(), store=store)):
            await anyio.sleep(1)
        assert len(source.told) == 1
    assert out.bodies == [[1, 2]]


async def test_the_rest_may_go_on_at_a_stop() -> None:
    """With `at_stop="release"` nothing is left over."""
    out = Sink()
    await run_routes(from_(Feed([1, 2, 3]), int).batch("rows", int, size=2, at_stop="release").to(out))
    assert out.bodies == [[1, 2], [3]]


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 1, "wait": 0}, {"size": 1, "parallel": 0}])
def test_wrong_options(options: Any) -> None:
    """They are refused where they are written."""
    with pytest.raises(DefinitionError, match=r"must be (more than 0|1 or more)"):
        Flow[int]().batch("rows", int, **options)


def test_it_owns_its_state() -> None:
    """Tools see the name."""
    step = Batch[int](name="rows", body=int, size=2, wait=1.5)
    assert (step.state(), step.label) == ("rows", "batch(rows, size=2, wait=1.5)")


async def test_nothing_is_lost_wherever_it_crashes() -> None:
    """Every message is in a list, and a list that comes again is the same one."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).batch("rows", int, size=2, wait=5).to(outside.sink)

    def sound(outside: Outside) -> None:
        lists = {message.id: message.body for message in outside.sent}
        assert all(lists[message.id] == message.body for message in outside.sent)
        kept = [letter.body for letter in outside.letters]
        assert sorted({n for body in lists.values() for n in body} | set(kept)) == [1, 2, 3]
        assert not outside.waiting

    assert await every_crash(flow, lambda: Outside([1, 2, 3]), sound, patience=100.0) > 20
