"""Log lines."""

from dataclasses import dataclass

import pytest

from routekit import DefinitionError, Message, from_
from routekit.check import check
from routekit.events import Logged
from routekit.plugins import Catalog
from routekit.testing import Feed, run_routes

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Order:
    id: int
    total: float


async def test_a_format_speaks_of_body_headers_and_id() -> None:
    """Attributes, items and format specifications work as in Python."""
    feed = Feed([Message(Order(7, 2.5), {"file.name": "a.csv"}, "m1")])
    run = await run_routes(
        from_(feed, Order).log("{id}: order {body.id} of {body.total:.2f} in {headers[file.name]}", level="warning")
    )
    assert [(event.level, event.text) for event in run.of(Logged)] == [("warning", "m1: order 7 of 2.50 in a.csv")]


async def test_a_function_makes_the_line() -> None:
    """A function of every shape may make the line."""
    run = await run_routes(from_(Feed([1]), int).log(lambda n: f"n={n}").log(lambda n, message: message.id))
    assert [event.text for event in run.of(Logged)] == ["n=1", "feed-1"]


async def test_nothing_in_a_message_is_used_as_a_format() -> None:
    """A body with braces is written as it is."""
    run = await run_routes(from_(Feed(["{id.__class__}"]), str).log("{body}"))
    assert [event.text for event in run.of(Logged)] == ["{id.__class__}"]


@pytest.mark.parametrize(
    ("text", "message"), [("{bdy}", "asks for 'bdy'"), ("{body", "is no format"), ("{}", "asks|format")]
)
def test_a_wrong_format_is_found_by_the_check(text: str, message: str) -> None:
    """A format that asks for something unknown, or is none, is a problem before anything runs."""
    (problem,) = check([from_("timer:x").log(text).route("r")], Catalog())
    assert problem.place.file == __file__
    with pytest.raises(DefinitionError, match=message):
        raise DefinitionError(problem.message)


async def test_a_format_that_does_not_fit_the_message_fails_it() -> None:
    """A line that cannot be written is an error of the message, with the format in it."""
    run = await run_routes(from_(Feed([1]), int).log("{body.name}"))
    assert [letter.reason.startswith("log text '{body.name}' does not fit") for letter in run.letters] == [True]
