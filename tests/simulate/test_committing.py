"""Transactions in a simulation: they keep their promise, and who breaks it is found."""

from typing import Any

import pytest
from pydantic import BaseModel

from routekit import Flow, from_
from routekit.shipping import Shipper
from routekit.simulate.committing import Committing
from routekit.testing import simulate


class Order(BaseModel):
    id: int
    customer: str


def placing() -> Flow[Any]:
    return from_("rabbitmq:orders", Order).transaction(
        "sql:shop", lambda t: t.to("sql:shop/orders").to("rabbitmq:placed"), name="placing"
    )


def test_transactions_hold_in_a_simulation() -> None:
    """Effects are there once, and messages are sent, whatever happens to the process and to its connections."""
    report = simulate(placing(), seeds=40)
    assert not report.violations, report.violations[0]


def test_a_shipper_that_forgets_before_it_sends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in between loses the message."""
    send = Shipper._send  # pyright: ignore[reportPrivateUsage]  # the defect is planted there

    async def too_early(self: Any, lane: Any, parcels: Any, held: Any, done: Any) -> None:
        await self._transactions.sent([one.number for one in parcels])
        await send(self, lane, parcels, held, done)

    monkeypatch.setattr(Shipper, "_send", too_early)
    report = simulate(placing(), seeds=60, fail_fast=True)
    assert report.violations


def test_a_place_that_does_not_look_at_marks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that comes again is done again."""

    commit = Committing.open

    def forgetful(self: Any, runtime: Any, name: str, sinks: Any) -> Any:
        self.book.marks[name] = _Never()
        return commit(self, runtime, name, sinks)

    monkeypatch.setattr(Committing, "open", forgetful)
    report = simulate(placing(), seeds=60, fail_fast=True)
    assert report.violations


class _Never(set[str]):
    """Marks that nobody finds again."""

    def __contains__(self, key: object) -> bool:
        return False
