"""Discarding letters, and bringing them back."""

import json

import pytest

from routekit import Unavailable, UnknownName
from routekit.lettering.discarding import DISCARDED, discard, discarded, prune, restore
from routekit.lettering.recording import NAME
from routekit.lettering.selecting import Selection

from .letters import audited, ids, letter, stored

pytestmark = pytest.mark.anyio


async def test_with_a_reason() -> None:
    """They are gone, the reason is in the audit, and what they were is kept for a while."""
    async with stored(*map(letter, (1, 2, 3))) as (store, setup):
        assert await discard(store, setup, Selection(before=3.0), who="ada", why="a test order") == 2
        assert await ids(store) == ["l3"]
        assert await audited(store) == [("ada", "letters.discard", "l1"), ("ada", "letters.discard", "l2")]
        assert (await store.audit.list())[0].details == "a test order (message m2 of r)"
        kept = [one async for one in discarded(store)]
        assert [(one.id, one.who, one.why, one.when, one.reason) for one in kept] == [
            ("l1", "ada", "a test order", 100.0, "bad 1"),
            ("l2", "ada", "a test order", 100.0, "bad 2"),
        ]


async def test_it_comes_back_as_it_was() -> None:
    """Also one with odd data; it is then no more among the discarded."""
    odd = letter(1, {"n": float("inf"), "s": "\udc80", "t": "\x00\u2028"}, replays=[{"who": "x"}])
    async with stored(odd) as (store, setup):
        before = await store.letters.get("l1")
        await discard(store, setup, Selection(), who="ada", why="")
        assert await restore(store, setup, "l1", who="bob", why="it was none") == before
        assert await store.letters.get("l1") == before
        assert [one async for one in discarded(store)] == []
        assert (await audited(store))[-1] == ("bob", "letters.restore", "l1")
        with pytest.raises(UnknownName, match="no discarded letter 'l1' is kept"):
            await restore(store, setup, "l1", who="bob")


async def test_one_that_is_being_replayed() -> None:
    """Is not discarded under the hands of who does that."""
    async with stored(letter(1)) as (store, setup):
        await store.keys(NAME).claim("l1", owner="another", lease=600)
        with pytest.raises(Unavailable, match="another process works at letter l1"):
            await discard(store, setup, Selection(), who="ada", why="")
        assert await ids(store) == ["l1"]
        assert [one async for one in discarded(store)] == []


async def test_a_letter_of_a_newer_version_comes_back() -> None:
    """Without what is not known yet."""
    async with stored(letter(1)) as (store, setup):
        await discard(store, setup, Selection(), who="ada", why="")
        values = store.values(DISCARDED)
        value = await values.get("l1")
        assert value is not None
        data = json.loads(value.text)
        data["letter"]["colour"] = "red"
        await values.put("l1", json.dumps(data))
        assert await restore(store, setup, "l1", who="ada") == letter(1)


async def test_retention() -> None:
    """What is older is forgotten for good, and how many those were is written down."""
    async with stored(*map(letter, (1, 2, 3))) as (store, setup):
        assert await prune(store, setup, before=3.0, who="ada") == 2
        assert (await ids(store), await audited(store)) == (["l3"], [("ada", "letters.prune", "before 3")])
