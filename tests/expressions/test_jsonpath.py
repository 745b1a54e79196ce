"""jsonpath"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from routekit import BodyError, DefinitionError, Policy, Retry, from_, jsonpath
from routekit.callables import arity, name_of
from routekit.testing import Feed, Sink, run_routes

BODY: dict[str, Any] = {
    "id": 7,
    "none": None,
    "customer": {"email": "a@b"},
    "lines": [{"sku": "x", "price": 9}, {"sku": "y", "price": Decimal("4.5")}],
}


@dataclass
class Line:
    sku: str
    price: Decimal


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("$.id", 7),
        ("$.none", None),
        ("$['customer']['email']", "a@b"),
        ("$.lines[0].sku", "x"),
        ("$.lines[-1].sku", "y"),
        ("$.lines[*].sku", ["x", "y"]),
        ("$.lines[?@.price > 5].sku", ["x"]),
        ("$..sku", ["x", "y"]),
        ("$.nothing[*]", []),
        ("$['id', 'none']", [7, None]),
        ("$.lines[?match(@.sku, '[a-x]')].price", [9]),
    ],
)
def test_a_query_for_one_place_gives_its_value_and_any_other_a_list(query: str, found: Any) -> None:
    """RFC 9535 knows which is which; decimals compare as numbers."""
    assert jsonpath(query)(BODY) == found


@pytest.mark.parametrize("body", ['{"sku": "x", "price": 1}', b'{"sku": "x"}', Line("x", Decimal(1)), {"sku": "x"}])
def test_bodies_are_seen_as_json(body: Any) -> None:
    """Text, bytes, dataclasses and plain data."""
    assert jsonpath("$.sku")(body) == "x"


def test_exactly_one_may_be_wanted_or_a_list() -> None:
    """Whatever the query is."""
    assert jsonpath("$.lines[?@.price > 5].sku", one=True)(BODY) == "x"
    assert jsonpath("$.id", one=False)(BODY) == [7]
    with pytest.raises(BodyError, match="finds 2 values where one is wanted"):
        jsonpath("$.lines[*].sku", one=True)(BODY)


def test_what_is_missing_is_an_error_unless_something_stands_for_it() -> None:
    """None may stand for it, too."""
    with pytest.raises(BodyError, match=r"jsonpath\('\$.note'\) finds nothing; give missing="):
        jsonpath("$.note")(BODY)
    assert jsonpath("$.note", missing=None)(BODY) is None
    assert jsonpath("$.lines[?@.price > 50].sku", one=True, missing="none")(BODY) == "none"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("$.a[", "unbalanced brackets, at column 5"),
        ("id", "expected '$', found 'i', at column 1"),
        ("$.a[?@.b > ]", "at column 12"),
        ("$.a[?lenght(@.b) > 1]", "function 'lenght' is not defined, at column 6"),
        ("", "at column 1"),
    ],
)
def test_what_is_no_query_is_found_where_it_is_written(query: str, said: str) -> None:
    """With the place of the mistake."""
    with pytest.raises(DefinitionError) as error:
        jsonpath(query)
    assert "is no JSONPath query" in str(error.value)
    assert said in str(error.value)


@pytest.mark.anyio
async def test_it_stands_wherever_a_function_does() -> None:
    """In transform, filter, split, set_header, a key, a choice."""
    sink = Sink()
    flow = (
        from_(Feed([BODY, {"id": 8, "lines": []}]))
        .filter(jsonpath("$.lines[?@.price > 5]"))
        .set_header("id", jsonpath("$.id"))
        .idempotent("seen", key=jsonpath("$.customer.email"))
        .split(jsonpath("$.lines[*]"))
        .transform(jsonpath("$.sku"))
        .to(sink)
    )
    run = await run_routes(flow)
    assert sink.bodies == ["x", "y"]
    assert [message.headers["id"] for message in sink.messages] == [7, 7]
    assert run.letters == []


@pytest.mark.anyio
async def test_a_body_that_cannot_be_asked_is_rejected() -> None:
    """Not retried."""
    run = await run_routes(from_(Feed(["{"]), policy=Policy(retry=Retry(3))).transform(jsonpath("$.a")))
    assert [(letter.error, letter.attempts) for letter in run.letters] == [("BodyError", 1)]


def test_it_is_a_value_with_a_name() -> None:
    """Equal queries are equal, and drawings show them."""
    assert jsonpath("$.a") == jsonpath("$.a") != jsonpath("$.a", one=False)
    assert (name_of(jsonpath("$.a")), arity(jsonpath("$.a"))) == ("jsonpath('$.a')", 1)
    assert from_(Feed([])).transform(jsonpath("$.a")).chain.steps[0].label == "transform(jsonpath('$.a'))"
    assert len(name_of(jsonpath("$" + ".a" * 100))) < 80
