"""Differences, for any data."""

from collections import Counter
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routekit import Message
from routekit.endpoints.log import Log
from routekit.testing import Sent, having
from routekit.testing.differences import closeness, differences
from routekit.testing.expectations import Expectation

ATOMS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False)
DATA = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@given(DATA, DATA)
def test_there_is_a_difference_where_there_is_one(expected: Any, found: Any) -> None:
    """And none where there is none; a copy is the same."""
    assert (differences(expected, found) == []) is (expected == found)
    assert differences(expected, deepcopy(expected)) == []


@given(st.dictionaries(st.text(max_size=3), DATA, max_size=4))
def test_having_needs_no_more_than_it_names(body: dict[str, Any]) -> None:
    """Any part of a body is had by it."""
    assert differences(having(body), {**body, "more than that": 1}) == []


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_an_expectation_holds_as_lists_and_bags_do(expected: list[int], bodies: list[int]) -> None:
    """In order as equal lists, in any order as equal bags, among others as a subsequence or a part of the bag."""
    sent = [Sent(Log(name="x"), Message(body), {}, "r", 0.0) for body in bodies]
    rules: list[Any] = [_is(value) if value % 2 else value for value in expected]

    def holds(*, in_order: bool, others: bool) -> bool:
        return Expectation(rules, None, None, None, in_order, others).holds(sent)

    rest = iter(bodies)
    assert holds(in_order=True, others=False) is (expected == bodies)
    assert holds(in_order=False, others=False) is (Counter(expected) == Counter(bodies))
    assert holds(in_order=True, others=True) is all(value in rest for value in expected)
    assert holds(in_order=False, others=True) is (Counter(expected) <= Counter(bodies))


def _is(value: int) -> Any:
    return lambda body: body == value


@given(DATA, DATA)
def test_closeness_is_a_share(expected: Any, found: Any) -> None:
    """All of what has fields is there if there is no difference."""
    assert 0.0 <= closeness(expected, found) <= 1.0


@given(DATA, DATA)
def test_every_difference_can_be_printed(expected: Any, found: Any) -> None:
    """In a line or few."""
    assert all(len(str(one)) < 2000 for one in differences(expected, found))
