"""The desk: open issues of the helpdesk go to the agent who fits, and what waits too long is told.

Agents are in `routes/agents.json`, or in the file that HELPDESK_AGENTS names, which is read again for each issue:
skills, how much each can carry, absences. Who has what is kept in the store, one change after the other, so that two
processes stay fair. An issue for which nobody has room comes again until somebody has. An issue that nobody touched
within the time for its urgency is a line of `data/helpdesk/late.csv`.

Needs the connection `desk` (Roundup); see docs/routes/helpdesk-tickets.md.
"""

import json
import os
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from routekit import Endpoint, Flow, Policy, Retry, Unavailable, from_
from routekit.remotes import Remote
from routekit_connectors import roundup
from routekit_sync import RecordSink, RecordSource

from .assignment import Agent, Desk, Ticket, assigned

LATE = "file:${HELPDESK:data/helpdesk}?name=late.csv&exists=append&codec=csv"
AWAY = Retry(10, first=1.0, most=300.0, on=Unavailable)
OPEN = {"unread", "chatting", "need-eg", "deferred", "in-progress", "testing"}
HOURS = {"critical": 1.0, "urgent": 2.0, "bug": 8.0, "feature": 24.0}
"""Hours within which somebody has to have begun, by urgency; others have three days."""


class Issue(BaseModel):
    """An issue of the helpdesk."""

    model_config = ConfigDict(extra="ignore")

    id: str
    title: str = ""
    status: str | None = None
    priority: str | None = None
    assigned_to: str | None = None

    @property
    def ticket(self) -> Ticket:
        """As it matters for who gets it."""
        return Ticket(id=self.id, title=self.title, open=self.status in OPEN, agent=self.assigned_to)


class Late(BaseModel):
    """An issue that nobody has begun in time."""

    issue: str
    title: str
    priority: str | None
    hours: float
    agent: str | None


def agents() -> list[Agent]:
    """The agents, as the file has them now."""
    path = Path(os.environ.get("HELPDESK_AGENTS") or Path(__file__).with_name("agents.json"))
    return [Agent.model_validate(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def given(desk: Desk, issue: Issue) -> Desk:
    """The desk, with this issue."""
    return assigned(desk, issue.ticket, agents(), time.time())


def with_agent(issue: Issue, desk: Desk) -> Issue:
    """The issue with the agent whom the desk has chosen; raises Unavailable if nobody can take it now."""
    agent = desk.open.get(issue.id)
    if agent is None and issue.status in OPEN:
        raise Unavailable(f"nobody has room for issue {issue.id}", hint="it comes again; see routes/agents.json")
    return issue.model_copy(update={"assigned_to": agent})


def hours(issue: Issue) -> float:
    """Hours within which somebody has to begin."""
    return HOURS.get(issue.priority or "", 72.0)


def late(issue: Issue) -> Late:
    """What is told of an issue that waits too long."""
    return Late(issue=issue.id, title=issue.title, priority=issue.priority, hours=hours(issue), agent=issue.assigned_to)


def desk_of(issues: Remote, *, every: float = 15.0) -> Flow[Issue]:
    """The route that gives issues away, for this helpdesk."""
    return (
        from_(RecordSource(remote=issues, name="desk", every=every), Issue, policy=Policy(dead_letter="refuse"))
        .filter(lambda issue: not issue.assigned_to or issue.status not in OPEN)
        .update(
            "helpdesk-desk",
            key=lambda issue: "desk",
            body=Desk,
            change=given,
            first=Desk(),
            merge=with_agent,
            remember=1,  # one that waits is looked at again once something else has changed
        )
        .filter(lambda issue: issue.status in OPEN)
        .to(
            RecordSink(remote=issues, mode="update"),
            id=lambda issue: issue.id,
            fields=lambda issue: {"assigned_to": issue.assigned_to},
            retry=AWAY,
        )
        .log("issue {body.id} goes to {body.assigned_to}")
    )


def overdue(issues: Remote, told: str | Endpoint = LATE, *, every: float = 15.0) -> Flow[Late]:
    """The route that tells of issues which wait too long."""
    return (
        from_(RecordSource(remote=issues, name="overdue", every=every), Issue)
        .filter(lambda issue: issue.status == "unread")
        .idempotent("overdue-seen", key=lambda issue: issue.id)
        .delay("overdue", Issue, by=lambda issue: hours(issue) * 3600)
        .enrich(RecordSink(remote=issues, mode="get"), answer=Issue, id=lambda issue: issue.id, retry=AWAY)
        .filter(lambda issue: issue.status == "unread")
        .transform(late)
        .to(told)
    )


_EVERY = float(os.environ.get("DESK_EVERY", "15"))
"""Seconds between two looks."""
_issues = roundup.issues("desk")

given_away = desk_of(_issues, every=_EVERY)
too_late = overdue(_issues, every=_EVERY)
