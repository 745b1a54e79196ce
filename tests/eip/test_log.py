"""log"""

from typing import Any

import pytest
from pydantic import BaseModel

from routekit import DefinitionError, Message, from_
from routekit.eip.log import Log
from routekit.events import Logged
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


class Lead(BaseModel):
    email: str
    tags: list[str] = ["a"]


async def later(lead: Lead) -> str:
    return "later"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("hello", "hello"),
        ("{body.email} from {headers[file.name]} as {id}", "a@b from x.csv as m"),
        ("{body.tags[0]!r:>5}|{{}}", "  'a'|{}"),
        (lambda lead: lead.email.upper(), "A@B"),
        (lambda lead, message: message.id, "m"),
        (later, "later"),
    ],
)
async def test_one_line_for_each_message(text: Any, line: str) -> None:
    """A format over body, headers and id, or a function; the message goes on."""
    sink = Sink()
    feed = Feed([Message(Lead(email="a@b"), {"file.name": "x.csv"}, "m")])
    run = await run_routes(mine=from_(feed, Lead).log(text, level="warning").to(sink))
    assert run.of(Logged) == [Logged("mine", "warning", line)]
    assert len(sink.bodies) == 1


@pytest.mark.parametrize("text", ["{name}", "{}", "{0}", "{body", "body}", "{bdoy.email}"])
async def test_a_format_that_cannot_work_is_found_at_the_start(text: str) -> None:
    """With what may be asked for."""
    with pytest.raises(DefinitionError, match="body"):
        await run_routes(from_(Feed([1])).log(text))


async def test_a_format_that_does_not_fit_rejects_the_message() -> None:
    """A field that the body lacks is a failure of the message, named."""
    run = await run_routes(from_(Feed([1]), int).log("{body.email}"))
    assert run.letters[0].error == "BodyError"
    assert "does not fit the message" in run.letters[0].reason


async def test_what_a_message_holds_is_never_a_format() -> None:
    """Braces in a body are printed, not obeyed."""
    run = await run_routes(from_(Feed(["{headers} {0.__class__}"]), str).log("{body}"))
    assert [event.text for event in run.of(Logged)] == ["{headers} {0.__class__}"]


def test_its_label() -> None:
    """It shows the text or names the function."""
    assert Log("hi").label == "log('hi')"
    assert Log(later).label == "log(later)"
