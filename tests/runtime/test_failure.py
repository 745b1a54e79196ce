"""Every failure names the step that raised it and the line on which that step was written."""

from collections.abc import Callable
from inspect import getmodule as module_of
from inspect import getsource
from typing import Any

import pytest

from routekit import Flow, from_
from routekit.place import Place
from routekit.runtime.failure import failure_of, observed
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def broken(body: int) -> int:
    raise ValueError("broken")


async def broken_later(body: int) -> int:
    raise ValueError("broken")


def through(later: bool) -> Callable[[Any], Any]:
    return (lambda body: broken_later(body)) if later else broken


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("word", "label"),
    [
        (lambda flow, function: flow.transform(function), "transform("),
        (lambda flow, function: flow.filter(function), "filter("),
        (lambda flow, function: flow.set_header("x", function), "set_header(x)"),
        (lambda flow, function: flow.validate(lambda body: 1 // 0), "validate("),
        (lambda flow, function: flow.log(function), "log("),
        (lambda flow, function: flow.idempotent("seen", key=function), "idempotent(seen)"),
        (lambda flow, function: flow.split(lambda body: [broken(1)]), "split("),
        (lambda flow, function: flow.choice().when(function, lambda f: f).otherwise(lambda f: f), "choice"),
        (lambda flow, function: flow.tap(lambda f: f.transform(function)), "tap > transform("),
        (lambda flow, function: flow.attempt(lambda f: f.transform(function)), "attempt > transform("),
        (lambda flow, function: flow.gather(lambda b: [b], lambda f: f.transform(function)), "each > transform("),
        (lambda flow, function: flow.to(Sink(fail={1: ValueError("away")})), "to sink:"),
    ],
)
async def test_the_failing_step_is_named(word: Callable[..., Flow[Any]], label: str, later: bool) -> None:
    """The letter names the step that failed, plain or async, not one before or after it."""
    flow = from_(Feed([1]), int).to(Sink()).transform(lambda n: n)
    run = await run_routes(word(flow, through(later)).transform(lambda n: n).to(Sink()))
    assert [letter.step.startswith(label) for letter in run.letters] == [True], run.letters[0].step


async def test_the_place_is_the_line_of_the_step() -> None:
    """The letter's place is the author's file and the line of the word, also in the middle of a chain."""
    flow = (
        from_(Feed([1]), int)
        .transform(lambda n: n)
        .transform(broken)  # this line
        .to(Sink())
    )
    run = await run_routes(flow)
    lines = getsource(module_of(test_the_place_is_the_line_of_the_step)).splitlines()
    number = 1 + next(n for n, line in enumerate(lines) if line.endswith("# this line"))
    assert run.letters[0].place.endswith(f"test_failure.py:{number}")


async def test_the_error_says_where_it_happened() -> None:
    """A note on the error names route, step and place, once."""
    feed = Feed([1])
    run = await run_routes(bad=from_(feed, int).tap(lambda f: f.transform(broken_later)))
    assert run.letters[0].step == "tap > transform(broken_later)"
    error = ValueError()

    async def handler(message: Any) -> None:
        raise error

    for name in ("inner", "outer"):
        with pytest.raises(ValueError):  # noqa: PT011 - it is our own
            await observed(handler, "route", name, Place("f.py", 3))(None)  # type: ignore[arg-type]
    assert error.__notes__ == ["in route route, step inner (f.py:3)"]
    failure = failure_of(error)
    assert failure is not None
    assert (failure.route, failure.step, failure.place) == ("route", "inner", Place("f.py", 3))


async def test_an_error_with_slots_goes_unmarked() -> None:
    """An exception that takes no attributes is raised as it is."""

    class Tight(Exception):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    def tight(body: int) -> int:
        raise Tight

    run = await run_routes(from_(Feed([1]), int).transform(tight))
    assert [(letter.error, letter.step) for letter in run.letters] == [("Tight", "source")]


async def test_an_error_of_the_source_names_the_source() -> None:
    """A body that does not fit failed at the source, on the line of `from_`."""
    run = await run_routes(from_(Feed(["x"]), int))
    assert run.letters[0].step == "source"
    assert "test_failure.py:" in run.letters[0].place
