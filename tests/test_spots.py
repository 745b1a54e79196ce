"""The steps of a route by number, and what stands around them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from routekit import Handler, Remedy, Runtime, Step, from_
from routekit.show import as_text
from routekit.spots import spots_of
from routekit.step import OWN, REST

from .test_show import EVERYTHING


@dataclass(frozen=True)
class Telling(Step[Any, Any]):
    """A stranger's step that says from where it was asked."""

    name: str

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        return proceed

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return [Remedy("retry", self.name, f"{kind.__name__} {within}")]


def test_numbers_are_those_of_show() -> None:
    """For every word: `show --numbers` and the spots call a step by the same number."""
    shown = dict(re.findall(r"[├└]─ (\d+) (.*)$", as_text(EVERYTHING, numbers=True), re.MULTILINE))
    assert shown == {str(spot.number): spot.label for spot in spots_of(EVERYTHING, set())[1:]}
    assert as_text(EVERYTHING, numbers=True).splitlines()[1] == f"0 {spots_of(EVERYTHING, set())[0].label}"


def test_steps_are_asked_from_the_inside() -> None:
    """The step itself, those before it whose rest it is, then the step around, and those before that."""
    route = (
        from_("timer:x")
        .then(Telling("a"))
        .attempt(lambda f: f.then(Telling("b")).then(Telling("c")))
        .then(Telling("d"))
        .route("r")
    )
    spots = {spot.number: spot for spot in spots_of(route, set())}
    assert [(one.scope, one.text) for one in spots[4].remedies(ValueError)] == [
        ("c", f"ValueError {OWN}"),
        ("b (3)", f"ValueError {REST}"),
        ("a (1)", f"ValueError {REST}"),
    ]
    assert [one.scope for one in spots[5].remedies(ValueError)] == ["d", "a (1)"]
    assert list(spots[0].remedies(ValueError)) == []


@pytest.mark.parametrize(
    ("line", "behind"), [(True, ["3 log('3')", "4 log('4')"]), (False, ["4 log('4')", "4 log('4')"])]
)
def test_what_is_behind_a_step(line: bool, behind: list[str]) -> None:
    """On the line the next step; in a branch that is a part of its step, what is behind that."""
    route = from_("timer:x").tap(lambda f: f.log("2").log("3")).log("4").route("r")
    (tap, _) = route.chain.steps
    ((_, branch),) = tap.branches()
    spots = spots_of(route, {id(branch)} if line else set())
    assert [spot.behind for spot in spots[2:4]] == behind
    assert (spots[0].behind, spots[1].behind, spots[4].behind) == (None, "4 log('4')", "the end of the route")
