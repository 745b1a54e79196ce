"""Which letters are meant."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import UnknownName
from routekit.lettering import selecting
from routekit.lettering.selecting import Selection, chosen, cluster_found, counted, found, listed, route_checked

from .letters import letter, stored

pytestmark = pytest.mark.anyio

SOME = [
    letter(1, {"name": "Ada"}),
    letter(2, route="shop.orders", step="choice > vip > to crm"),
    letter(3, error="KeyError", causes=["OSError: disk"]),
    letter(4, headers={"x": "needle"}),
]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["l4", "l3", "l2", "l1"]),
        ({"ids": ("l1", "l3", "nope")}, ["l3", "l1"]),
        ({"route": "shop.orders"}, ["l2"]),
        ({"step": "to crm"}, ["l2"]),
        ({"error": "KeyError"}, ["l3"]),
        ({"text": "ADA"}, ["l1"]),
        ({"text": "disk"}, ["l3"]),
        ({"text": "needle"}, ["l4"]),
        ({"text": "bad 2"}, ["l2"]),
        ({"since": 2.0, "before": 4.0}, ["l3", "l2"]),
        ({"cluster": SOME[0].cluster}, ["l4", "l1"]),
        ({"cluster": SOME[0].cluster, "text": "Ada"}, ["l1"]),
    ],
)
async def test_each_filter(asked: dict[str, Any], expected: list[str]) -> None:
    """Letters that fulfil all of them are meant, in both orders, and are counted so."""
    async with stored(*SOME) as (store, _):
        selection = Selection(**asked)
        assert [one.id for one in await listed(store, selection, limit=9)] == expected
        assert [one.id for one in await listed(store, selection, limit=9, oldest=True)] == expected[::-1]
        assert [one.id for one in await listed(store, selection, limit=1)] == expected[:1]
        assert await counted(store, selection) == len(expected)


@given(times=st.lists(st.integers(0, 4), max_size=30), size=st.integers(1, 5), oldest=st.booleans())
async def test_pages(times: list[int], size: int, oldest: bool) -> None:
    """All are given once and in order, whatever the pages are, also if many were given up at one time."""
    letters = [replace(letter(number), when=float(when)) for number, when in enumerate(times)]
    before = selecting.PAGE
    selecting.PAGE = size
    try:
        async with stored(*letters) as (store, _):
            all_of_them = [one.id for one in await store.letters.list(oldest=oldest)]
            assert [one.id async for one in chosen(store, Selection(), oldest=oldest)] == all_of_them
    finally:
        selecting.PAGE = before


async def test_an_id_may_be_cut() -> None:
    """As long as one letter is meant."""
    async with stored(letter(1, id="abc1"), letter(2, id="abd2")) as (store, _):
        assert (await found(store, "abc")).id == "abc1"
        with pytest.raises(UnknownName, match="2 letters begin with 'ab'"):
            await found(store, "ab")
        with pytest.raises(UnknownName, match="there is no letter 'x'"):
            await found(store, "x")


async def test_a_cluster_may_be_cut_too() -> None:
    """And one that is none is told."""
    async with stored(*SOME) as (store, _):
        assert (await cluster_found(store, SOME[0].cluster[:6])).count == 2
        with pytest.raises(UnknownName, match="3 clusters begin with ''"):
            await cluster_found(store, "")
        with pytest.raises(UnknownName, match="there is no cluster 'x'"):
            await cluster_found(store, "x")


async def test_a_route_that_is_meant_to_be_another() -> None:
    """A name that nearly is that of one with letters is told; one that just has none is not wrong."""
    async with stored(*SOME) as (store, _):
        await route_checked(store, None)
        await route_checked(store, "shop.orders")
        await route_checked(store, "something.else")
        with pytest.raises(UnknownName, match=r"did you mean 'shop\.orders'"):
            await route_checked(store, "shop.oders")
