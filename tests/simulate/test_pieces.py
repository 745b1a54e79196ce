"""The pieces of which simulation is made: loop, schedules, lineage, bodies, shrinking."""

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, Field

from routekit import DefinitionError
from routekit.simulate.bodies import Bodies
from routekit.simulate.lineage import Lineage
from routekit.simulate.loop import NoNetwork, SimLoop
from routekit.simulate.schedule import DEATHS, KINDS, Drawn, Fault, Kind, Schedule
from routekit.simulate.shrinking import Shrinker


def woken(order: Random | None) -> list[int]:
    """The order in which tasks end that wait for the same moment."""
    ended: list[int] = []

    async def wait(number: int) -> None:
        await anyio.sleep(1)
        ended.append(number)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(wait, number)

    loop = SimLoop(order=order)
    task = loop.create_task(main())
    assert loop.run(until=10, done=task.done) == "done"
    assert loop.time() == 1
    return ended


def test_tasks_run_in_an_order_of_the_seed() -> None:
    """Without a seed they keep their order; each seed has one of its own, always the same."""
    assert woken(None) == [0, 1, 2, 3, 4, 5]
    assert woken(Random(1)) == woken(Random(1))
    assert len({tuple(woken(Random(seed))) for seed in range(8)}) > 4


def test_nothing_runs_after_the_halt() -> None:
    """A loop that is halted stops before the next step; what is buried has its tasks ended, and takes no time."""
    steps: list[str] = []
    loop = SimLoop()

    async def other() -> None:
        steps.append("other")

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            steps.append("halt")
            loop.halt()
            await anyio.sleep(1)
            steps.append("never")

    loop.create_task(main())
    assert loop.run(until=10, done=lambda: False) == "halted"
    loop.bury()
    assert steps == ["halt"]
    assert loop.time() == 0


def test_tasks_that_keep_each_other_awake_are_noticed() -> None:
    """A task that never waits for anything ends the run."""

    async def main() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    loop = SimLoop()
    loop.create_task(main())
    assert loop.run(until=10, done=lambda: False) == "busy"
    loop.bury()


def test_a_thread_does_its_work_within_one_step() -> None:
    """No time passes, and no other task runs, while a worker thread is at work."""
    loop = SimLoop()

    async def main() -> float:
        with anyio.fail_after(0.01):
            await anyio.to_thread.run_sync(time.sleep, 0.05)
        return anyio.current_time()

    task = loop.create_task(main())
    assert loop.run(until=10, done=task.done) == "done"
    assert task.result() == 0


def test_a_connection_is_refused_in_words() -> None:
    """A function that opens a connection is told that it is simulated."""
    loop = SimLoop()
    task = loop.create_task(anyio.connect_tcp("127.0.0.1", 9))
    loop.run(until=10, done=task.done)
    with pytest.RaisesGroup(NoNetwork):
        task.result()


faults = st.builds(
    Fault,
    st.sampled_from(sorted(KINDS)),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1).map(str.strip).filter(bool),
    st.integers(1, 99),
    st.just(0.0),
)


@given(
    st.lists(faults, max_size=4),
    st.one_of(st.none(), st.lists(st.sampled_from(["a1", "b2"]), min_size=1)),
    st.booleans(),
)
def test_a_schedule_reads_what_it_writes(struck: list[Fault], inputs: list[str] | None, shuffled: bool) -> None:
    """Whatever operations are called, a schedule comes back as it was."""
    schedule = Schedule(7, tuple(struck), None if inputs is None else tuple(inputs), shuffled)
    assert Schedule.read(7, str(schedule)) == schedule


def test_amounts_are_written() -> None:
    """How long something takes is part of a schedule."""
    fault = Fault("slow", "send mock:erp a1", 2, 20.0)
    assert str(fault) == "slow(20) send mock:erp a1 #2"
    assert Fault.read(str(fault)) == fault


def test_what_is_no_schedule_is_refused() -> None:
    """A text that says nothing is an error that says what could be written."""
    with pytest.raises(DefinitionError, match="no fault of a schedule"):
        Schedule.read(1, "explode now")


def test_faults_are_drawn_within_their_budget() -> None:
    """No more than were meant, and only of the kinds that may strike there."""
    for seed in range(50):
        drawn = Drawn(Random(seed), DEATHS, operations=20)
        for number in range(200):
            drawn.fate(f"operation {number}", 1, ("dies before", "slow"))
        assert len(drawn.struck) <= 6
        assert {fault.kind for fault in drawn.struck} <= {"dies before"}


def test_a_message_is_traced_through_parts_and_groups() -> None:
    """A part of a group of parts leads back to the messages from outside, under their first ids."""
    lineage = Lineage()
    lineage.arrivals |= {"a1", "a2"}
    lineage.alias("a2~2", "a2")
    lineage.joined("pairs#1", "a1/0")
    lineage.joined("pairs#1", "a2~2")
    lineage.joined("all#1", "pairs#1/3")
    assert list(lineage.leaves("a1/0/x")) == [("a1", "/0/x", False)]
    assert list(lineage.leaves("all#1/7")) == [("a1", "/0", True), ("a2", "", True)]
    assert lineage.roots("stranger") == frozenset()


class Kind_(Enum):
    small = "s"
    big = "b"


class Line(BaseModel):
    sku: str = Field(min_length=12, max_length=20)
    quantity: int = Field(gt=3, le=9)
    share: Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class Order:
    id: int
    email: str
    lines: list[Line]
    kind: Kind_
    way: Literal["sea", "air"]
    at: AwareDatetime
    price: Decimal
    note: str | None = None


@pytest.mark.parametrize(
    "kind", [Order, int, str, bytes, float, dict[str, int], list[Line], tuple[int, str], int | None, datetime, None]
)
def test_bodies_are_of_their_type(kind: Any) -> None:
    """Of each type that can be read there are bodies, the same for the same seed, and told apart by what names them."""
    bodies = Bodies(kind)
    made = [bodies.make(number, Random(number)) for number in range(1, 6)]
    assert made == [bodies.make(number, Random(number)) for number in range(1, 6)]
    if kind is Order:
        assert len({order.email for order in made}) == 5
        assert all(isinstance(order, Order) for order in made)


def test_a_type_that_is_too_choosy_is_told() -> None:
    """Bodies that cannot be guessed are asked of the user."""

    class Choosy(BaseModel):
        word: str = Field(pattern="^[0-9]{40}$")

    with pytest.raises(DefinitionError, match="no bodies of type Choosy") as caught:
        Bodies(Choosy).make(1, Random(1))
    assert "inputs" in (caught.value.hint or "")


def test_shrinking_finds_the_least_that_fails() -> None:
    """Of many faults and messages those two are left without which nothing fails."""
    kinds: list[Kind] = ["dies before", "slow", "again", "away"]
    many = tuple(Fault(kind, f"operation {number}") for number in range(5) for kind in kinds)
    needed = {many[3], many[16]}

    def fails(schedule: Schedule) -> bool:
        return needed <= set(schedule.faults) and (schedule.inputs is None or "a4" in schedule.inputs)

    shrinker = Shrinker(fails)
    least = shrinker.shrunk(Schedule(1, many), [f"a{number}" for number in range(9)])
    assert set(least.faults) == needed
    assert least.inputs == ("a4",)
    assert not least.shuffled
    assert shrinker.runs < 150
