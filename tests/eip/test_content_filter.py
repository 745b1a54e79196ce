"""content_filter"""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from routekit import DefinitionError, Policy, Retry, from_
from routekit.check import check
from routekit.eip.content_filter import ContentFilter
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Line:
    sku: str
    price: float


class Customer(BaseModel):
    email: str
    password: str = "secret"


class Order(BaseModel):
    id: int
    customer: Customer | None = None
    lines: list[Line] = []


ORDER = Order(id=1, customer=Customer(email="a@b"), lines=[Line("x", 1.5), Line("y", 2)])
DATA: dict[str, Any] = {
    "id": 1,
    "customer": {"email": "a@b", "password": "secret"},
    "lines": [{"sku": "x", "price": 1.5}, {"sku": "y", "price": 2}],
}


async def filtered(body: Any, **options: Any) -> Any:
    sink = Sink()
    run = await run_routes(from_(Feed([body]), policy=Policy(retry=Retry(2))).content_filter(**options).to(sink))
    return sink.bodies[0] if sink.bodies else run.letters[0]


@pytest.mark.parametrize("body", [ORDER, DATA])
async def test_what_is_kept_goes_on_as_plain_data(body: Any) -> None:
    """Of a model as of a dict; nested, and in each element of a list."""
    found = await filtered(body, keep=["id", "customer.email", "lines.*.sku"])
    assert found == {"id": 1, "customer": {"email": "a@b"}, "lines": [{"sku": "x"}, {"sku": "y"}]}


@pytest.mark.parametrize("body", [ORDER, DATA])
async def test_what_is_dropped_is_gone(body: Any) -> None:
    """All else stays; the body itself is not changed."""
    found = await filtered(body, drop=["customer.password", "lines.*.price"])
    assert found == {"id": 1, "customer": {"email": "a@b"}, "lines": [{"sku": "x"}, {"sku": "y"}]}
    assert "password" in DATA["customer"]


async def test_drop_takes_out_of_what_is_kept() -> None:
    """Both at once."""
    found = await filtered(ORDER, keep=["customer", "id"], drop=["customer.password"])
    assert found == {"id": 1, "customer": {"email": "a@b"}}


async def test_what_is_none_stays_none() -> None:
    """An optional part that is not there has no fields to keep."""
    assert await filtered(Order(id=1), keep=["customer.email"]) == {"customer": None}


@pytest.mark.parametrize("options", [{"keep": ["customer.emial"]}, {"drop": ["customer.emial"]}])
async def test_a_field_that_is_not_there_rejects_the_message(options: Any) -> None:
    """With the nearest name: a typing error in `drop` must not let a password through."""
    for body in (ORDER, DATA):
        letter = await filtered(body, **options)
        assert (letter.error, letter.attempts) == ("BodyError", 1)
        assert "has no 'customer.emial'; did you mean 'email'?" in letter.reason


async def test_optional_fields_of_data_may_be_missing_without_strict() -> None:
    """But never those that a type cannot have."""
    assert await filtered({"id": 1}, keep=["id", "note"], strict=False) == {"id": 1}
    assert await filtered({"id": 1}, drop=["note"], strict=False) == {"id": 1}
    assert (await filtered(ORDER, keep=["note"], strict=False)).error == "BodyError"


@pytest.mark.parametrize("body", [5, [DATA], "text"])
async def test_what_has_no_fields_is_rejected(body: Any) -> None:
    """Only data with names has fields."""
    assert f"found a {type(body).__name__}" in (await filtered(body, keep=["id"])).reason


def test_a_name_that_the_type_has_not_is_found_by_check() -> None:
    """Where the type of the bodies is written down, behind steps that leave it alone."""
    flow = from_(Feed([]), Order).filter(lambda order: True).log("x").content_filter(keep=["lines.*.pric"])
    (problem,) = check([flow.route("r")], Catalog())
    assert (problem.message, problem.hint) == ("Line has no 'lines.*.pric'", "did you mean 'price'?")
    parsed = from_(Feed([])).parse(Order).content_filter(drop=["nme"])
    assert len(check([parsed.route("r")], Catalog())) == 1
    unknown = from_(Feed([]), Order).transform(lambda order: order.customer).content_filter(keep=["email"])
    assert check([unknown.route("r")], Catalog()) == []


@pytest.mark.parametrize(("options", "said"), [({}, "drops nothing"), ({"keep": ["a..b"]}, "no path of a field")])
def test_what_cannot_work_is_told_at_once(options: Any, said: str) -> None:
    """No fields, and what is no path."""
    with pytest.raises(DefinitionError, match=said):
        from_(Feed([])).content_filter(**options)


def test_its_label_names_the_fields() -> None:
    """What is kept, and what is dropped."""
    assert ContentFilter(("id", "a.b"), ("a.c",)).label == "content_filter(keep=id, a.b; drop=a.c)"
