"""`routekit sync` as people use it: in a project of two folders of JSON files."""

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, TypeVar

import anyio
import pytest
from typer.testing import CliRunner

from routekit import BadOption, DefinitionError, Store, Unavailable, UnknownName
from routekit.testing import Catalog
from routekit_sync.commands import sync
from routekit_sync.ledger import Ledger

T = TypeVar("T")

ROUTES = """
from pathlib import Path
from routekit import from_
from routekit.remotes import Refused
from routekit_sync import Brake, Deleted, FolderRemote, Match, Retrying, Rule, SyncPair, SyncSource, Unit
from routekit_sync.folder import FolderSession


class Picky(FolderSession):
    def _write(self, id, fields):
        if fields.get("title") == "Nobody":
            raise Refused(f"{fields['mail']} is no customer")
        if fields.get("title") == "Blocked":
            raise Refused("no such name", fields={"title": "no such name"})
        return super()._write(id, fields)


class PickyRemote(FolderRemote):
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open(self, runtime=None):
        if (self.folder / "away").exists():
            from routekit import Unavailable
            raise Unavailable("erp does not answer", hint="is it up?")
        yield Picky(self.folder)


def both(a, b, **more):
    return Unit(a, [a], [b], lambda one: {b: one.get(a)}, lambda one: {a: one.get(b)}, **more)


customers = SyncPair(
    "customers",
    FolderRemote("crm", Path("crm")),
    PickyRemote("erp", Path("erp")),
    [
        both("name", "title"),
        both("email", "mail", sensitive={"email": "email"}),
        both("phone", "phone", rule=Rule.MANUAL),
    ],
    match=[Match("e-mail", ["email"], ["mail"], key=lambda c: c.get("email"), key_b=lambda p: p.get("mail"))],
    deletes=Deleted.DELETE,
    brake=Brake(count=1, ratio=0.0),
    retry=Retrying(attempts=1, first=0.0, longest=0.0),
    every=0.05,
)

kept = from_(SyncSource(pair=customers, gives="both", quiet=True)).log("{body.pair}")
"""


@dataclass
class Project:
    """A project in a folder of its own; commands run in it."""

    folder: Path

    def write(self, side: str, id: str, **fields: Any) -> None:
        (self.folder / side / f"{id}.json").write_text(json.dumps(fields))

    def records(self, side: str) -> list[dict[str, Any]]:
        found = [json.loads(file.read_text()) for file in (self.folder / side).glob("*.json")]
        return sorted(found, key=str)

    def __call__(self, *words: str, code: int = 0) -> str:
        """What a command prints; it must not fail, and end with that code."""
        done = CliRunner().invoke(sync, list(words))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    def stored(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """What `work` makes of the project's store."""

        async def opened() -> T:
            async with Catalog().open_store("sqlite:data/routekit.db", time) as store:
                return await work(store)

        return anyio.run(opened)

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    for name in ("routes", "crm", "erp"):
        (tmp_path / name).mkdir()
    (tmp_path / "routes" / "shop.py").write_text(ROUTES)
    here = Project(tmp_path)
    here.write("crm", "ada", name="Ada", email="ada@example.org", phone="1")
    here.write("crm", "bob", name="Bob", email="bob@example.org")
    here.write("erp", "1001", title="Ada", mail="ada@example.org", phone=None)
    return here


def test_a_plan_writes_nothing(project: Project) -> None:
    """Every write with its fields before and after, marked ones masked; no file and no store is touched."""
    before = project.records("crm"), project.records("erp")
    lines = project("plan", "--diff").splitlines()
    assert lines[0] == "customers: A→B erp: 1 create, 1 update"
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "create erp for crm bob",
        'title "Bob" new in a',
        'mail "***" new in a',
        "update erp 1001 for crm ada",
        'phone null -> "1" changed in a',
    ]
    assert "example.org" not in "".join(lines)
    assert (project.records("crm"), project.records("erp")) == before
    assert not (project.folder / "data").exists()


def test_a_plan_is_what_the_run_writes(project: Project) -> None:
    """As JSON the same, and after the run there is nothing left to plan."""
    planned = project.json("plan", "customers")
    assert sorted((write["remote"], write["op"]) for link in planned for write in link["writes"]) == [
        ("erp", "create"),
        ("erp", "update"),
    ]
    assert "example.org" not in json.dumps(planned)
    assert project("run").startswith("customers  A→B 1 created 1 updated  conflicts 0  quarantined 0  lag p99")
    assert project.records("erp") == [
        {"title": "Ada", "mail": "ada@example.org", "phone": "1"},
        {"title": "Bob", "mail": "bob@example.org"},
    ]
    assert project("plan") == "customers: in step, nothing to write\n"


def test_status_tells_what_was_done(project: Project) -> None:
    """Before the first cycle, and after one; as a table and as JSON."""
    assert "has not run yet" in project("status")
    project("run")
    (state,) = project.json("status")
    assert (state["pair"], state["a"], state["b"], state["worker"]) == ("customers", "crm", "erp", "")
    assert (state["scanned"], state["written"], state["failed"], state["conflicts"]) == (3, 2, 0, 0)
    head, row = project("status").splitlines()
    assert head.split()[:8] == ["pair", "last", "scanned", "changed", "written", "failed", "quarantined", "conflicts"]
    assert row.split()[0] == "customers"
    assert row.rstrip().endswith("rests")


def conflicted(project: Project) -> str:
    """A conflict that waits for a person; gives its id."""
    project("run")
    project.write("crm", "ada", name="Ada", email="ada@example.org", phone="2")
    project.write("erp", "1001", title="Ada", mail="ada@example.org", phone="3")
    project("run")
    (conflict,) = project.json("conflicts", "list")
    return conflict["id"]


@pytest.mark.parametrize(
    ("take", "phone"), [("a", "2"), ("b", "3"), ('"7"', "7"), ('{"phone": "8"}', "8"), ("+9", "+9")]
)
def test_a_conflict_is_resolved(project: Project, take: str, phone: str) -> None:
    """By the value of a side or another one, which the next cycle writes where it is not; the audit has who did it."""
    conflict = conflicted(project)
    assert "phone" in project("conflicts", "list", "--pair", "customers")
    shown = project("conflicts", "show", conflict[:6])
    assert 'phone: "1" -> "2"' in shown
    assert 'phone: "1" -> "3"' in shown
    assert "1 conflict waits" in project("status")
    project("conflicts", "resolve", conflict, "--take", take, "--as", "ada", "--why", "she was called")
    project("run")
    assert [one["phone"] for one in (*project.records("crm"), *project.records("erp")) if "phone" in one] == [phone] * 2
    assert project("conflicts", "list") == "no conflicts wait for a person\n"
    (kept,) = project.json("conflicts", "list", "--all")
    assert (kept["decided_by"], kept["value_a"], kept["value_b"]) == ("ada", {"phone": "2"}, {"phone": "3"})
    assert ("ada", "sync.conflicts.resolve", f"customers: {conflict}") in audit(project)


def audit(project: Project) -> list[tuple[str, str, str]]:
    """What was done by whom, the newest first."""

    async def work(store: Store) -> list[tuple[str, str, str]]:
        return [(deed.who, deed.action, deed.what) for deed in await store.audit.list()]

    return project.stored(work)


def test_what_is_decided_is_what_the_side_has_now(project: Project) -> None:
    """Also if the other side alone is reported again, as another unit of it was written meanwhile."""
    project("run")
    project.write("crm", "ada", name="Ada", email="ada@example.org", phone="2")
    project.write("erp", "1001", title="Ada Lovelace", mail="ada@example.org", phone="3")
    project("run")
    (conflict,) = project.json("conflicts", "list")
    project("conflicts", "resolve", conflict["id"], "--take", "b")
    project("run")
    assert [one["phone"] for one in (*project.records("crm"), *project.records("erp")) if "phone" in one] == ["3", "3"]
    assert project("plan") == "customers: in step, nothing to write\n"


def test_marked_values_are_shown_to_who_asks_for_it(project: Project) -> None:
    """To decide between two values one has to see them; the audit has who did, and what."""
    project("run")
    project.write("crm", "ada", name="Ada", email="ada@example.com", phone="1")
    assert "example.com" not in project("plan", "--diff")
    assert 'email "ada@example.org"' not in project("plan", "--diff", "--json")
    text = " ".join(project("plan", "--diff", "--reveal", "--as", "ada").split())
    assert 'mail "ada@example.org" -> "ada@example.com"' in text
    assert ("ada", "sync.reveal", "customers: plan") in audit(project)
    project("quarantine", "show", quarantined(project)["link"], "--reveal", "--as", "eve")
    assert [who for who, action, _ in audit(project) if action == "sync.reveal"] == ["eve", "ada"]


def test_a_value_that_does_not_fit_is_refused(project: Project) -> None:
    """Nothing is decided by it."""
    conflict = conflicted(project)
    with pytest.raises(BadOption, match="is no value of 'phone'"):
        project("conflicts", "resolve", conflict, "--take", '{"fax": "2"}')
    with pytest.raises(UnknownName, match="there is no conflict 'zzz'"):
        project("conflicts", "resolve", "zzz", "--take", "a")
    assert len(project.json("conflicts", "list")) == 1


def quarantined(project: Project) -> dict[str, Any]:
    """A record that the ERP will not take."""
    project("run")
    project.write("crm", "bob", name="Nobody", email="bob@example.org")
    project("run", code=1)
    (given,) = project.json("quarantine", "list")
    return given


def test_a_record_in_quarantine_is_tried_again(project: Project) -> None:
    """It is listed with the reason, which quotes no marked value, and goes on once it is replayed and taken."""
    given = quarantined(project)
    assert given["side"] == "b"
    listed, shown = project("quarantine", "list"), project("quarantine", "show", given["link"][:8])
    assert "erp" in listed
    assert "example.org" not in listed + shown + json.dumps(given)
    project.write("crm", "bob", name="Nobody at all", email="bob@example.org")
    assert project("quarantine", "replay", "--all", "--as", "ada") == "1 will be tried again by the next cycle\n"
    project("run")
    assert project("quarantine", "list") == "nothing is in quarantine\n"
    assert "Nobody at all" in [one["title"] for one in project.records("erp")]
    assert ("ada", "sync.quarantine.replay", f"customers: {given['link']}") in audit(project)


def test_a_record_in_quarantine_is_discarded(project: Project) -> None:
    """With a reason; nothing is tried again until its record changes."""
    given = quarantined(project)
    project("quarantine", "discard", given["link"], "--why", "not ours")
    project("run")
    assert project("quarantine", "list") == "nothing is in quarantine\n"
    with pytest.raises(UnknownName, match="which records"):
        project("quarantine", "replay")
    with pytest.raises(UnknownName, match="nothing in quarantine is called 'zzz'"):
        project("quarantine", "replay", "zzz")


def test_the_brake_holds_deletions_until_a_person_lets_them_go(project: Project) -> None:
    """More than it allows are held; released, the next cycle carries them out."""
    project("run")
    for file in (project.folder / "crm").glob("*.json"):
        file.unlink()
    project("run", "--full")
    assert len(project.records("erp")) == 2
    assert "2 deletions are held" in project("status")
    assert (
        project("brake", "release", "customers", "--as", "ada") == "2 deletions go with the next cycle of customers\n"
    )
    project("run", "--full")
    assert project.records("erp") == []
    with pytest.raises(UnknownName, match="no deletions are held"):
        project("brake", "release", "customers")


def test_cursors_are_seen_and_moved(project: Project) -> None:
    """Back, to a time, or to the beginning: nothing is written twice by that."""
    project("run")
    a, b = project.json("cursor", "get")
    assert (a["side"], b["side"], a["complete"]) == ("a", "b", True)
    project("cursor", "rewind", "customers", "a", "--by", "2h")
    assert project.json("cursor", "get")[0]["value"] == pytest.approx(a["value"] - 7200.0)
    project("cursor", "rewind", "customers", "a")
    assert (project.json("cursor", "get")[0]["value"], project.json("cursor", "get")[0]["epoch"]) == (
        None,
        a["epoch"] + 1,
    )
    project("cursor", "set", "customers", "b", "2026-01-31T08:00")
    assert project.json("cursor", "get")[1]["value"] == 1769846400.0
    assert project("run") == "customers  nothing to write  conflicts 0  quarantined 0\n"
    with pytest.raises(BadOption, match="'tomorrow' is no time"):
        project("cursor", "set", "customers", "b", "tomorrow")


def test_both_sides_are_compared_and_repaired(project: Project) -> None:
    """What was changed behind the back of the feeds is found, shown as a plan, and repaired when that is asked for."""
    project("run")
    assert project("reconcile").splitlines()[-1] == "  0 differences"
    lost = project.folder / "erp" / "1001.json"
    before = lost.stat()
    project.write("erp", "1001", title="Ade", mail="ada@example.org", phone="1")
    os.utime(lost, ns=(before.st_atime_ns, before.st_mtime_ns - 10**12))
    assert project("run").startswith("customers  nothing to write"), "no feed tells of it"
    (found,) = project.json("reconcile", code=1)
    assert (found["in step"], found["records"]) == (False, {"a": 2, "b": 2})
    assert [one["unit"] for one in found["differences"]] == ["name"]
    text = project("reconcile", "--diff", code=1)
    assert "1 difference: 1 changed" in text
    assert 'name  "Ada" -> "Ade"' in text
    assert "example.org" not in text + json.dumps(found)
    assert "repaired: customers  B→A 1 updated" in project("reconcile", "--repair", "--as", "ada")
    assert project("reconcile").splitlines()[-1] == "  0 differences"
    assert ("ada", "sync.reconcile.repair", "customers: 1 links") in audit(project)


def test_totals_are_compared(project: Project) -> None:
    """Sums of a field on both sides, by a group; a sum that differs is exit code 1."""
    for place, amount in (("crm", 10), ("erp", 10)):
        own = {"name": "Ada"} if place == "crm" else {"title": "Ada"}
        key = {"email": "x@example.org"} if place == "crm" else {"mail": "x@example.org"}
        project.write(place, "7", **own, **key, amount=amount, currency="EUR")
    project("run")
    words = ("reconcile", "--total", "amount", "--by", "currency")
    assert "total amount EUR: 10 in 1, 10 in 1: equal" in project(*words)
    project.write("erp", "7", title="Ada", mail="x@example.org", amount=12, currency="EUR")
    assert "total amount EUR: 10 in 1, 12 in 1: differs by -2" in project(*words, code=1)
    with pytest.raises(BadOption, match="there is no sum"):
        project("reconcile", "--by", "currency")


def test_all_is_read_once_for_the_first_time(project: Project) -> None:
    """A back-fill links what is one; what has no counterpart is created by the cycle after it."""
    assert project("backfill", "customers") == "customers: crm 2, erp 1 read; routekit sync run goes on\n"
    assert len(project.records("erp")) == 1
    project("run")
    assert len(project.records("erp")) == 2
    assert project("plan") == "customers: in step, nothing to write\n"


def test_guarantees_are_tried(project: Project) -> None:
    """Without a sample nothing is written; with one all that was made is removed again."""
    before = project.records("crm")
    verdicts = {one["guarantee"]: one["verdict"] for one in project.json("profile", "check", "--side", "a")}
    assert (verdicts["scan"], verdicts["create"]) == ("holds", "untried")
    (project.folder / "sample.json").write_text('{"name": "Test {marker}", "email": "x"}')
    text = project("profile", "check", "customers", "--side", "a", "--sample", "sample.json")
    rows = {line[:18].strip(): line[18:].split()[0] for line in text.splitlines()[2:-1]}
    assert (rows["create"], rows["compare and set"], rows["tidy"]) == ("holds", "holds", "holds")
    assert project.records("crm") == before
    for words, says in (
        (["--sample", "sample.json"], "has the fields of one system"),
        (["--side", "a", "--sample", "nowhere.json"], "cannot be read"),
        (["--only", "magic"], "there is no guarantee 'magic'"),
    ):
        with pytest.raises(BadOption, match=says):
            project("profile", "check", "customers", *words)


def test_links_that_are_not_in_step_are_listed(project: Project) -> None:
    """With the reason; and the link of one record, in whatever state."""
    project("run")
    assert project("links") == "all links are in step\n"
    assert project.json("links", "--record", "ada")[0]["b"] == "1001"
    conflicted(project)
    (link,) = project.json("links", "--state", "conflict")
    assert (link["a"], link["states"], link["why"]) == ("ada", ["conflict"], "phone")
    assert project("links", "--state", "parked") == "no such link\n"


def test_a_field_that_is_refused_is_told(project: Project) -> None:
    """The rest of the record is written; the run says so by its exit code, and status and links where it is."""
    project("run")
    project.write("crm", "bob", name="Blocked", email="bob@example.org", phone="5")
    assert "blocked" in project("run", code=1)
    assert {"title": "Bob", "mail": "bob@example.org", "phone": "5"} in project.records("erp")
    assert "a side refused units in the last cycle" in project("status")
    (link,) = project.json("links", "--state", "blocked")
    assert (link["a"], link["why"]) == ("bob", "name")


def test_a_weak_match_is_confirmed_by_a_person(project: Project) -> None:
    """Two records that may be one wait; once it is confirmed they are linked, and nobody is created."""
    module = next((project.folder / "routes").glob("*.py"))
    module.write_text(ROUTES.replace('key_b=lambda p: p.get("mail"))', 'key_b=lambda p: p.get("mail"), review=True)'))
    project.write("crm", "1", name="Ada", email="ada@x")
    project.write("erp", "9", title="Ada", mail="ada@x")
    project("run")
    states = {row["a"] or row["b"]: row["states"] for row in project.json("links")}
    assert (states["1"], states["9"]) == (["parked"], ["parked"])
    before = (len(project.records("crm")), len(project.records("erp")))
    with pytest.raises(UnknownName, match="record '7' of side b has not been seen"):
        project("confirm", "customers", "1", "7")
    assert project("confirm", "customers", "1", "9", "--why", "she says so").startswith("1 and 9 are one")
    project("run")
    assert (len(project.records("crm")), len(project.records("erp"))) == before
    assert project.json("links", "--record", "9") == project.json("links", "--record", "1")
    assert project.json("links", "--record", "1")[0]["states"] == []
    with pytest.raises(UnknownName, match="record '1' of side a is linked to '9' already"):
        project("confirm", "customers", "1", "9")


def test_nothing_is_parked(project: Project) -> None:
    """What is parked is listed before it is unparked; an id that is not is told."""
    project("run")
    assert project("unpark", "customers") == "nothing is parked\n"
    with pytest.raises(UnknownName, match="no parked link is called 'zzz'"):
        project("unpark", "customers", "zzz")


@pytest.mark.parametrize("command", [["plan", "custmers"], ["run", "custmers"], ["status", "custmers"]])
def test_a_wrong_name_is_told_with_the_nearest(project: Project, command: list[str]) -> None:
    """For each command that takes a pair."""
    with pytest.raises(UnknownName) as caught:
        project(*command)
    assert str(caught.value) == "there is no pair 'custmers'; did you mean 'customers'?"


def test_two_pairs_of_one_name_are_refused(project: Project) -> None:
    """They would share their state in the store."""
    (project.folder / "routes" / "other.py").write_text(ROUTES)
    with pytest.raises(DefinitionError, match=r"both other.customers and shop.customers are the pair 'customers'"):
        project("status")


def test_a_folder_without_a_pair_says_what_one_is(project: Project) -> None:
    """So that a newcomer knows what to write."""
    (project.folder / "routes" / "shop.py").write_text("x = 1\n")
    with pytest.raises(DefinitionError, match="there is no pair in 'routes'"):
        project("status")


def test_a_side_that_is_away_is_told(project: Project) -> None:
    """In one sentence; the rest of the commands, which ask no side, work."""
    (project.folder / "erp" / "away").touch()
    for command in ("plan", "run"):
        with pytest.raises(Unavailable, match="erp does not answer"):
            project(command)
    assert "customers" in project("status")


def test_a_pair_that_somebody_works_at_is_left_to_him(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would collide with his cycle says who he is and what to do; what looks and decides works."""
    project("run")

    async def work(store: Store) -> bool:
        return await Ledger(store.values("sync:customers"), time, owner="the daemon").acquire()

    assert project.stored(work)
    for command in (["run"], ["cursor", "rewind", "customers", "a"]):
        with pytest.raises(Unavailable, match="another process, the daemon, works at the pair 'customers' now"):
            project(*command)
    assert "the daemon works at it" in project("status")
    assert project("plan") == "customers: in step, nothing to write\n"


def test_exit_codes_of_the_command_itself(project: Project) -> None:
    """As all of `routekit`: 2 for what cannot be done as it is written, 1 for what failed; in a real process."""

    def run(*words: str) -> tuple[int, str]:
        command = [str(Path(sys.executable).with_name("routekit")), "sync", *words]
        done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    assert run("plan", "custmers") == (2, "error: there is no pair 'custmers'\n  did you mean 'customers'?\n")
    (project.folder / "erp" / "away").touch()
    assert run("run") == (1, "error: erp does not answer\n  is it up?\n")
    assert run("status")[0] == 0
