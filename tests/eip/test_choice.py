"""The content-based router."""

import pytest

from routekit import DefinitionError, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def big(number: int) -> bool:
    return number > 10


async def test_the_first_branch_that_holds_takes_the_message_and_the_result_goes_on() -> None:
    """Branches are asked in their order, only one runs, and what it makes goes on after the choice."""
    sink = Sink()
    flow = (
        from_(Feed([5, 50, 500]), int)
        .choice()
        .when(lambda n: n > 100, lambda branch: branch.transform(lambda n: f"huge {n}"))
        .when(big, lambda branch: branch.transform(lambda n: f"big {n}"))
        .otherwise(lambda branch: branch.transform(lambda n: f"small {n}"))
        .transform(lambda text: text + "!")
        .to(sink)
    )
    await run_routes(flow)
    assert sink.bodies == ["small 5!", "big 50!", "huge 500!"]


async def test_later_predicates_are_not_asked() -> None:
    """Once a branch holds, the predicates after it are not called."""
    asked: list[int] = []
    flow = (
        from_(Feed([1]), int)
        .choice()
        .when(lambda n: True, lambda branch: branch)
        .when(lambda n: not asked.append(n), lambda branch: branch)
        .otherwise(lambda branch: branch)
    )
    await run_routes(flow)
    assert asked == []


async def test_a_failure_names_the_branch() -> None:
    """A dead letter says in which branch the failing step stands."""
    flow = (
        from_(Feed([0]), int)
        .choice()
        .when(lambda n: n == 0, lambda branch: branch.transform(lambda n: 1 / n))
        .otherwise(lambda branch: branch.transform(float))
    )
    run = await run_routes(flow)
    assert [letter.step for letter in run.letters] == ["when(n == 0) > transform(1 / n)"]


def test_a_branch_must_give_back_the_flow() -> None:
    """A branch that forgets to return is told so where it is written."""
    with pytest.raises(DefinitionError, match="a branch gives back the flow that it is given, found NoneType"):
        from_("timer:x", int).choice().when(lambda n: True, lambda branch: None)  # type: ignore[arg-type, return-value]


def test_a_branch_has_no_source_of_its_own() -> None:
    """A branch that starts another route is refused."""
    with pytest.raises(DefinitionError, match="no source of its own"):
        from_("timer:x", int).choice().when(lambda n: True, lambda branch: from_("timer:y", int))
