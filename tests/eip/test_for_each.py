"""for_each"""

from collections.abc import Generator
from typing import Any

import anyio
import pytest

from routekit import Message, Tally, from_
from routekit.events import Progress
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio


def itself(body: Any) -> Any:
    return body


@pytest.mark.parametrize("parallel", [1, 4])
async def test_the_tally_goes_on(parallel: int) -> None:
    """Done, ended and failed parts are counted, with the seconds that it took."""

    async def work(n: int) -> float:
        await anyio.sleep(1)
        return 1 / n

    sink = Sink()
    flow = from_(Feed([Message([1, 0, 2, 3], {"h": 1}, "m")]), list).for_each(
        itself, lambda f: f.filter(lambda n: n != 3).transform(work), parallel=parallel, on_error="dead_letter_items"
    )
    run = await run_routes(flow.to(sink))
    ((tally),) = sink.bodies
    assert tally == Tally(total=4, done=2, ended=1, failed=1, seconds=pytest.approx(3 if parallel == 1 else 1))
    assert (sink.messages[0].id, sink.messages[0].headers) == ("m", {"h": 1})
    assert len(run.letters) == 1


async def test_a_failing_part_fails_the_message() -> None:
    """Unless said otherwise no tally goes on."""
    sink = Sink()
    await run_routes(from_(Feed([[1, 0]]), list).for_each(itself, lambda f: f.transform(lambda n: 1 // n)).to(sink))
    assert sink.bodies == []


async def test_results_are_not_kept() -> None:
    """Memory does not grow: no result lives longer than its part."""
    import gc
    import weakref

    class Big:
        pass

    alive: list[Any] = []
    most = [0]

    def big(n: int) -> Big:
        made = Big()
        alive.append(weakref.ref(made))
        most[0] = max(most[0], sum(ref() is not None for ref in alive))
        return made

    gc.disable()
    try:
        await run_routes(from_(Feed([range(50)])).for_each(itself, lambda f: f.transform(big)))
    finally:
        gc.enable()
    assert len(alive) == 50
    assert most[0] <= 3


async def test_progress_is_told_at_most_twice_a_second() -> None:
    """For what takes long; the last says that it is finished."""

    async def work(n: int) -> None:
        await anyio.sleep(0.01)

    run = Run()
    feed = Feed([Message(range(1000), {"file.name": "a.csv"}, "m")])
    await run_routes(from_(feed).for_each(itself, lambda f: f.transform(work)), setup=setup_for(run))
    told = run.of(Progress)
    assert 5 <= len(told) <= 21
    assert {(event.name, event.unit) for event in told} == {("a.csv", "parts")}
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert (told[-1].done, told[-1].total, told[-1].finished) == (1000, 1000, True)
    assert not any(event.finished for event in told[:-1])


async def test_short_work_tells_no_progress() -> None:
    """A few parts need no bar."""
    run = Run()
    await run_routes(from_(Feed([range(500)])).for_each(itself, lambda f: f), setup=setup_for(run))
    assert run.of(Progress) == []


async def test_parts_that_never_wait_let_others_run() -> None:
    """A million plain parts do not starve another route."""
    other = Sink()

    def until_other(_: Any) -> Generator[int]:
        n = 0
        while not other.bodies:
            n += 1
            yield n

    await run_routes(from_(Feed([0])).for_each(until_other, lambda f: f), from_(Feed([1]), int).to(other))
    assert other.bodies == [1]


def test_its_label() -> None:
    """With what was changed."""
    flow: Any = from_("timer:x")
    assert flow.for_each(itself, lambda f: f, parallel=3).chain.steps[0].label == "for_each(parallel=3)"
