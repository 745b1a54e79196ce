"""Joining: places of transactions are opened with their route, and the sinks that join them by them alone."""

from typing import Any

import pytest

from routekit import Message, Unavailable, from_
from routekit.runtime.joining import Joins
from routekit.step import Target
from routekit.testing import Catalog, Feed, Ledger, Sink, probed, run_routes

pytestmark = pytest.mark.anyio


async def test_nothing_can_be_committed_before_the_route_is_open() -> None:
    """Steps are bound before: who asks too early is told."""
    rows = Sink()
    joined = Joins(Catalog()).add(Target(Ledger(sinks=[rows])), "o")
    assert joined.joins(Target(rows))
    assert not joined.joins(Target(Sink()))
    with pytest.raises(Unavailable, match="is not open"):
        await joined.effects(Target(rows))(Message(1))


async def test_a_sink_that_joins_is_opened_by_the_place_of_the_transaction_only() -> None:
    """It has one way in: what is sent to it outside of the transaction has another."""
    opened: list[Any] = []

    class Counting(Sink):
        def open(self, runtime: Any) -> Any:
            opened.append(self)
            return super().open(runtime)

    rows = Counting()
    await run_routes(from_(Feed([1])).transaction(Ledger(sinks=[rows]), lambda t: t.to(rows).to(rows), name="o"))
    assert (opened, rows.bodies) == ([rows], [1, 1])


async def test_places_of_transactions_are_probed_too() -> None:
    """`check --connect` asks them, and the sinks that join."""

    class Asked(Ledger):
        async def probe(self, runtime: Any) -> str:
            return "it is there"

    found = await probed(from_(Feed([1])).transaction(Asked(), lambda t: t, name="o"))
    assert [one.found for one in found] == ["it is there"]
