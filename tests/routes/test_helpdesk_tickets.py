"""Tickets in step: the pair of `routes/helpdesk_tickets.py` between a helpdesk and a CRM in memory."""

from typing import Any

import pytest

from routekit.remotes import Creating, Feed
from routekit.testing.remote import Knobs
from routekit_mapping.testing import laws
from routekit_sync.testing import World
from routes.helpdesk_tickets import BACK, STATES, TICKETS, tickets

DESK = Knobs(
    prefix="i",
    granularity=1.0,
    compare_and_set=True,
    version_required=True,
    creating=Creating.REFUSE,
    findable=["title"],
)
"""Like Roundup: stamps of a second, versions that must be named, creates that work once."""
CRM = Knobs(
    prefix="c",
    feed=Feed.NONE,
    compare_and_set=False,
    creating=Creating.NONE,
    external_key="routekit_id",
    findable=["name"],
    archive={"status": "Closed"},
)
"""Like BottleCRM."""

TestMapping = laws(TICKETS)


def world() -> World:
    given = ("name", "match", "deletes")
    return World(tickets.units, a=DESK, b=CRM, **{name: getattr(tickets, name) for name in given})


def only(system: Any) -> dict[str, Any]:
    """The one ticket of a system."""
    (record,) = system.records.values()
    return dict(record.fields)


@pytest.mark.parametrize("state", STATES)
def test_a_state_of_the_helpdesk_stays_as_it_is(state: str) -> None:
    """The CRM gets the nearest one, and the helpdesk's own state, which it may not be able to tell, is not touched."""
    sides = world()
    sides.a.user_create({"title": "printer", "status": state, "priority": "bug"})
    sides.quiet()
    assert only(sides.b)["status"] == STATES[state]
    assert only(sides.a)["status"] == state
    assert sides.writes == 1


def test_what_the_crm_decides_goes_back() -> None:
    """A state that somebody sets in the CRM is the nearest one in the helpdesk, and nothing comes back from there."""
    sides = world()
    sides.a.user_create({"title": "printer", "status": "testing", "priority": "bug"})
    sides.quiet()
    sides.b.user_edit(next(iter(sides.b.records)), {"status": "Rejected"})
    sides.quiet()
    assert (only(sides.a)["status"], only(sides.b)["status"]) == (BACK["Rejected"], "Rejected")


def test_a_state_that_nobody_knows_is_set_aside() -> None:
    """It is told, not guessed, and the rest of the ticket goes on."""
    sides = world()
    sides.a.user_create({"title": "printer", "status": "someday", "priority": "bug"})
    sides.quiet()
    case = only(sides.b)
    assert (case["name"], case["priority"], case.get("status")) == ("printer", "High", None)


def test_both_work_at_a_ticket() -> None:
    """Of the state the helpdesk is right, of the urgency the CRM."""
    sides = world()
    issue = sides.a.user_create({"title": "printer", "status": "unread", "priority": "bug"})
    sides.quiet()
    sides.a.user_edit(issue, {"status": "resolved", "priority": "wish"})
    sides.b.user_edit(next(iter(sides.b.records)), {"status": "Pending", "priority": "Urgent"})
    sides.quiet()
    assert (only(sides.a)["status"], only(sides.b)["status"]) == ("resolved", "Closed")
    assert (only(sides.a)["priority"], only(sides.b)["priority"]) == ("critical", "Urgent")


def test_a_ticket_that_is_retired_is_closed() -> None:
    """In the CRM it is out of use, and not deleted."""
    sides = world()
    issue = sides.a.user_create({"title": "printer", "status": "unread", "priority": "bug"})
    sides.quiet()
    sides.a.user_delete(issue)
    sides.quiet()
    assert only(sides.b)["status"] == "Closed"


@pytest.mark.parametrize("step", range(1, 60))
def test_a_kill_anywhere_makes_no_ticket_twice(step: int) -> None:
    """Also where a create can neither be found by an id of ours nor asked for again."""
    sides = world()
    sides.a.user_create({"title": "printer", "status": "unread", "priority": "bug"})
    sides.b.user_create({"name": "screen", "status": "New", "priority": "Low"})
    sides.cycle(kill_at=step)
    sides.quiet()
    assert (len(sides.a.records), len(sides.b.records)) == (2, 2)
