"""Rules over bodies."""

import pytest

from routekit import Policy, Retry, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def positive(number: int) -> str | None:
    return None if number > 0 else f"{number} is not positive"


def even(number: int) -> None:
    if number % 2:
        raise ValueError("odd")


async def small(number: int) -> list[str]:
    return ["too big", "by far"] if number > 100 else []


async def test_all_broken_rules_are_named_at_once() -> None:
    """A message that breaks several rules is refused with every reason, in the order of the rules."""
    run = await run_routes(from_(Feed([-101]), int).validate(positive, even, lambda n: n > -50))
    (letter,) = run.letters
    assert letter.error == "Invalid"
    assert letter.reason == "-101 is not positive; odd; rule n > -50 does not hold"


@pytest.mark.parametrize(("body", "reason"), [(102, "too big; by far"), (3, "odd")])
async def test_reasons_come_as_text_as_list_and_as_value_error(body: int, reason: str) -> None:
    """A rule says what is wrong by a text, by several, or by raising ValueError."""
    run = await run_routes(from_(Feed([body]), int).validate(positive, even, small))
    assert [letter.reason for letter in run.letters] == [reason]


async def test_what_holds_goes_on_unchanged() -> None:
    """A message that keeps all rules goes on."""
    sink = Sink()
    await run_routes(from_(Feed([2]), int).validate(positive, even, small, lambda n: True).to(sink))
    assert sink.bodies == [2]


async def test_a_broken_rule_is_not_retried() -> None:
    """What is invalid stays invalid: no retry is spent on it."""
    run = await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(3))).validate(even))
    assert run.counts["route-1"].retried == 0


async def test_a_rule_that_fails_otherwise_is_not_a_reason() -> None:
    """An error that is no ValueError is a bug in the rule, and is told as itself."""
    run = await run_routes(from_(Feed([1]), int).validate(lambda n: {}[n]))
    assert [letter.error for letter in run.letters] == ["KeyError"]


async def test_a_rule_that_answers_with_something_else_is_told() -> None:
    """A rule that gives neither a verdict nor reasons is refused rather than taken for true."""
    run = await run_routes(from_(Feed([1]), int).validate(lambda n: n))
    assert [letter.error for letter in run.letters] == ["TypeError"]
