"""Editing a letter: what its route would refuse is not kept, and what was there stays."""

from dataclasses import dataclass

import pytest

from routekit import BodyError, UnknownName, from_
from routekit.codecs.csv import Csv
from routekit.lettering.editing import edit, original
from routekit.replay import replay
from routekit.testing import Feed, Sink, routes_of

from .letters import audited, letter, stored

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Order:
    id: int


async def test_body_and_headers() -> None:
    """Both are changed, each with what it was in the edits; the first of them is as it came."""
    routes = routes_of(r=from_(Feed(), int))
    async with stored(letter(1, "many")) as (store, setup):
        await edit(store, routes, setup, "l1", body=5, who="ada", why="typo")
        edited = await edit(store, routes, setup, "l1", body=6, headers={"x": "y"}, who="bob", why="no, 6")
        assert await store.letters.get("l1") == edited
        assert (edited.body, edited.headers) == (6, {"x": "y"})
        assert edited.edits == [
            {"who": "ada", "when": 100.0, "why": "typo", "body": "many"},
            {"who": "bob", "when": 100.0, "why": "no, 6", "body": 5, "headers": {"from": "outside"}},
        ]
        assert original(edited) == ("many", {"from": "outside"})
        assert await audited(store) == [("ada", "letters.edit", "l1"), ("bob", "letters.edit", "l1")]
        assert (await store.audit.list())[0].details == "body and headers: no, 6"


async def test_it_is_replayed_so() -> None:
    """The route gets the edited letter."""
    sink = Sink()
    routes = routes_of(r=from_(Feed(), Order).to(sink))
    async with stored(letter(1, {"di": 1})) as (store, setup):
        edited = await edit(store, routes, setup, "l1", body={"id": 1}, headers={}, who="ada", why="")
        assert await replay(edited, routes, setup) is None
        assert [(one.body, one.headers, one.id) for one in sink.messages] == [(Order(1), {}, "m1")]


async def test_a_body_that_does_not_fit() -> None:
    """Is refused with the reason, and the letter stays as it was; nothing is in the audit."""
    async with stored(letter(1)) as (store, setup):
        with pytest.raises(BodyError, match="found 'many'"):
            await edit(store, routes_of(r=from_(Feed(), int)), setup, "l1", body="many", who="ada", why="")
        assert await store.letters.get("l1") == letter(1)
        assert await audited(store) == []


async def test_bytes_are_checked_as_the_route_reads_them() -> None:
    """By the codec of the route."""
    routes = routes_of(r=from_(Feed(), list[Order], codec=Csv()))
    packed = {"base64": "aWQKMQo="}
    async with stored(letter(1, {"base64": ""})) as (store, setup):
        assert (await edit(store, routes, setup, "l1", body=packed, who="ada", why="")).body == packed
        with pytest.raises(BodyError):
            await edit(store, routes, setup, "l1", body={"base64": "eAoxCg=="}, who="ada", why="")


async def test_a_part_is_checked_as_a_part() -> None:
    """A letter of a part has the class of the part, not that of the route."""
    routes = routes_of(r=from_(Feed(), list[Order]).split(lambda orders: orders, on_error="dead_letter_items"))
    kind = f"{Order.__module__}:Order"
    async with stored(letter(1, {"id": "x"}, entry=1, kind=kind)) as (store, setup):
        await edit(store, routes, setup, "l1", body={"id": 2}, who="ada", why="")
        with pytest.raises(BodyError):
            await edit(store, routes, setup, "l1", body=[{"id": 2}], who="ada", why="")


async def test_headers_alone() -> None:
    """Need no check, and leave the body."""
    async with stored(letter(1)) as (store, setup):
        edited = await edit(store, [], setup, "l1", headers={"a": 1}, who="ada", why="")
        assert (edited.body, edited.headers, list(edited.edits[0])) == (1, {"a": 1}, ["who", "when", "why", "headers"])


async def test_nothing_to_change() -> None:
    """Changes nothing."""
    async with stored(letter(1)) as (store, setup):
        assert await edit(store, [], setup, "l1", who="ada", why="") == letter(1)
        assert await audited(store) == []


@pytest.mark.parametrize(
    ("id", "text"), [("x", "there is no letter 'x'"), ("l1", "is of route 'r'; did you mean 'rr'")]
)
async def test_what_is_gone(id: str, text: str) -> None:
    """A letter or a route that is no more is told."""
    async with stored(letter(1)) as (store, setup):
        with pytest.raises(UnknownName, match=text):
            await edit(store, routes_of(rr=from_(Feed(), int)), setup, id, body=1, who="ada", why="")
