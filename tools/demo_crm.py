"""The CRM demo: three real systems kept in step while people edit both sides and the daemon is killed twice.

Starts Tryton, BottleCRM and Roundup in temporary folders, seeds them, and runs the routes `erp_customers` and
`helpdesk_tickets` of `routes/` by the real daemon. Between the daemon and each system stands a counter, which passes
all calls on and notes the writes: what is printed in the end is counted by it and read from the systems, past RouteKit.

Exit code 0 if nothing differs, nothing is there twice and every edit was written exactly once; 1 otherwise.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode, urlsplit

from routekit_connectors.testing import BottleCRM, RealServer, Roundup, Tryton

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = 20
TICKETS = 10
PATIENCE = 240.0
"""Seconds until what is awaited must have come."""
Row = dict[str, Any]


class Passing(BaseHTTPRequestHandler):
    """Passes a call on, and notes it if it writes."""

    protocol_version = "HTTP/1.1"
    to: tuple[str, int]
    note: Callable[[str, str, bytes], None]

    def _pass(self) -> None:
        here, real = f"127.0.0.1:{self.server.server_port}", f"{self.to[0]}:{self.to[1]}"  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {
            name: value.replace(here, real) for name, value in self.headers.items()
        }  # systems check their origin
        there = HTTPConnection(*self.to, timeout=60)
        try:
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            content = answer.read()
            if not answer.getheader("content-encoding"):
                content = content.replace(real.encode(), here.encode())
        finally:
            there.close()
        if answer.status < 400:
            type(self).note(self.command, self.path, body)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the demo prints what matters."""


@dataclass
class Counting:
    """Stands before a system, and counts the writes that it has carried out."""

    server: RealServer
    writes: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def serving(self) -> Generator[str]:
        """Gives the URL under which the system is reached through it."""
        there = urlsplit(self.server.url)

        class Handler(Passing):
            to = (there.hostname or "", there.port or 80)
            note = staticmethod(self._note)

        class Gate(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Nothing: whoever was killed does not wait for its answer."""

        with Gate(("127.0.0.1", 0), Handler) as counter:
            threading.Thread(target=counter.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{counter.server_port}"
            counter.shutdown()

    def _note(self, method: str, path: str, body: bytes) -> None:
        if "/rpc/" in path:
            method = _remote_write(body)
        if method in ("GET", ""):
            return
        if path.rstrip("/").endswith("@poe"):
            return  # a URL for a create is asked for: nothing is made yet
        self.writes[method] += 1


def _remote_write(body: bytes) -> str:
    """The word of a call that writes; empty for one that reads."""
    word = json.loads(body).get("method", "").rpartition(".")[2]
    return word if word in ("create", "write", "delete") else ""


@dataclass
class Hands:
    """What people's programs do to a system, past RouteKit and its counters."""

    url: str
    headers: Mapping[str, str]

    def __call__(self, method: str, path: str, document: Any = None, **headers: str) -> Any:
        body = None if document is None else json.dumps(document).encode()
        given = {"Content-Type": "application/json", "Accept": "application/json", **self.headers, **headers}
        request = urllib.request.Request(f"{self.url}/{path}", body, given, method=method)  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
            return json.loads(answer.read() or b"null")


class Systems:
    """The three systems, as people see them."""

    def __init__(self, crm: BottleCRM, erp: Tryton, desk: Roundup) -> None:
        self.crm = Hands(crm.api, {"Authorization": f"Bearer {crm.token}"})
        self.erp = Hands(erp.rest, {"Authorization": f"bearer {erp.key}"})
        login = b64encode(f"{desk.user}:{desk.password}".encode()).decode()
        origin = {"Origin": desk.url, "Referer": f"{desk.url}/", "X-Requested-With": "rest"}
        self.desk = Hands(f"{desk.rest}/data", {"Authorization": f"Basic {login}", **origin})

    def contacts(self) -> list[Row]:
        """Contacts of the CRM that have an address."""
        return [row for row in self.crm("GET", "contacts/?limit=1000")["results"] if row["email"]]

    def parties(self) -> list[Row]:
        """Parties of the ERP that have an address."""
        asked = urlencode([("f", name) for name in ("name", "email", "phone")])
        return [row for row in self.erp("GET", f"party.party?{asked}&s=1000") if row["email"]]

    def cases(self) -> list[Row]:
        """Tickets of the CRM."""
        return self.crm("GET", "cases/?limit=1000")["cases"]

    def issues(self) -> list[Row]:
        """Tickets of the helpdesk."""
        asked = urlencode({"@fields": "title,status,priority", "@verbose": "2", "@page_size": "1000"})
        return self.desk("GET", f"issue?{asked}")["data"]["collection"]

    def person_in_crm(self, number: int) -> None:
        """A new contact."""
        named = {"first_name": f"Crm{number}", "last_name": "Person", "email": f"crm{number}@example.test"}
        self.crm("POST", "contacts/", {**named, "phone": f"+49 30 1{number:05}"})

    def person_in_erp(self, number: int) -> None:
        """A new party."""
        reached = [["create", [{"type": "email", "value": f"erp{number}@example.test"}]]]
        self.erp("POST", "party.party", {"name": f"Erp{number} Person", "contact_mechanisms": reached})

    def ticket_in_crm(self, number: int) -> None:
        """A new case."""
        self.crm("POST", "cases/", {"name": f"case {number}", "status": "New", "priority": "High"})

    def ticket_in_desk(self, number: int) -> None:
        """A new issue."""
        self.desk("POST", "issue", {"title": f"issue {number}", "status": "unread", "priority": "feature"})

    def edit(self, turn: int) -> int:
        """People change some records on every side; gives how many."""
        contacts = [row for row in self.contacts() if row["email"].startswith("erp")][:5]
        for row in contacts:
            self.crm("PATCH", f"contacts/{row['id']}/", {"phone": f"+49 40 {turn}{row['email'][3:5].strip('@')}000"})
        parties = [row for row in self.parties() if row["email"].startswith("crm")][:5]
        for row in parties:
            self.erp("PUT", f"party.party/{row['id']}", {"name": f"{row['name'].partition(' ')[0]} Round{turn}"})
        cases = [row for row in self.cases() if row["name"].startswith("issue")][:3]
        for row in cases:
            self.crm("PATCH", f"cases/{row['id']}/", {"priority": ("Low", "Urgent")[turn % 2]})
        issues = [row for row in self.issues() if row["title"].startswith("case")][:3]
        for row in issues:
            version = self.desk("GET", f"issue/{row['id']}")["data"]["@etag"]
            changed = {"status": ("in-progress", "resolved")[turn % 2]}
            self.desk("PATCH", f"issue/{row['id']}", changed, **{"If-Match": version})
        return len(contacts) + len(parties) + len(cases) + len(issues)

    def differences(self) -> list[str]:
        """What is not the same on both sides, or there twice; in words."""
        found: list[str] = []
        contacts = [
            (r["email"].lower(), f"{r['first_name']} {r['last_name']}", r["phone"] or "") for r in self.contacts()
        ]
        parties = [(row["email"].lower(), row["name"], row["phone"] or "") for row in self.parties()]
        found += _compared("contact", "party", contacts, parties)
        states = {"New": "unread", "Assigned": "in-progress", "Pending": "need-eg", "Closed": "resolved"}
        weights = {"Low": "wish", "Normal": "feature", "High": "bug", "Urgent": "critical"}
        cases = [(row["name"], states[row["status"]], weights[row["priority"]]) for row in self.cases()]
        issues = [(row["title"], row["status"]["name"], row["priority"]["name"]) for row in self.issues()]
        return found + _compared("case", "issue", cases, issues)


def _compared(one: str, other: str, left: list[tuple[str, ...]], right: list[tuple[str, ...]]) -> list[str]:
    found: list[str] = []
    for name, rows in ((one, left), (other, right)):
        found += [f"{name} {key} is there {count} times" for key, count in _keys(rows).items() if count > 1]
    ours, theirs = ({row[0]: row for row in rows} for rows in (left, right))
    found += [f"{one} {key} has no {other}" for key in ours.keys() - theirs.keys()]
    found += [f"{other} {key} has no {one}" for key in theirs.keys() - ours.keys()]
    found += [f"{ours[key]} is {theirs[key]}" for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]]
    return found


def _keys(rows: list[tuple[str, ...]]) -> Counter[str]:
    return Counter(row[0] for row in rows)


class Daemon:
    """`routekit serve`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on what it has kept."""
        command = [str(Path(sys.executable).parent / "routekit"), "serve", str(ROOT / "routes")]
        chosen = ["--route", "erp_customers.*", "--route", "helpdesk_tickets.*"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *chosen], cwd=self._folder, stdout=log, stderr=log, env={**os.environ, "SYNC_EVERY": "2s"}
            )

    def kill(self) -> None:
        """As a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def until(what: str, found: Callable[[], bool], daemon_log: Path) -> None:
    """Wait for something; ends the demo with the daemon's log if it does not come."""
    end = time.monotonic() + PATIENCE
    while not found():
        if time.monotonic() > end:
            sys.exit(f"{what} did not come within {PATIENCE:g} s; the daemon said:\n{daemon_log.read_text()[-4000:]}")
        time.sleep(0.5)


def same(systems: Systems, log: Path) -> None:
    """Wait until both sides have the same; ends the demo with what differs."""
    end = time.monotonic() + PATIENCE
    while differences := systems.differences():
        if time.monotonic() > end:
            sys.exit("\n".join(["still different:", *differences[:10], "the daemon said:", log.read_text()[-4000:]]))
        time.sleep(0.5)


def settings(folder: Path, crm: BottleCRM, erp: Tryton, desk: Roundup, urls: Mapping[str, str]) -> None:
    """The daemon's settings: its connections lead through the counters."""
    (folder / "routekit.toml").write_text(
        f"""[control]
listen = ""

[http.crm]
url = "{urls["crm"]}/api"
auth = {{ kind = "bearer", token = "{crm.token}" }}

[http.erp]
url = "{urls["erp"]}/{erp.database}"
auth = {{ kind = "basic", user = "{erp.user}", password = "{erp.password}" }}

[http.desk]
url = "{urls["desk"]}"
auth = {{ kind = "basic", user = "{desk.user}", password = "{desk.password}" }}
"""
    )


def main() -> int:
    """Run it all; see above."""
    for kind in (BottleCRM, Tryton, Roundup):
        if reason := kind.missing():
            print(reason, file=sys.stderr)
            return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="routekit-demo-")))
        print("starting Tryton, BottleCRM and Roundup ...", flush=True)
        crm, erp, desk = stack.enter_context(BottleCRM()), stack.enter_context(Tryton()), stack.enter_context(Roundup())
        counters = {"crm": Counting(crm), "erp": Counting(erp), "desk": Counting(desk)}
        urls = {name: stack.enter_context(counter.serving()) for name, counter in counters.items()}
        settings(folder, crm, erp, desk, urls)
        daemon = Daemon(folder)
        stack.callback(daemon.kill)
        return played(Systems(crm, erp, desk), daemon, counters, folder / "log")


def played(systems: Systems, daemon: Daemon, counters: Mapping[str, Counting], log: Path) -> int:
    """Seed, run, edit, kill; then compare and count."""

    def writes() -> int:
        return sum(counter.writes.total() for counter in counters.values())

    wanted = 0
    print(f"seeding {PEOPLE} people and {TICKETS} tickets on each side ...", flush=True)
    known = len(systems.contacts()) + len(systems.parties()) + len(systems.cases()) + len(systems.issues())
    for number in range(PEOPLE):
        systems.person_in_crm(number)
        systems.person_in_erp(number)
    for number in range(TICKETS):
        systems.ticket_in_crm(number)
        systems.ticket_in_desk(number)
    wanted += known + 2 * (PEOPLE + TICKETS)
    daemon.start()
    until("the first write", lambda: writes() > 5, log)
    print("killing the daemon in the middle of its first cycle ...", flush=True)
    daemon.kill()
    daemon.start()
    same(systems, log)
    print(f"{writes()} writes so far; now people edit on all sides", flush=True)
    wanted += systems.edit(1)
    same(systems, log)
    before = writes()
    wanted += systems.edit(2)
    until("a write of the second round", lambda: writes() > before, log)
    print("killing the daemon in the middle of a cycle ...", flush=True)
    daemon.kill()
    daemon.start()
    same(systems, log)
    rest = writes()
    time.sleep(6)  # some cycles in which nothing is to be written
    late = writes() - rest
    return told(systems, counters, wanted, late)


def told(systems: Systems, counters: Mapping[str, Counting], wanted: int, late: int) -> int:
    """Print what is there and what was written; 0 if all is well."""
    differences = systems.differences()
    doubles = [line for line in differences if line.endswith("times")]
    done = sum(counter.writes.total() for counter in counters.values())
    for name, counter in counters.items():
        print(f"  {name:<5} {counter.writes.total():>4} writes  {dict(counter.writes)}")
    print(f"people: {len(systems.contacts())} contacts, {len(systems.parties())} parties")
    print(f"tickets: {len(systems.cases())} cases, {len(systems.issues())} issues")
    print(f"{len(differences) - len(doubles)} differences, {len(doubles)} duplicates")
    print(f"{wanted} creates and edits by people, {done} writes by RouteKit, {late} of them after all was in step")
    for line in differences[:20]:
        print(f"  {line}")
    return 0 if not differences and done == wanted and not late else 1


if __name__ == "__main__":
    sys.exit(main())
