"""Real systems kept in step, by the command that people use: both ways, and through kills at the worst moments."""

from typing import Any
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def new(name: str = "") -> str:
    return f"{name}{uuid4().hex[:10]}"


def mail() -> str:
    return f"{new('p')}@example.test"


def by_email(rows: list[dict[str, Any]], email: str) -> dict[str, Any]:
    found = [row for row in rows if row["email"] == email]
    assert len(found) == 1, f"{len(found)} records have {email}"
    return found[0]


def titled(rows: list[dict[str, Any]], name: str, title: str) -> dict[str, Any]:
    found = [row for row in rows if row[name] == title]
    assert len(found) == 1, f"{len(found)} records are called {title}"
    return found[0]


def test_contacts_and_parties(project: Any, crm: Any, erp: Any) -> None:
    """What is made and edited on both sides gets to the other, each once, also if the process is killed in between."""
    ada, bob, eve, dan = mail(), mail(), mail(), mail()
    one = crm.make("contacts", first_name="Ada", last_name="Lovelace", email=ada, phone="+49 30 123456")
    two = erp.make("Bob Builder", bob)
    assert project.run("people")["complete"]
    assert by_email(erp.parties(), ada)["name"] == "Ada Lovelace"
    assert by_email(erp.parties(), ada)["phone"] == "+49 30 123456"
    assert by_email(crm.contacts(), bob)["last_name"] == "Builder"

    # Two edits of one record, one on each side, and neither is lost.
    crm.edit("contacts", one, phone="+49 30 654321")
    erp.edit(by_email(erp.parties(), ada)["id"], name="Ada King")
    project.run("people")
    assert by_email(crm.contacts(), ada)["last_name"] == "King"
    assert by_email(erp.parties(), ada)["phone"] == "+49 30 654321"

    # Killed when the write was answered, and nothing of it is known.
    crm.make("contacts", first_name="Eve", last_name="Moneypenny", email=eve)
    project.run("people", kill="create/b")
    erp.make("Dan Brown", dan)
    project.run("people", kill="create/a")
    erp.edit(two, name="Bob Marley")
    project.run("people", kill="update/a")
    project.run("people")
    assert by_email(erp.parties(), eve)["name"] == "Eve Moneypenny"
    assert by_email(crm.contacts(), dan)["last_name"] == "Brown"
    assert by_email(crm.contacts(), bob)["last_name"] == "Marley"

    done = project.run("people")
    assert (done["writes"], done["failed"], done["drift"], done["conflicts"], done["parked"]) == (0, 0, 0, 0, 0)
    assert by_email(erp.parties(), bob)["id"] == two


def test_cases_and_issues(project: Any, crm: Any, desk: Any) -> None:
    """A create that works once, and versions that each write names: a helpdesk without an id of ours gets no twin."""
    printer, screen, mouse, cable = new("printer"), new("screen"), new("mouse"), new("cable")
    crm.make("cases", name=printer, status="New", priority="High")
    desk.make(title=screen, status="unread", priority="feature")
    project.run("tickets")
    assert titled(desk.issues(), "title", printer)["priority"]["name"] == "bug"
    case = titled(crm.cases(), "name", screen)
    assert (case["status"], case["priority"]) == ("New", "Normal")

    desk.edit(titled(desk.issues(), "title", printer)["id"], status="resolved")
    crm.edit("cases", case["id"], priority="Urgent")
    project.run("tickets")
    assert titled(crm.cases(), "name", printer)["status"] == "Closed"
    assert titled(desk.issues(), "title", screen)["priority"]["name"] == "critical"

    crm.make("cases", name=mouse, status="New", priority="Low")
    project.run("tickets", kill="create/b")
    desk.make(title=cable, status="unread", priority="wish")
    project.run("tickets", kill="create/a")
    crm.edit("cases", case["id"], priority="Low")
    project.run("tickets", kill="update/b")
    project.run("tickets")
    assert titled(desk.issues(), "title", mouse)["priority"]["name"] == "wish"
    assert titled(crm.cases(), "name", cable)["priority"] == "Low"
    assert titled(desk.issues(), "title", screen)["priority"]["name"] == "wish"

    done = project.run("tickets")
    assert (done["writes"], done["failed"], done["drift"], done["conflicts"], done["parked"]) == (0, 0, 0, 0, 0)
