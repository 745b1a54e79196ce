"""Faults of integrations that everybody has written once: that they cannot happen here."""

from typing import Any

import pytest
from pydantic import BaseModel

from routekit import Policy, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes
from routekit.testing.remote import Fault, FaultKind, Knobs
from routekit_mapping import Mapping, fields, same
from routekit_sync import units_of
from routes.erp_orders import Deal, as_order

from .test_erp_customers import ADA, settled, world
from .test_people import joins, users
from .test_people import world as office


def test_nothing_is_sent_back_where_it_came_from() -> None:
    """A record that was written to one side is no change of that side: an edit is one write, and then there is rest."""
    sides = world()
    party = sides.a.user_create(ADA)
    settled(sides)
    for number in range(5):
        before = sides.writes
        sides.a.user_edit(party, {"phone": f"+4930{number}"})
        assert sides.quiet() == sides.writes - before == 1


def test_one_record_that_is_refused_stops_nobody() -> None:
    """All pages are read and all others written; what was refused is told, and comes when it is taken."""
    sides = office()
    for number in range(20):
        joins(sides, f"p{number:02}")
    sides.b.faults.plan(Fault(FaultKind.REFUSED, op="create", at=3, times=1, why="no"))
    summary = sides.cycle()
    assert summary is not None
    assert (summary.created_b, summary.failed) == (19, 1)
    sides.quiet()
    assert len(users(sides)) == 20


def test_a_second_run_makes_nothing_twice() -> None:
    """What is there is changed, never made again, however often everything is read."""
    sides = office()
    joins(sides, "ada")
    for _ in range(4):
        sides.wait(400)
        sides.cycle(full=True)
    assert [op for op, _, _ in sides.b.writes] == ["create"]


def test_changes_of_one_instant_are_all_seen() -> None:
    """More records of one time than a page has: each is written once, none is passed over, none is appended."""
    sides = world(erp=Knobs(prefix="p", granularity=1.0, page_size=3, compare_and_set=True))
    parties = [sides.a.user_create({**ADA, "email": f"p{number}@example.org"}) for number in range(11)]
    settled(sides)
    before = sides.writes
    for party in parties:
        sides.a.user_edit(party, {"city": "Bonn"})
    settled(sides)
    assert sides.writes - before == 11
    assert {record.fields["city"] for record in sides.b.records.values()} == {"Bonn"}
    assert len(sides.b.records) == 11


def test_a_side_that_is_suddenly_empty_takes_nothing_with_it() -> None:
    """However few there were: nobody is put out of use, and it is told."""
    sides = world()
    for number in range(6):
        sides.b.user_create({"last_name": "Bob", "email": f"b{number}@example.org", "active": True})
    settled(sides)
    for contact in list(sides.b.records):
        sides.b.user_delete(contact)
    sides.quiet()
    assert [record.fields["active"] for record in sides.a.records.values()] == [True] * 6
    assert sides.alerts


def test_amounts_stay_exact() -> None:
    """Money is a decimal number from one end to the other, and never a fraction of two or a number of cents."""
    deal = {
        "id": "1",
        "name": "x",
        "stage": "CLOSED_WON",
        "amount": "0.30",
        "quantity": "3",
        "sku": "W",
        "contacts": ["c"],
    }
    assert str(as_order(Deal.model_validate(deal)).unit_price) == "0.10"


class Left(BaseModel):
    age: int | None = None


class Right(BaseModel):
    age: int | None = None


def test_a_text_is_no_number() -> None:
    """A value of another type is told, and overwrites nothing."""
    (unit,) = units_of(Mapping(Left, Right, same(fields(Left).age, fields(Right).age)))
    assert unit.to_b is not None
    assert unit.to_b({"age": 30}) == {"age": 30}
    with pytest.raises(ValueError, match="age"):
        unit.to_b({"age": "30"})


@pytest.mark.anyio
async def test_nothing_is_acknowledged_before_it_is_done() -> None:
    """A message whose write fails stays with its source."""
    feed: Any = Feed([1, 2])
    crm = Sink(fail={1: Unavailable("the CRM is away")})
    await run_routes(from_(feed, int, policy=Policy(dead_letter="refuse")).to(crm))
    assert (crm.bodies, len(feed.acknowledged)) == ([2], 1)
