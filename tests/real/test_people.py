"""The list of a personnel office, as an API gives it, and the users of the real helpdesk."""

import json
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Office:
    """The list, and where it is asked for."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    url: str = ""

    def joins(self, login: str) -> None:
        own = {"id": login, "login": login, "name": login.title(), "email": f"{login}@example.test", "state": "active"}
        self.people[login] = own

    def page(self, number: int, size: int) -> list[dict[str, Any]]:
        return sorted(self.people.values(), key=lambda one: one["id"])[(number - 1) * size : number * size]


@pytest.fixture
def office() -> Generator[Office]:
    made = Office()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            found = made.people.get(place.rpartition("/")[2])
            if place == "/users":
                found = {"users": made.page(int(asked["page"][0]), int(asked["per_page"][0]))}
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


def users(desk: Any) -> dict[str, dict[str, Any]]:
    rows = desk.ask("GET", "user?@fields=username,realname,address,roles&@page_size=500")["data"]["collection"]
    return {row["username"]: row for row in rows}


def test_joiners_changes_and_leavers(project: Any, office: Office, desk: Any) -> None:
    """A user for each, once; a change is written; who has left has no role; and who is not on the list is no user."""
    settings = project.folder / "routekit.toml"
    settings.write_text(f'{settings.read_text()}\n[http.hr]\nurl = "{office.url}"\n')

    def cycle() -> dict[str, Any]:
        command = [str(Path(sys.executable).parent / "routekit"), "sync", "run", "people", "--json"]
        where = ["--routes", str(ROOT / "routes")]
        done = subprocess.run([*command, *where], cwd=project.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)[0]

    ann, bob, eve = (f"{name}{uuid4().hex[:8]}" for name in ("ann", "bob", "eve"))
    for login in (ann, bob, eve):
        office.joins(login)
    assert cycle()["writes"] == 3
    assert users(desk)[ann]["address"] == f"{ann}@example.test"
    assert users(desk)[ann]["roles"] == "User"

    office.people[ann]["name"] = "Ann Other"
    office.people[bob]["state"] = "left"
    del office.people[eve]
    cycle()
    assert users(desk)[ann]["realname"] == "Ann Other"
    assert not users(desk)[bob]["roles"]
    assert eve not in users(desk)

    office.people[bob]["state"] = "active"
    cycle()
    assert users(desk)[bob]["roles"] == "User"
    assert cycle()["writes"] == 0
