"""What a captured test knows of an incident."""

from pathlib import Path
from typing import Any

import pytest

from routekit import Message, Policy, UnknownName, from_
from routekit.lettering.capturing import Answer, Failure, captured
from routekit.lettering.testfile import text_of
from routekit.runtime.recording import key_of
from routekit.testing import Feed, routes_of
from routekit.written import result_text, written

from .letters import letter, stored

pytestmark = pytest.mark.anyio

ASKS = from_(Feed(), int).enrich("http://crm/a", answer=dict[str, int], merge=lambda n, got: {**got, "n": n})


def effect(step: str, body: Any, number: int = 1) -> dict[str, str]:
    """What the journal of a durable route records of a call that was answered."""
    return {key_of(step, "m1", number): result_text(None if body is None else Message(body))}


async def test_recorded_answers_are_given_again() -> None:
    """In their order; a call without an answer needs none; the message then fails as it did."""
    flow = ASKS.to("rabbitmq:log").transform(lambda got: 1 // got["zero"])
    those = [effect("enrich http://crm/a", {"zero": 0}), effect("to rabbitmq:log", None)]
    one = letter(
        1, effects=those[0] | those[1], error="ZeroDivisionError", step='transform(1 // got["zero"])', reason="x"
    )
    async with stored(one) as (store, setup):
        incident = await captured(store, "l1", routes_of(r=flow), setup)
        assert incident.differs == ""
        assert incident.answers == [Answer("http://crm/a", [{"zero": 0}])]
        assert incident.silent == ["rabbitmq:log"]
        text = text_of(incident, Path("tests/test_x.py"), Path("routes"))
        compile(text, "test_x.py", "exec")
        assert "[{'zero': 0}]" in text
        assert "# rabbitmq:log: no answer is recorded" in text


async def test_what_failed_fails_again() -> None:
    """A sink fails with the class that it failed with, after what it answered before; a strange class by its name."""
    one = letter(1, step="to http://crm/a", error="CrmError", reason="it's away", effects=effect("to http://crm/a", 5))
    async with stored(one) as (store, setup):
        incident = await captured(
            store, "l1", routes_of(r=from_(Feed(), int).to("http://crm/a").to("http://crm/a")), setup
        )
        assert incident.answers == [Answer("http://crm/a", [5], Failure("CrmError", "it's away", "?"))]
        text = text_of(incident, Path("tests/test_x.py"), Path("routes"))
        compile(text, "test_x.py", "exec")
        assert "class CrmError(Exception):" in text


async def test_a_part_enters_as_a_part() -> None:
    """And bytes are bytes in the test."""
    flow = from_(Feed(), list[bytes]).split(lambda ns: ns, on_error="dead_letter_items").transform(lambda n: 1 // 0)
    one = letter(1, {"base64": "/w=="}, entry=1, error="ZeroDivisionError", step="transform(1 // 0)")
    async with stored(one) as (store, setup):
        incident = await captured(store, "l1", routes_of(r=flow), setup)
        assert incident.differs == ""
        text = text_of(incident, Path("tests/test_x.py"), Path("routes"))
        compile(text, "test_x.py", "exec")
        assert "entering('r', 1, '', folder=ROUTES)" in text
        assert "base64.b64decode('/w==')" in text


@pytest.mark.parametrize("odd", ['"""', "\\", 'it\'s "so"', 'end"', "a\nb", "\udc80"])
async def test_texts_cannot_break_the_file(odd: str) -> None:
    """Whatever is in a message or an error, what is written is a test."""
    one = letter(1, {"text": odd, "list": [odd]}, reason=odd, step="to sink:", message_id=odd, error="OSError")
    async with stored(one) as (store, setup):
        routes = routes_of(r=from_(Feed(), dict[str, Any]).to("rabbitmq:x"))
        incident = await captured(store, "l1", routes, setup, {"rabbitmq:x": odd})
        compile(text_of(incident, Path("t.py"), Path("routes")).encode(errors="replace"), "t.py", "exec")


async def test_a_message_on_its_way() -> None:
    """A durable route's journal knows it: its body, and the calls that were made."""
    routes = routes_of(r=ASKS.to("rabbitmq:log"))
    routes = routes_of(r=from_(Feed(), int, policy=Policy(durable="store")).to("rabbitmq:log"))
    async with stored() as (store, setup):
        await store.journal("r").add("m7", written(Message(5, {"h": 1}, "m7"), 50.0), owner=store.owner)
        incident = await captured(store, "m7", routes, setup)
        assert (incident.failed, incident.letter.body, incident.letter.headers) == (False, 5, {"h": 1})
        compile(text_of(incident, Path("t.py"), Path("routes")), "t.py", "exec")
        with pytest.raises(UnknownName, match="no letter or journaled message 'm8'"):
            await captured(store, "m8", routes, setup)


async def test_a_route_that_is_gone() -> None:
    """Is told, with what there is."""
    async with stored(letter(1, route="rr")) as (store, setup):
        with pytest.raises(UnknownName, match="did you mean 'r'"):
            await captured(store, "l1", routes_of(r=ASKS), setup)


async def test_bytes_that_people_can_read_are_written_so() -> None:
    """A body of bytes that is text stands in the test as text."""
    one = letter(1, {"base64": "eyJuIjogMX0K"}, error="ZeroDivisionError", step="transform(1 // 0)")
    async with stored(one) as (store, setup):
        incident = await captured(store, "l1", routes_of(r=from_(Feed(), bytes).transform(lambda n: 1 // 0)), setup)
        text = text_of(incident, Path("tests/test_x.py"), Path("routes"))
        assert """b'{"n": 1}\\n'""" in text
        assert "import base64" not in text
