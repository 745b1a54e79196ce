"""timer:"""

from typing import Any

import anyio
import pytest

from routekit import BadOption, Flow, Logged, Store, from_
from routekit.endpoints.timer import Timer
from routekit.stores.memory import MemoryStore
from routekit.testing import Run, Sink, run_routes, running, setup_for

from ..crashing import DEATHS, DurableStore, Outside, every_crash, wall

pytestmark = pytest.mark.anyio


async def ticks(uri: str, takes: float = 0.0) -> list[tuple[int, float]]:
    """(body, second) of each tick."""
    seen: list[tuple[int, float]] = []
    start = anyio.current_time()

    async def work(n: int) -> None:
        seen.append((n, round(anyio.current_time() - start, 3)))
        await anyio.sleep(takes)

    await run_routes(from_(uri, int).transform(work))
    return seen


async def test_it_ticks_at_fixed_times() -> None:
    """The first tick comes after one interval; bodies count from 1."""
    assert await ticks("timer:t?every=10&repeat=3") == [(1, 10), (2, 20), (3, 30)]


async def test_work_does_not_shift_the_ticks() -> None:
    """The next tick is counted from the time of the last, not from its end."""
    assert await ticks("timer:t?every=10&repeat=3", takes=7) == [(1, 10), (2, 20), (3, 30)]


async def test_missed_ticks_are_left_out() -> None:
    """While a message is at work, its ticks pass; the next comes on time."""
    assert await ticks("timer:t?every=10&repeat=3", takes=25) == [(1, 10), (2, 40), (3, 70)]


@pytest.mark.parametrize(("delay", "first"), [("0", 0), ("3", 3), ("1m", 60)])
async def test_a_delay_before_the_first(delay: str, first: float) -> None:
    """Then one interval after the other."""
    assert await ticks(f"timer:t?every=10&repeat=2&delay={delay}") == [(1, first), (2, first + 10)]


async def test_it_ticks_for_ever() -> None:
    """Until the service stops, without drifting."""
    sink = Sink()
    async with running(from_("timer:t?every=0.1", int).to(sink)):
        await anyio.sleep(1000.05)
    assert len(sink.bodies) == pytest.approx(10_000, abs=1)


async def test_ticks_are_named() -> None:
    """Header and id tell the timer, and ids differ."""
    sink = Sink()
    await run_routes(from_("timer:hourly?every=1h&repeat=3", int).to(sink))
    assert {message.headers["timer.name"] for message in sink.messages} == {"hourly"}
    assert len({message.id for message in sink.messages}) == 3


@pytest.mark.parametrize(
    ("missed", "seen"),
    [
        ("skip", [(1, 10), (2, 40), (3, 70)]),
        ("once", [(1, 10), (2, 35), (3, 60)]),
        ("all", [(1, 10), (2, 35), (3, 60)]),
    ],
)
async def test_ticks_that_pass_during_work(missed: str, seen: list[tuple[int, float]]) -> None:
    """Are left out, or fired as soon as the route is free: one for all of them, or each."""
    assert await ticks(f"timer:t?every=10&repeat=3&missed={missed}", takes=25) == seen


async def test_all_that_were_missed_come_in_order() -> None:
    """Each by its own time, which is in its id."""
    sink = Sink()
    slow = iter([35.0])

    async def first_is_slow(number: int) -> int:
        await anyio.sleep(next(slow, 0.0))
        return number

    await run_routes(from_("timer:t?every=10&repeat=5&missed=all", int).transform(first_is_slow).to(sink))
    times = [float(message.id.removeprefix("t-")) for message in sink.messages]
    assert [round(time - times[0]) for time in times] == [0, 10, 20, 30, 40]


async def lives(uri: str, *seconds: float, store: Store | None = None) -> tuple[list[int], list[str], list[str]]:
    """The ticks of several lives of a service with one store, with 95 seconds between them: bodies, ids, log."""
    sink, run, kept = Sink(), Run(), store or DurableStore()
    for life in seconds:
        async with running(from_(uri, int).to(sink), setup=setup_for(run, store=kept, now=wall)):
            await anyio.sleep(life)
        await anyio.sleep(95.0)
    told = [event.text for event in run.events if isinstance(event, Logged)]
    return sink.bodies, [f"{float(one.id[2:]) - wall_zero(sink):.0f}" for one in sink.messages], told


def wall_zero(sink: Sink) -> float:
    return float(sink.messages[0].id[2:])


@pytest.mark.parametrize(
    ("missed", "times", "fired"),
    [
        ("skip", ["0", "10", "120", "130"], "none of them fired now"),
        ("once", ["0", "10", "110", "120", "130"], "1 of them fired now"),
        ("all&most=2", ["0", "10", "100", "110", "120", "130"], "2 of them fired now"),
    ],
)
async def test_what_was_missed_while_the_service_was_down(missed: str, times: list[str], fired: str) -> None:
    """Is told in the log, and fired as `missed` says; numbers go on, and so does the beat."""
    bodies, found, told = await lives(f"timer:t?every=10&missed={missed}", 25, 25)
    assert found == times
    assert bodies == list(range(1, len(times) + 1))
    assert len(told) == 1
    assert "missed 10 times since 1970-" in told[0]
    assert told[0].endswith(fired)


async def test_without_missed_nothing_is_kept() -> None:
    """A timer that does not ask for it costs the store nothing, and begins anew."""
    store = DurableStore()
    bodies, found, told = await lives("timer:t?every=10", 25, 25, store=store)
    assert (bodies, found, told) == ([1, 2, 1, 2], ["0", "10", "120", "130"], [])
    assert await store.marks("schedules").items() == []


async def test_a_store_in_memory_keeps_no_times() -> None:
    """It would forget them with the process; so the timer begins anew."""
    bodies, _, told = await lives("timer:t?every=10&missed=all", 25, 25, store=MemoryStore(wall))
    assert (bodies, told) == ([1, 2, 1, 2], [])


async def test_ticks_are_counted_over_restarts() -> None:
    """With `missed`, `repeat` is the number of ticks in all lives."""
    bodies, _, _ = await lives("timer:t?every=10&missed=skip&repeat=3", 25, 500, 500)
    assert bodies == [1, 2, 3]


async def test_a_clock_that_was_set_back_stops_nothing() -> None:
    """Times that lie in the future are those of another clock."""
    store = DurableStore()
    await store.marks("schedules").put("route-1 timer:t", f"{wall() + 1e6!r} 7")
    bodies, _, told = await lives("timer:t?every=10&missed=all", 25, store=store)
    assert (bodies, told) == ([8, 9], [])


async def test_no_tick_is_lost_by_a_crash() -> None:
    """Wherever the process dies, with missed=all each tick arrives, in this life or the next."""

    def flow(outside: Outside) -> Flow[int]:
        return from_("timer:t?every=60&missed=all", int).to(outside.sink)

    def check(outside: Outside) -> None:
        times = sorted({round(float(known_as[2:])) for known_as in outside.ids})
        assert times == list(range(times[0], times[0] + 60 * len(times), 60))
        assert len(times) >= 3

    assert await every_crash(flow, Outside, check, kinds=DEATHS, down=130.0, patience=200.0) > 10


@pytest.mark.parametrize(
    "options",
    [{"every": 0}, {"every": "soon"}, {"repeat": 0}, {"delay": -1}, {"evry": 1}, {"missed": "x"}, {"most": 0}],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    """Are refused with the name of the option."""
    with pytest.raises(BadOption, match=next(iter(options))):
        Timer.of("t", options)
