"""Issues of the real helpdesk are given to its agents."""

from typing import Any
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def test_an_issue_gets_an_agent(project: Any, desk: Any) -> None:
    """One that nobody has, once; a second look changes nothing, and a closed one is left alone."""
    title = f"printer {uuid4().hex[:8]}"
    issue = desk.make(title=title, status="unread", priority="bug")
    done = desk.make(title=f"{title} done", status="resolved", priority="bug")
    said = project.routes("helpdesk_desk.given_away")
    assert f"issue {issue} goes to admin" in said
    row = desk.ask("GET", f"issue/{issue}")["data"]
    assert desk.ask("GET", f"user/{row['attributes']['assignedto']['id']}")["data"]["attributes"]["username"] == "admin"
    assert desk.ask("GET", f"issue/{done}")["data"]["attributes"]["assignedto"] is None
    again = project.routes("helpdesk_desk.given_away")
    assert f"issue {issue} goes" not in again
    assert desk.ask("GET", f"issue/{issue}")["data"]["@etag"] == row["@etag"]
