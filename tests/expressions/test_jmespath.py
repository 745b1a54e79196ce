"""jmespath"""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from routekit import BodyError, DefinitionError, from_, jmespath
from routekit.callables import arity, name_of
from routekit.testing import Feed, Sink, run_routes


class Line(BaseModel):
    sku: str
    price: Decimal


class Order(BaseModel):
    total: Decimal
    lines: list[Line]


ORDER = Order(total=Decimal("7.5"), lines=[Line(sku="x", price=Decimal(3)), Line(sku="y", price=Decimal("4.5"))])


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("total", 7.5),
        ("total > `5`", True),
        ("lines[?price > `4`].sku", ["y"]),
        ("sum(lines[].price)", 7.5),
        ("{sum: total, first: lines[0].sku}", {"sum": 7.5, "first": "x"}),
        ("note", None),
        ("note || 'none'", "none"),
        ("not_null(note, total)", 7.5),
        ("sort_by(lines, &price)[-1].sku", "y"),
    ],
)
def test_an_expression_makes_a_value(expression: str, found: Any) -> None:
    """Of a model, and of its JSON text; decimals are numbers."""
    assert jmespath(expression)(ORDER) == found
    text = '{"total": 7.5, "lines": [{"sku": "x", "price": 3}, {"sku": "y", "price": 4.5}]}'
    assert jmespath(expression)(text) == found


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a[", "incomplete expression, at column 3"),
        ("total > ", "at column 9"),
        ("a ]", "unexpected token: ], at column 3"),
        ("lenght(a)", "unknown function lenght(); did you mean 'length'?"),
        ("a[?foo(b)]", "unknown function foo()"),
        ("length(a, b)", "length() takes 1 arguments, found 2"),
        ("join(a)", "join() takes 2 arguments, found 1"),
        ("merge()", "merge() takes 1 arguments, found 0"),
        ("total > `{`", "deprecated string literal"),
        ("", "empty"),
    ],
)
def test_what_is_no_expression_is_found_where_it_is_written(expression: str, said: str) -> None:
    """With the place of the mistake; functions too, which the library would look for with each message."""
    with pytest.raises(DefinitionError) as error:
        jmespath(expression)
    assert "is no JMESPath expression" in str(error.value)
    assert said in str(error.value)


def test_a_function_may_take_any_number() -> None:
    """Where it says so."""
    assert jmespath("not_null(a, b, c, d)")({"d": 1}) == 1
    assert jmespath("merge(a, b)")({"a": {"x": 1}, "b": {"y": 2}}) == {"x": 1, "y": 2}


def test_a_function_that_cannot_work_on_the_body_rejects_it() -> None:
    """The expression is right; this body is not."""
    with pytest.raises(BodyError, match="cannot be asked of the body: In function sum"):
        jmespath("sum(lines)")(ORDER)


@pytest.mark.anyio
async def test_it_stands_wherever_a_function_does() -> None:
    """As a predicate, in a choice, as the maker of parts."""
    sink = Sink()
    flow = (
        from_(Feed([ORDER]), Order)
        .filter(jmespath("total > `5`"))
        .split(jmespath("lines"))
        .choice()
        .when(jmespath("price > `4`"), lambda dear: dear.transform(jmespath("sku")))
        .otherwise(lambda rest: rest.stop())
        .to(sink)
    )
    await run_routes(flow)
    assert sink.bodies == ["y"]


def test_it_is_a_value_with_a_name() -> None:
    """Equal expressions are equal, and drawings show them."""
    assert jmespath("a") == jmespath("a") != jmespath("b")
    assert (name_of(jmespath("a")), arity(jmespath("a"))) == ("jmespath('a')", 1)
