"""normalize"""

from dataclasses import dataclass
from typing import Any, TypedDict

import anyio
import pytest

from routekit import DefinitionError, Message, Policy, Retry, from_
from routekit.eip.normalize import Normalize
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Order:
    id: int
    customer: str


class Row(TypedDict):
    id: int


def is_shop(row: Any) -> bool:
    return "order_no" in row


def from_shop(row: Any) -> Order:
    return Order(row["order_no"], row["who"])


async def normalized(*bodies: Any, forms: Any, **options: Any) -> Any:
    sink = Sink()
    flow = from_(Feed(bodies), policy=Policy(retry=Retry(2))).normalize(Order, *forms, **options).to(sink)
    run = await run_routes(flow)
    return sink.bodies, run.letters


async def test_each_form_has_its_function() -> None:
    """A predicate or a class says which; the result is one type."""
    forms = [(is_shop, from_shop), (tuple, lambda pair: Order(*pair))]
    bodies, letters = await normalized({"order_no": 1, "who": "ann"}, (2, "bob"), forms=forms)
    assert bodies == [Order(1, "ann"), Order(2, "bob")]
    assert letters == []


async def test_the_first_form_counts() -> None:
    """Forms are asked in their order."""
    forms = [(lambda body: True, lambda body: Order(1, "first")), (dict, lambda body: Order(2, "second"))]
    assert (await normalized({}, forms=forms))[0] == [Order(1, "first")]


async def test_the_result_is_checked() -> None:
    """A function may give plain data; what does not fit is rejected."""
    forms = [(dict, lambda row: row)]
    bodies, letters = await normalized({"id": "1", "customer": "ann"}, {"id": 2}, forms=forms)
    assert bodies == [Order(1, "ann")]
    assert [(letter.error, letter.attempts) for letter in letters] == [("BodyError", 1)]


async def test_functions_may_take_the_message_and_may_wait() -> None:
    """All of the four shapes."""

    async def is_one(body: Any, message: Message[Any]) -> bool:
        await anyio.sleep(1)
        return message.id == "feed-1"

    async def make(body: Any, message: Message[Any]) -> Order:
        await anyio.sleep(1)
        return Order(body, message.id)

    assert (await normalized(7, forms=[(is_one, make)]))[0] == [Order(7, "feed-1")]


async def test_a_message_of_no_form_is_rejected() -> None:
    """It is a dead letter that names the forms, and nothing of the body."""
    _, letters = await normalized({"secret": "x"}, forms=[(is_shop, from_shop), (tuple, Order)])
    assert [(letter.error, letter.attempts) for letter in letters] == [("BodyError", 1)]
    assert letters[0].reason.startswith("a dict has none of the forms that become Order: is_shop, tuple; ")


async def test_otherwise_takes_the_rest() -> None:
    """Then there is no message of no form."""
    bodies, _ = await normalized("ann", forms=[(dict, from_shop)], otherwise=lambda body: Order(0, body))
    assert bodies == [Order(0, "ann")]


def test_what_cannot_work_is_told_at_once() -> None:
    """No form, and what no step can call."""
    with pytest.raises(DefinitionError, match="no form"):
        from_(Feed([])).normalize(Order)
    with pytest.raises(DefinitionError, match="takes a function"):
        from_(Feed([])).normalize(Order, (is_shop, "from_shop"))  # type: ignore[arg-type]


async def test_a_class_that_recognizes_nothing_is_found_by_binding() -> None:
    """A TypedDict has no instances."""
    with pytest.raises(DefinitionError, match="write a predicate"):
        await run_routes(from_(Feed([])).normalize(Order, (Row, from_shop)))


def test_its_label_names_the_type_and_the_forms() -> None:
    """In their order."""
    assert Normalize(Order, ((is_shop, from_shop), (tuple, from_shop))).label == "normalize(Order: is_shop, tuple)"
