"""What says the same, though it was made anew; and what does not."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from routekit import Policy, Retry, Route, from_
from routekit.sameness import same


def loaded(text: str) -> Any:
    """A module of that text, as if it had just been loaded."""
    module = ModuleType("routes.some")
    exec(compile(text, "routes/some.py", "exec"), module.__dict__)
    return module


def route_of(text: str) -> Route:
    return loaded(f"from routekit import Policy, Retry, from_\n{text}").flow.route("some.flow")


BASE = """
LIMIT = 3
def more(n):
    return n + LIMIT
flow = from_("timer:t", int).transform(more).filter(lambda n: n > 1)
"""


def test_a_module_that_is_loaded_anew_says_the_same() -> None:
    """Its functions are other objects, with the same code."""
    assert same(route_of(BASE), route_of(BASE))


def test_where_it_stands_is_not_what_it_says() -> None:
    """Lines that moved, and comments, change nothing."""
    assert same(route_of(BASE), route_of("# a comment\n\n" + BASE.replace("LIMIT\nflow", "LIMIT  # so many\nflow")))


@pytest.mark.parametrize(
    ("was", "became"),
    [
        ("n + LIMIT", "n - LIMIT"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("n > 1", "n > 2"),
        ("lambda n: n > 1", "lambda n, message: n > 1"),
        ("def more(n)", "def more(n, plus=1)"),
        ("def more(n)", "def more(n: int)"),
        ("def more(n)", "async def more(n)"),
        ('"timer:t"', '"timer:t?every=2s"'),
        (", int)", ", float)"),
        (", int)", ", int, policy=Policy(concurrency=2))"),
        (".filter(", ".validate("),
        (".filter(lambda n: n > 1)", ""),
        ("n + LIMIT", "(lambda m: m + LIMIT)(n)"),
    ],
)
def test_whatever_may_change_what_it_does_is_a_change(was: str, became: str) -> None:
    """Code, constants with their type, defaults, annotations, globals, options, steps and policy."""
    assert was in BASE
    assert not same(route_of(BASE), route_of(BASE.replace(was, became)))


def test_what_a_function_calls_counts_as_its_own() -> None:
    """However far away it is, and also in a circle."""
    text = "def a(n):\n    return b(n)\ndef b(n):\n    return a(n) if n else c(n)\ndef c(n):\n    return {}\n"
    text += 'flow = from_("timer:t", int).transform(a)'
    assert same(route_of(text.format("n")), route_of(text.format("n")))
    assert not same(route_of(text.format("n")), route_of(text.format("-n")))


def test_a_class_that_was_loaded_anew_is_another_one() -> None:
    """An instance of the old one would not be one of it."""
    text = 'class Order:\n    pass\nflow = from_("timer:t", {})'
    assert not same(route_of(text.format("Order")), route_of(text.format("Order")))
    assert not same(route_of(text.format("list[Order]")), route_of(text.format("list[Order]")))
    assert same(route_of(text.format("list[int] | None")), route_of(text.format("list[int] | None")))


def test_a_module_that_was_loaded_anew_is_another_one() -> None:
    """What is taken from it may have changed."""
    flow = from_("timer:t", int)
    assert not same(flow.transform(loaded("def f(n): return n").f), flow.transform(loaded("def f(n): return m(n)").f))
    modules = [loaded("flow = lambda n: other.f(n)"), loaded("flow = lambda n: other.f(n)")]
    for module in modules:
        module.other = loaded("def f(n): return n")
    assert not same(modules[0].flow, modules[1].flow)
    modules[1].other = modules[0].other
    assert same(modules[0].flow, modules[1].flow)


def closing(value: Any) -> Any:
    def closed(body: Any) -> Any:
        return (body, value)

    return closed


class Address(BaseModel):
    name: str = "a"
    code: Any = None


@dataclass(frozen=True)
class Told:
    said: Any
    place: int = field(default=0, compare=False)


class Silent:
    """Says nothing of what it is."""


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (closing(1), closing(1), True),
        (closing(1), closing(2), False),
        (closing([closing(1)]), closing([closing(1)]), True),
        (partial(closing(1), 2, x=3), partial(closing(1), 2, x=3), True),
        (partial(closing(1), 2), partial(closing(1), 3), False),
        (partial(closing(1), x=2), partial(closing(1), x=3), False),
        ({"a": closing(1)}, {"a": closing(1)}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ([1, 2], [1, 2, 3], False),
        ((1,), [1], False),
        (1, True, False),
        (0.0, -0.0, False),
        (Decimal("1.0"), Decimal("1.0"), True),
        (Path("a"), Path("a"), True),
        (re.compile("a"), re.compile("a"), True),
        (re.compile("a"), re.compile("b"), False),
        (Address(), Address(), True),
        (Address(), Address(name="a"), False),
        (Address(code=closing(1)), Address(code=closing(1)), True),
        (Address(code=closing(1)), Address(code=closing(2)), False),
        (Told(closing(1), 1), Told(closing(1), 2), True),
        (Told(closing(1)), Told(closing(2)), False),
        (Silent(), Silent(), False),
        (Silent().__repr__, Silent().__repr__, False),
        (Policy(retry=Retry(3, when=closing(1))), Policy(retry=Retry(3, when=closing(1))), True),
        (Policy(order_by=closing(1)), Policy(order_by=closing(2)), False),
    ],
)
def test_values_are_compared_by_what_they_say(one: Any, other: Any, is_same: bool) -> None:
    """Also where functions are in them; in doubt they are not the same."""
    assert same(one, other) is is_same
    assert same(other, one) is is_same
    assert same(one, one)


def test_an_object_that_cannot_be_compared_is_another_one() -> None:
    """Whatever its class does when it is asked."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("not now")

        __hash__ = None  # type: ignore[assignment]

    odd = Odd()
    assert same(odd, odd)
    assert not same(odd, Odd())
