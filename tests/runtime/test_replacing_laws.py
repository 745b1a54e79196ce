"""Random edits of routes under traffic: every message is done once, and no call fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Flow, Policy, Route, from_
from routekit.testing import Inlet, Run, Sink, routes_of, running, setup_for

pytestmark = pytest.mark.anyio

OUTER = ("a", "b", "c")
INNER = {"direct": "direct:x", "queue": "queue:q"}


@dataclass(frozen=True)
class Written:
    """A route as it is written at some time: another `version` is other code, and nothing else."""

    version: int
    seconds: int
    slots: int
    to: str = ""

    def flow(self, source: Any, sink: Sink) -> Flow[Any]:
        version, seconds = self.version, self.seconds

        async def work(body: Any) -> Any:
            await anyio.sleep(seconds)
            return (body, version)[0]

        flow = from_(source, policy=Policy(concurrency=self.slots)).transform(work)
        return flow.to(INNER[self.to]) if self.to else flow.to(sink)


@dataclass(frozen=True)
class Edit:
    """What all routes are from now on, what comes before that, and the seconds until the next edit."""

    outer: dict[str, Written]
    inner: dict[str, Written]
    given: Sequence[str]
    wait: float

    def routes(self, inlets: dict[str, Inlet], sink: Sink) -> list[Route]:
        needed = {written.to for written in self.outer.values()}
        flows = {name: written.flow(inlets[name], sink) for name, written in self.outer.items()}
        flows |= {name: one.flow(INNER[name], sink) for name, one in self.inner.items() if name in needed}
        return routes_of(**flows)


def written(to: st.SearchStrategy[str]) -> st.SearchStrategy[Written]:
    return st.builds(Written, st.integers(1, 3), st.sampled_from([0, 1, 5]), st.integers(1, 3), to)


def edits() -> st.SearchStrategy[Edit]:
    targets = st.sampled_from(["", *INNER])
    return st.builds(
        Edit,
        st.dictionaries(st.sampled_from(OUTER), written(targets), min_size=1),
        st.fixed_dictionaries({name: written(st.just("")) for name in INNER}),
        st.lists(st.sampled_from(OUTER), max_size=5),
        st.sampled_from([0.0, 0.5, 3.0, 20.0]),
    )


@settings(max_examples=60)
@given(st.lists(edits(), min_size=2, max_size=6))
async def test_nothing_is_lost_and_nothing_is_had_twice(plan: list[Edit]) -> None:
    """Whatever is exchanged, moved, taken out and brought back while messages are at work."""
    inlets, sink, run = {name: Inlet() for name in OUTER}, Sink(), Run()
    acknowledged: list[int] = []
    numbers = 0

    async def give(name: str, number: int) -> None:
        await inlets[name].give(number, id=f"m{number}")
        acknowledged.append(number)

    async def replace(routes: list[Route]) -> None:
        await service.replace(routes)

    everything = Edit(
        {name: Written(9, 0, 3) for name in OUTER}, {name: Written(9, 0, 3) for name in INNER}, [], 1000.0
    )
    async with running(*plan[0].routes(inlets, sink), setup=setup_for(run, drain=5)) as service:
        async with anyio.create_task_group() as tasks:
            for edit in [*plan, everything]:
                for name in edit.given:
                    tasks.start_soon(give, name, numbers)
                    numbers += 1
                await anyio.sleep(edit.wait / 2)
                tasks.start_soon(replace, edit.routes(inlets, sink))
                await anyio.sleep(edit.wait / 2)
        assert sorted(acknowledged) == list(range(numbers))
        assert sorted(sink.bodies) == list(range(numbers))
        assert {runner.route.name: runner.state for runner in service.runners} == dict.fromkeys(OUTER, "running")
        assert not any(counts.dead or counts.refused or counts.in_flight for counts in service.counts().values())
