"""debounce"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import DefinitionError, Flow, from_
from routekit.eip.debounce import Debounce
from routekit.testing import Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, Outside, every_crash
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio


async def test_only_the_last_of_a_burst_goes_on() -> None:
    """Once it has been quiet; the message is the last one itself, with its id."""
    out = Sink()
    source = Trickle(items=[(0, "a"), (1, "ab"), (2, "abc"), (30, "x")])
    await run_routes(from_(source, str).debounce("typing", str, quiet=5).to(out))
    assert out.bodies == ["abc", "x"]
    assert [message.id for message in out.messages] == ["trickle-2", "trickle-3"]


async def test_keys_are_quiet_on_their_own() -> None:
    """A message of one key does not put off those of another."""
    out = Sink()
    source = Trickle(items=[(0, ("a", 1)), (1, ("b", 1)), (2, ("b", 2))])
    flow = from_(source).debounce("typing", tuple[str, int], quiet=1.5, key=lambda pair: pair[0])
    await run_routes(flow.to(out))
    assert out.bodies == [("a", 1), ("b", 2)]


async def test_it_does_not_wait_for_ever() -> None:
    """`longest` counts from the first message of a burst that does not end."""
    out = Sink()
    source = Trickle(items=[(n * 1.0, n) for n in range(20)])
    await run_routes(from_(source, int).debounce("busy", int, quiet=2, longest=4.5).to(out))
    assert out.bodies == [4, 9, 14, 19]


async def test_a_message_that_another_replaced_is_done() -> None:
    """It is acknowledged at once, the last one when it has gone on."""
    source = Watched([1, 2])
    async with running(from_(source, int).debounce("d", int, quiet=5).to(Sink())):
        await anyio.sleep(1)
        assert source.told == [("ack", "m1")]
        await anyio.sleep(5)
        assert source.told == [("ack", "m1"), ("ack", "m2")]


async def test_the_last_outlives_the_process() -> None:
    """With a durable store it goes on after a restart, as soon as it is due."""
    store, out = DurableStore(anyio.current_time), Sink()
    for items in ([1, 2], []):
        flow = from_(Watched(items), int).debounce("d", int, quiet=5).to(out)
        async with running(flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
            await anyio.sleep(3)
    assert out.bodies == [2]


@pytest.mark.parametrize("options", [{"quiet": 0}, {"quiet": 1, "longest": 0}, {"quiet": 1, "most": 0}])
def test_wrong_options(options: Any) -> None:
    """They are refused where they are written."""
    with pytest.raises(DefinitionError, match=r"must be (more than 0|1 or more)"):
        Flow[int]().debounce("d", int, **options)


def test_it_owns_its_state() -> None:
    """Tools see the name."""
    step = Debounce[int](name="d", body=int, quiet=0.5)
    assert (step.state(), step.label) == ("d", "debounce(d, quiet=0.5)")


async def test_the_last_is_not_lost_wherever_it_crashes() -> None:
    """The last message of the burst goes on, or is a dead letter; none comes after it."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).debounce("d", int, quiet=5).to(outside.sink)

    def sound(outside: Outside) -> None:
        assert 3 in outside.bodies or 3 in [letter.body for letter in outside.letters]
        assert not outside.waiting

    assert await every_crash(flow, lambda: Outside([1, 2, 3]), sound, patience=100.0) > 10


@settings(max_examples=60)
@given(some.lists(some.sampled_from([0.5, 1.0, 3.0, 7.0]), min_size=1, max_size=12), some.sampled_from([None, 4.2]))
async def test_any_schedule_lets_through_what_a_plain_oracle_does(waits: list[float], longest: float | None) -> None:
    """A message goes on if nothing came within the quiet time after it, or the burst had lasted too long."""
    times = [sum(waits[: n + 1]) + n * 0.001 for n in range(len(waits))]
    source, out = Trickle(items=[(at, n) for n, at in enumerate(times)]), Sink()
    await run_routes(from_(source, int).debounce("d", int, quiet=2, longest=longest).to(out))
    expected, first = list[int](), None
    for number, at in enumerate(times):
        first = at if first is None else first
        due = min(at + 2, at + 2 if longest is None else first + longest)
        if number + 1 == len(times) or times[number + 1] > due:
            expected.append(number)
            first = None
    assert out.bodies == expected
