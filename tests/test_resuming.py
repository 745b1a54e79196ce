"""Where a durable route can go on: a checkpoint that can have no effect is refused, and told why."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from routekit import Act, Flow, Policy, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed

DURABLE = Policy(durable="store")
Steps = Callable[[Flow[int]], Flow[Any]]


def on(flow: Flow[Any]) -> Flow[Any]:
    return flow


def point(flow: Flow[Any]) -> Flow[Any]:
    return flow.checkpoint("there", int)


def found(steps: Steps, policy: Policy | None = DURABLE) -> list[str]:
    flow = steps(from_(Feed(), int, policy=policy).log("x"))
    return [f"{problem.message}; {problem.hint}" for problem in check([flow.route("r")], Catalog())]


FINE: list[Steps] = [
    point,
    lambda flow: point(flow.filter(bool)),
    lambda flow: flow.choice().when(bool, point).otherwise(on).log("x"),
    lambda flow: point(flow.attempt(lambda body: body.log("y")).tap(lambda tap: tap.log("z"))),
]


@pytest.mark.parametrize("steps", FINE)
def test_a_checkpoint_on_the_line_of_a_durable_route_is_fine(steps: Steps) -> None:
    """Also in a branch that leads on."""
    assert found(steps) == []


WRONG: list[tuple[Steps, str]] = [
    (lambda flow: point(flow.split(lambda n: [n])), "there are only parts"),
    (lambda flow: point(flow.idempotent("seen", key=lambda n: n)), "notes the message as done"),
    (lambda flow: point(flow.delay("later", int, by=1.0)), "brings them again after a crash"),
    (lambda flow: flow.attempt(point), "stands inside attempt"),
    (lambda flow: flow.tap(point), "stands inside tap"),
    (lambda flow: flow.multicast(point, on), "stands inside multicast"),
    (lambda flow: flow.saga("s", int, [Act("a", do=point, undo=None)]), "stands inside saga"),
    (lambda flow: point(point(flow)), "there is one of that name"),
]


@pytest.mark.parametrize(("steps", "why"), WRONG)
def test_a_checkpoint_that_can_have_no_effect_is_refused(steps: Steps, why: str) -> None:
    """With the step that is in the way, and what to do."""
    (problem,) = found(steps)
    assert why in problem


def test_a_checkpoint_needs_a_journal() -> None:
    """From the route, its module or the settings."""
    (problem,) = found(point, None)
    assert "keeps no journal; give the route Policy(durable='store')" in problem
    route = point(from_(Feed(), int).log("x")).route("r")
    assert check([replace(route, module=DURABLE)], Catalog()) == []
    assert check([route], Catalog(), policy=DURABLE) == []


def test_a_checkpoint_at_the_start_is_refused() -> None:
    """The journal has the message already."""
    (problem,) = [str(problem) for problem in check([point(from_(Feed(), int, policy=DURABLE)).route("r")], Catalog())]
    assert "the message is in the journal already" in problem


def test_a_durable_route_gives_nothing_back() -> None:
    """Its source has been told: who wants that must not make it durable."""
    (problem,) = found(on, Policy(durable="store", dead_letter="refuse"))
    assert "cannot give messages back" in problem


def test_a_path_is_not_what_is_in_the_file() -> None:
    """A file may be moved as soon as its source is told."""
    flow = from_(Feed(), Path, policy=DURABLE).log("x")
    (problem,) = [str(problem) for problem in check([flow.route("r")], Catalog())]
    assert "the path of a file" in problem


def test_polling_in_the_middle_is_refused() -> None:
    """What is polled would be done before the journal knows of it."""
    (problem,) = found(lambda flow: flow.poll_enrich(Feed(), timeout=1.0, answer=int))
    assert "would be done before the journal knows" in problem
