"""Simulation of routes in a test: they are crash-tested on twins of their endpoints, in virtual time."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from ..errors import LoadError
from ..flow import Flow
from ..loader import load
from ..plugins import Catalog
from ..route import Policy, Route
from ..simulate.report import Report
from ..simulate.running import Scene
from ..simulate.schedule import Schedule, kinds_of
from ..simulate.simulation import Simulation
from ..simulate.stage import Answers
from .runs import routes_of

Routes = Flow[Any] | Route | str | Path | Sequence[Flow[Any] | Route]


def simulate(
    routes: Routes,
    *,
    seeds: int | Iterable[int] = 100,
    time: float = 3600.0,
    inputs: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None,
    faults: Collection[str] | None = None,
    answers: Mapping[str, Callable[..., Any]] | None = None,
    messages: int = 6,
    policy: Policy | None = None,
    catalog: Catalog | None = None,
    schedule: str | None = None,
    fail_fast: bool = False,
) -> Report:
    """Crash-test routes: run them many times in virtual time, each time with other faults, and check what they promise.

    `routes` is a flow, a route, several, or a folder of route modules. Every endpoint outside of the process is a twin
    in memory. Each of the `seeds`, a number of them or the seeds themselves, is one run of `time` seconds at most.
    `inputs` are the bodies or messages that come from each source, by the name of the route or by address; without
    them `messages` bodies are made of the route's type for each. `answers` are functions of `(body)` or `(body,
    message)` that say what an endpoint answers, by pattern of its address. `faults` are those that may strike, all if
    unset: crash, connection, outage, slow, duplicate, late, clock.

    With `fail_fast` the first run that fails is the last one. `schedule` runs the first seed once, with the faults
    that a violation has printed, and no others.

    To be called where no event loop runs. Raises DefinitionError for routes that cannot work, or for a body type of
    which no bodies can be made.
    """
    _outside_of_loops()
    those = _routes(routes)
    scene = Scene(
        those,
        catalog or Catalog(),
        time=time,
        messages=messages,
        inputs=_inputs(inputs, those),
        answers=Answers.of(answers or {}),
        policy=policy or Policy(),
    )
    simulation = Simulation(scene, kinds_of(faults))
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if schedule is not None:
        return simulation.replay(Schedule.read(chosen[0], schedule))
    return simulation.run(chosen, fail_fast=fail_fast)


def _routes(routes: Routes) -> list[Route]:
    if isinstance(routes, str | Path):
        loaded = load(Path(routes))
        if loaded.problems:
            first = loaded.problems[0]
            raise LoadError(f"{first.place}: {first.message}", hint=first.hint)
        return list(loaded.routes)
    return routes_of(*([routes] if isinstance(routes, Flow | Route) else routes))


def _inputs(
    inputs: Mapping[str, Sequence[Any]] | Sequence[Any] | None, routes: Sequence[Route]
) -> dict[str, Sequence[Any]]:
    """By route or address; those of a `Feed` are its own."""
    fed: dict[str, Sequence[Any]] = {}
    for route in routes:
        items = getattr(route.source.endpoint, "items", None)
        if items is not None and not callable(items):
            fed[route.name] = list(items)
    if isinstance(inputs, Mapping):
        return {**fed, **inputs}
    return fed if inputs is None else {**fed, routes[0].name: list(inputs)}


def _outside_of_loops() -> None:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return
    raise RuntimeError("simulate() runs loops of its own: call it in a plain test, not in one that is async")
