"""validate"""

from typing import Any

import pytest

from routekit import Policy, Retry, from_
from routekit.eip.validate import Validate
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def positive(n: int) -> bool:
    return n > 0


def raising(n: int) -> None:
    raise ValueError("too bad")


async def reason_for(*rules: Any, body: Any = -1) -> str | None:
    feed, sink = Feed([body]), Sink()
    run = await run_routes(from_(feed, policy=Policy(retry=Retry(3))).validate(*rules).to(sink))
    assert len(sink.bodies) + len(run.letters) == 1
    assert all(letter.error == "Invalid" and letter.attempts == 1 for letter in run.letters)
    return run.letters[0].reason if run.letters else None


@pytest.mark.parametrize("rule", [lambda n: None, lambda n: True, lambda n: "", list, lambda n, m: m.body == n])
async def test_a_rule_that_holds(rule: Any) -> None:
    """None, True, an empty text and no reasons mean that a rule holds."""
    assert await reason_for(rule, body=()) is None


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (positive, "rule positive does not hold"),
        (lambda n: "is negative", "is negative"),
        (lambda n: ["one", "two"], "one; two"),
        (raising, "too bad"),
        (lambda n, message: f"{message.body} is bad", "-1 is bad"),
    ],
)
async def test_a_rule_that_does_not_hold(rule: Any, reason: str) -> None:
    """False, a reason, reasons or a ValueError mean that it does not; the message is rejected and not retried."""
    assert await reason_for(rule) == reason


async def test_all_reasons_are_given_at_once() -> None:
    """Later rules are asked although an earlier one does not hold."""
    assert await reason_for(positive, raising, lambda n: None, lambda n: "third") == (
        "rule positive does not hold; too bad; third"
    )


async def test_an_async_rule_is_awaited() -> None:
    """A rule may ask somebody."""

    async def ask(n: int) -> str:
        return "no"

    assert await reason_for(ask) == "no"


async def test_what_is_no_verdict_is_an_error() -> None:
    """A number is neither a reason nor a truth."""
    run = await run_routes(from_(Feed([1])).validate(lambda n: 1))
    assert run.letters[0].error == "TypeError"
    assert "found int" in run.letters[0].reason


def test_its_label_names_the_rules() -> None:
    """In their order."""
    assert Validate((positive, raising)).label == "validate(positive, raising)"


async def test_a_rule_that_fails_otherwise_is_not_a_reason() -> None:
    """An error that is no ValueError is a bug in the rule, and is told as itself."""
    run = await run_routes(from_(Feed([1]), int).validate(lambda n: {}[n]))
    assert [letter.error for letter in run.letters] == ["KeyError"]
