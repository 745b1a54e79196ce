"""choice"""

from typing import Any

import pytest

from routekit import DefinitionError, Message, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def is_two(n: int) -> bool:
    return n == 2


async def test_the_first_branch_that_fits_takes_the_message() -> None:
    """Predicates are asked in order, and only one branch runs."""
    asked: list[str] = []

    def asking(name: str, verdict: Any) -> Any:
        return lambda n: asked.append(name) or verdict(n)

    one, two, three = Sink(), Sink(), Sink()
    flow = (
        from_(Feed([1, 2, 3]), int)
        .choice()
        .when(asking("a", lambda n: n == 1), lambda f: f.to(one))
        .when(asking("b", lambda n: n <= 2), lambda f: f.to(two))
        .otherwise(lambda f: f.to(three))
    )
    await run_routes(flow)
    assert (one.bodies, two.bodies, three.bodies) == ([1], [2], [3])
    assert asked == ["a", "a", "b", "a", "b"]


async def test_what_a_branch_gives_goes_on() -> None:
    """After the choice the route continues with the branch's body."""
    sink = Sink()
    flow = from_(Feed([1, 2]), int).choice().when(is_two, lambda f: f.transform(lambda n: "two"))
    await run_routes(flow.otherwise(lambda f: f.transform(str)).to(sink))
    assert sink.bodies == ["1", "two"]


async def test_a_predicate_may_take_the_message() -> None:
    """Plain or async, with body or with body and message."""
    sink = Sink()
    flow = from_(Feed([Message(1, {"vip": True})]), int).choice()
    await run_routes(flow.when(lambda n, m: m.headers["vip"], lambda f: f.to(sink)).otherwise(lambda f: f))
    assert sink.bodies == [1]


async def test_what_follows_a_choice_fails_on_its_own() -> None:
    """No other branch is tried when something later fails."""
    tried: list[int] = []
    flow = (
        from_(Feed([1]), int)
        .choice()
        .when(lambda n: True, lambda f: f)
        .otherwise(lambda f: f.transform(lambda n: tried.append(n) or n))
    )
    run = await run_routes(flow.transform(lambda n: 1 // 0))
    assert tried == []
    assert len(run.letters) == 1


def test_a_branch_gives_back_a_flow() -> None:
    """An unfinished choice, a source, or nothing is no branch."""
    flow: Any = from_("timer:x").choice()
    with pytest.raises(DefinitionError, match=r"when: a branch gives back the flow.*close a choice with otherwise"):
        flow.when(bool, lambda f: f.choice())
    with pytest.raises(DefinitionError, match="found NoneType"):
        flow.when(bool, lambda f: None)
    with pytest.raises(DefinitionError, match="no source of its own"):
        flow.when(bool, lambda f: from_("timer:y"))


def test_its_branches_can_be_drawn() -> None:
    """Each with the name of its predicate."""
    flow = from_("timer:x").choice().when(is_two, lambda f: f.stop()).otherwise(lambda f: f)
    (step,) = flow.chain.steps
    assert [name for name, _ in step.branches()] == ["when is_two", "otherwise"]
    assert step.label == "choice"


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
