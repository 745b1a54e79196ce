"""Tickets: cases of the CRM and issues of the helpdesk are kept in step, both ways, by words that each side has.

What state a ticket is in the helpdesk knows best, how urgent it is the CRM. A case has more states than an issue and an
issue more than a case: a state that both sides tell apart goes there and back, the others go to the nearest one, and
come back only if somebody changed them. A ticket is closed, never deleted.

Needs the connections `desk` (Roundup) and `crm` (BottleCRM); see docs/routes/helpdesk-tickets.md.
"""

from pydantic import BaseModel

from routekit import from_
from routekit_connectors import bottlecrm, roundup
from routekit_mapping import Mapping, convert, fields, same, value_map
from routekit_sync import Deleted, Match, Rule, Summary, SyncPair, units_of


class Issue(BaseModel):
    """A ticket of the helpdesk."""

    title: str
    status: str | None = None
    priority: str | None = None


class Case(BaseModel):
    """A ticket of the CRM."""

    name: str
    status: str | None = None
    priority: str | None = None


STATES = {
    "unread": "New",
    "chatting": "Pending",
    "need-eg": "Pending",
    "deferred": "Pending",
    "in-progress": "Assigned",
    "testing": "Assigned",
    "done-cbb": "Closed",
    "resolved": "Closed",
}
"""States of the helpdesk, each with the CRM's."""

BACK = {
    "New": "unread",
    "Pending": "need-eg",
    "Assigned": "in-progress",
    "Closed": "resolved",
    "Rejected": "resolved",
    "Duplicate": "resolved",
}
"""States of the CRM, each with the helpdesk's."""

PRIORITIES = {"critical": "Urgent", "urgent": "Urgent", "bug": "High", "feature": "Normal", "wish": "Low"}
URGENCIES = {"Urgent": "critical", "High": "bug", "Normal": "feature", "Low": "wish"}

i, c = fields(Issue), fields(Case)

TICKETS = Mapping(
    Issue,
    Case,
    same(i.title, c.name),
    convert(i.status, c.status, value_map(STATES, back=BACK)),
    convert(i.priority, c.priority, value_map(PRIORITIES, back=URGENCIES)),
    name="tickets",
)

tickets = SyncPair(
    "tickets",
    a=roundup.issues("desk"),
    b=bottlecrm.cases("crm", link="routekit_id"),
    units=units_of(TICKETS, rules={"priority": Rule.B}),
    match=[Match("title", ["title"], ["name"])],
    deletes=Deleted.ARCHIVE,
)

in_step = from_("sync:routes.helpdesk_tickets:tickets?every=${SYNC_EVERY:15s}&quiet=true", Summary)
"""Each cycle is a line in the log; its message is for who wants to be told of it."""
