"""sort"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import DefinitionError, Policy, Retry, from_
from routekit.eip.sort import Sort
from routekit.expressions.jmespath import jmespath
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def result_of(body: Any, **options: Any) -> Any:
    sink = Sink()
    run = await run_routes(from_(Feed([body]), policy=Policy(retry=Retry(2))).sort(**options).to(sink))
    return sink.bodies[0] if sink.bodies else run.letters[0]


@pytest.mark.parametrize("body", [[3, 1, 2], (3, 1, 2), {3, 1, 2}, range(3, 0, -1)])
async def test_elements_come_in_order(body: Any) -> None:
    """Whatever holds them, a list goes on."""
    assert await result_of(body) == [1, 2, 3]


async def test_a_key_says_by_what() -> None:
    """It gets one element; the body itself stays as it was."""
    body = [{"id": 2}, {"id": 1}]
    assert await result_of(body, key=lambda row: row["id"]) == [{"id": 1}, {"id": 2}]
    assert await result_of(body, key=jmespath("id")) == [{"id": 1}, {"id": 2}]
    assert body == [{"id": 2}, {"id": 1}]


@pytest.mark.parametrize("reverse", [False, True])
@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers())))
def test_equal_keys_stay_in_their_order(reverse: bool, rows: list[tuple[int, int]]) -> None:
    """As Python's own sort does, also in reverse."""
    seen: list[Any] = []

    def proceed(message: Any) -> Any:
        seen.extend(message.body)

    from routekit import Message

    step = Sort[tuple[int, int]](lambda row: row[0], reverse)
    step.bind(proceed, None)(Message(rows))  # type: ignore[arg-type]
    assert seen == sorted(rows, key=lambda row: row[0], reverse=reverse)


async def test_what_does_not_compare_is_rejected() -> None:
    """Not retried, with a hint about the key."""
    letter = await result_of([1, None, "a"])
    assert (letter.error, letter.attempts) == ("BodyError", 1)
    assert "'<' not supported" in letter.reason
    assert "give a key" in letter.reason


@pytest.mark.parametrize("body", [5, "text", b"bytes", {"a": 1}])
async def test_what_is_no_list_is_rejected(body: Any) -> None:
    """Sorting the letters of a text or the names of a dict is never meant."""
    letter = await result_of(body)
    assert letter.error == "BodyError"
    assert f"found a {type(body).__name__}" in letter.reason


async def test_an_error_in_the_key_is_told_as_itself() -> None:
    """It is a mistake in the author's function, not in the body."""
    assert (await result_of([{}], key=lambda row: row["id"])).error == "KeyError"
    assert (await result_of([None], key=lambda row: row["id"])).error == "TypeError"


def test_a_key_is_a_function() -> None:
    """A name is none."""
    with pytest.raises(DefinitionError, match="found 'id'"):
        from_(Feed([])).sort(key="id")  # type: ignore[arg-type]


def test_its_label_says_by_what() -> None:
    """The key's name, and whether it is reversed."""
    assert Sort().label == "sort()"
    assert Sort(len, True).label == "sort(len, reverse)"
