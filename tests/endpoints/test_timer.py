"""timer:"""

from typing import Any

import anyio
import pytest

from routekit import BadOption, from_
from routekit.endpoints.timer import Timer
from routekit.testing import Sink, run_routes, running

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


@pytest.mark.parametrize("options", [{"every": 0}, {"every": "soon"}, {"repeat": 0}, {"delay": -1}, {"evry": 1}])
def test_wrong_options(options: dict[str, Any]) -> None:
    """Are refused with the name of the option."""
    with pytest.raises(BadOption, match=next(iter(options))):
        Timer.of("t", options)
