"""The exchange, headers, bodies and expressions of Camel, and the one message here."""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import BodyError, Logged, Message, Policy, Retry, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


@dataclass
class Order:
    id: int
    total: float


async def test_changing_the_body_keeps_the_headers() -> None:
    """Departure: `getOut` makes an empty message that has lost them; here is one message, and no pair."""
    out = Sink()
    await run_routes(from_(Feed([Message(1, {"a": 1}, "m")]), int).transform(str).to(out))
    assert out.messages == [Message("1", {"a": 1}, "m")]


async def test_a_function_that_returns_nothing_makes_the_body_none() -> None:
    """Departure: a bean's `void` leaves the body alone; a function's result is the body, and a checker sees it."""
    out = Sink()
    await run_routes(from_(Feed([1]), int).transform(lambda n: None).to(out))
    assert out.bodies == [None]


async def test_removing_all_headers_leaves_what_the_engine_knows() -> None:
    """Departure: `removeHeaders("*")` takes Camel's own with it; the engine keeps nothing among the headers."""
    seen: list[Any] = []
    flow = from_(Feed([Message(1, {"a": 1, "CamelX": 2}, "m")]), int).remove_header("*")
    await run_routes(orders=flow.transform(lambda n, message: seen.append(message)))
    (message,) = seen
    assert dict(message.headers) == {}
    assert (message.id, message.meta.route, message.meta.source) == ("m", "orders", "feed:")


async def test_headers_from_outside_cannot_pose_as_the_engines() -> None:
    """Departure: control headers from outside have been Camel's most frequent vulnerability."""
    seen: list[Any] = []
    evil = {"id": "forged", "route": "forged", "attempt": 99, "CamelRedelivered": True}
    flow = from_(Feed([Message(1, evil, "m")]), int)
    await run_routes(orders=flow.transform(lambda n, message: seen.append((message.id, message.meta))))
    ((name, meta),) = seen
    assert (name, meta.route, meta.attempt) == ("m", "orders", 1)


def test_what_the_engine_knows_cannot_be_set() -> None:
    """Departure: exchange properties can be written by anybody, also the engine's."""
    message = Message(1)
    with pytest.raises(AttributeError):
        message.meta.priority = 9  # type: ignore[attr-defined]
    with pytest.raises((AttributeError, TypeError)):
        message.headers["a"] = 1  # type: ignore[index]


async def test_header_names_keep_their_case() -> None:
    """Departure: header names have no case in Camel; here two that differ in it are two."""
    out = Sink()
    await run_routes(from_(Feed([Message(1, {"A": 1, "x-a": 3})]), int).set_header("a", 2).remove_header("x-A").to(out))
    assert dict(out.messages[0].headers) == {"A": 1, "a": 2, "x-a": 3}


async def test_a_pattern_of_headers_is_no_regular_expression() -> None:
    """Departure: patterns are names, wildcards and regular expressions; here only `*` and `?` mean anything."""
    out = Sink()
    given = Message(1, {"x-a": 1, "xa": 2, "y": 3})
    await run_routes(from_(Feed([given]), int).remove_header("x-*", "x.", "[a-z]+").to(out))
    assert set(out.messages[0].headers) == {"xa", "y"}


async def test_a_body_can_be_read_twice() -> None:
    """Departure: a stream is empty after the first read unless it is cached; a log must not change what is sent."""
    out = Sink()
    flow = from_(Feed([b"one\ntwo"]), bytes).log("{body}").tap(lambda f: f.split(bytes.splitlines)).log("{body}")
    run = await run_routes(flow.to(out))
    assert out.bodies == [b"one\ntwo"]
    assert len({event.text for event in run.of(Logged)}) == 1


async def test_a_body_that_does_not_fit_is_refused_at_the_edge() -> None:
    """Departure: Camel converts when somebody asks, far from the cause, and gives null where it cannot."""
    out = Sink()
    run = await run_routes(from_(Feed([{"id": 1, "total": "much"}]), Order).to(out))
    assert out.bodies == []
    assert (run.letters[0].step, run.letters[0].reason.split(":")[0]) == ("source", "column 'total'")


async def test_an_empty_body_is_not_parsed_into_nothing() -> None:
    """As Camel: `unmarshal` refuses a null body by default."""
    run = await run_routes(from_(Feed([b""]), bytes).parse(Order))
    assert [letter.error for letter in run.letters] == [BodyError.__name__]


async def test_a_broken_rule_tells_all_reasons() -> None:
    """Departure: `validate` has one predicate, and its exception no reason but the predicate's text."""
    rules = [lambda n: n > 1 or "too small", lambda n: n % 2 == 0 or "odd"]
    run = await run_routes(from_(Feed([1]), int).validate(*rules))
    assert run.letters[0].reason == "too small; odd"


async def test_functions_get_the_body_or_the_message_too() -> None:
    """As bean binding puts the body first; departure: the shape is decided by the parameters, and never ambiguous."""
    out = Sink()
    flow = from_(Feed([Message(1, {"h": 2}, "m")]), int)
    await run_routes(flow.transform(lambda n: n + 1).transform(lambda n, m: (n, m.headers["h"], m.id)).to(out))
    assert out.bodies == [(2, 2, "m")]


@pytest.mark.parametrize("text", ["{bdy}", "{body", "{0}"])
def test_a_misspelt_text_is_found_before_it_runs(text: str) -> None:
    """Departure: a misspelt function of the Simple language is printed as text, or fails at the first message."""
    problems = check([from_("timer:t", int).log(text).route("r")], Catalog())
    assert len(problems) == 1


async def test_nothing_in_a_message_is_ever_a_template() -> None:
    """Departure: expressions in bodies and headers have been evaluated by Camel's languages."""
    run = await run_routes(from_(Feed(["{id} ${body} {headers}"]), str).log("got {body}"))
    assert run.of(Logged)[0].text == "got {id} ${body} {headers}"


async def test_ids_are_distinct_and_stay() -> None:
    """As Camel's exchange ids; departure: the id stays the same over retries, and is in the dead letter."""
    tries: list[str] = []

    def fail(n: int, message: Message[int]) -> None:
        tries.append(message.id)
        raise ValueError(n)

    flow = from_(Feed([1, 2]), int, policy=Policy(retry=Retry(1))).transform(fail)
    run = await run_routes(flow)
    assert tries == ["feed-1", "feed-1", "feed-2", "feed-2"]
    assert sorted(letter.message_id for letter in run.letters) == ["feed-1", "feed-2"]
