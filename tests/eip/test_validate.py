"""validate"""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import DefinitionError, JsonSchema, Policy, Retry, from_
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


@dataclass(frozen=True)
class Order:
    id: int
    customer: str


async def test_a_type_is_a_rule() -> None:
    """All that does not fit is told at once, with the fields; the body goes on as it came."""
    assert await reason_for(Order, body={"id": "x"}) == (
        "id: input should be a valid integer, unable to parse string as an integer, found 'x'; customer: field required"
    )
    sink = Sink()
    await run_routes(from_(Feed([{"id": "1", "customer": "ann"}])).validate(Order).to(sink))
    assert sink.bodies == [{"id": "1", "customer": "ann"}]


async def test_a_schema_is_a_rule_beside_others() -> None:
    """The reasons of all rules are told together."""
    schema = JsonSchema({"properties": {"id": {"type": "integer"}}, "required": ["customer"]})
    reason = await reason_for(schema, lambda body: "no good", body={"id": "x"})
    assert reason == "/id: 'x' is not of type 'integer'; 'customer' is a required property; no good"


def test_what_is_no_rule_is_told_at_once() -> None:
    """A text is none, nor is a function of three."""
    with pytest.raises(DefinitionError, match="found 'total > 0'"):
        from_(Feed([])).validate("total > 0")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"\(body\) or \(body, message\)"):
        from_(Feed([])).validate(lambda a, b, c: True)  # type: ignore[arg-type]


def test_its_label_names_types_and_schemas() -> None:
    """By their names."""
    flow = from_(Feed([])).validate(Order, list[int], JsonSchema(True))
    assert flow.chain.steps[0].label == "validate(Order, list[int], JsonSchema)"
