"""The route of the leads as a whole, run by the real command on real files and a real database."""

import csv
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROUTEKIT = str(Path(sys.executable).parent / "routekit")
ROWS = 20_000
COLUMNS = ["first_name", "last_name", "email", "phone", "company", "country", "budget", "created_at", "consent"]


def write_leads(file: Path, rows: int) -> None:
    """A file of clean leads, one person each; it appears whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name}")
    with hidden.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for number in range(rows):
            name, email = f"Person {number}", f"person{number}@mail.example.com"
            writer.writerow(["Ann", name, email, "", "ACME", "DE", "100", "2026-11-20T09:15:00+01:00", "yes"])
    hidden.rename(file)


def command(folder: Path, *words: str, timeout: str = "5s") -> list[str]:
    """The command line on a folder of its own."""
    settings = {
        "LEADS": folder / "leads",
        "data": folder,
        "sql.crm.schema": ROOT / "routes" / "crm.sql",
        "sql.crm.timeout": timeout,
        "log": "debug",
    }
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    chosen = [] if "--route" in words else ["--route", "leads.*", "--route", "duplicates.*"]
    return [
        ROUTEKIT,
        "--config",
        str(ROOT / "routekit.toml"),
        *sets,
        words[0],
        str(ROOT / "routes"),
        *chosen,
        *words[1:],
    ]


@contextmanager
def serving(folder: Path, *options: str, timeout: str = "5s") -> Iterator[subprocess.Popen[str]]:
    """The daemon on a folder of its own; killed if it still runs at the end."""
    with subprocess.Popen(
        command(folder, "serve", *options, timeout=timeout), stderr=subprocess.PIPE, text=True
    ) as daemon:
        try:
            yield daemon
        finally:
            daemon.kill()


def read_until(daemon: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """The first line of the daemon's log that matches."""
    assert daemon.stderr is not None
    seen: list[str] = []
    for line in daemon.stderr:
        seen.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError("the daemon ended: " + "".join(seen[-20:]))


def contacts(folder: Path) -> list[str]:
    """The addresses in the database, in order."""
    database = sqlite3.connect(folder / "crm.db")
    try:
        return [email for (email,) in database.execute("SELECT email FROM contacts ORDER BY email")]
    finally:
        database.close()


def test_every_row_is_stored_exactly_once_after_kill_9(tmp_path: Path) -> None:
    """A daemon that is killed in the middle of a file and started again stores each of its rows exactly once."""
    drop = tmp_path / "leads" / "web"
    write_leads(drop / "many.csv", ROWS)
    with serving(tmp_path, "--route", "leads.web") as daemon:
        read_until(daemon, r"many\.csv: ([3-9],\d{3}|1\d,\d{3}) parts")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    stored = len(contacts(tmp_path))
    assert 0 < stored < ROWS
    assert (drop / "many.csv").exists(), "a file is moved only when it is done"

    with serving(tmp_path, "--route", "leads.web") as daemon:
        summary = read_until(daemon, r"many\.csv: 20,000 read, ([\d,]+) written, ([\d,]+) duplicates, 0 rejected")
        written, known = (int(number.replace(",", "")) for number in summary.groups())
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert contacts(tmp_path) == sorted(f"person{number}@mail.example.com" for number in range(ROWS))
    assert written + known == ROWS
    assert 0 < known <= stored, "what was done before the kill is known, and nothing else"
    assert (drop / ".done" / "many.csv").exists()


def test_the_sample_leads_become_the_contacts_they_were_made_for(tmp_path: Path) -> None:
    """`routekit run` stores, alerts and rejects exactly what the sample's maker meant, and says so for each file."""
    sample = ROOT / "examples" / "data" / "leads"
    expected = json.loads((sample / "expected.json").read_text(encoding="utf-8"))
    leads = tmp_path / "leads"
    shutil.copytree(sample, leads, ignore=lambda *_: ["expected.json"])
    done = subprocess.run(command(tmp_path, "run"), capture_output=True, text=True, check=True)
    assert len(contacts(tmp_path)) == expected["contacts"]
    assert len(list((leads / "alerts").iterdir())) == expected["vips"]
    with (leads / "rejects" / "rejects.csv").open(encoding="utf-8", newline="") as stream:
        rejects = list(csv.DictReader(stream))
    for name, file in expected["files"].items():
        short, refused = name.rpartition("/")[2], sum(file["rejected"].values())
        assert re.search(
            rf"{short}: {file['rows']:,} read, [\d,]+ written, [\d,]+ duplicates, {refused} rejected", done.stderr
        )
        assert len([reject for reject in rejects if reject["file"] == short]) == refused
        assert (leads / name).with_name(".done").joinpath(short).exists()
    assert all(reject["reason"] and int(reject["row"]) > 0 for reject in rejects)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (bytes(range(256)), "this is not CSV text"),
        (b"first_name,first_name\n1,2\n", "first_name"),
    ],
    ids=["empty", "binary", "a column twice"],
)
def test_a_file_that_cannot_be_read_is_put_aside_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    """A bad file goes to `.failed` with an `.error.json` that says why; good files beside it are stored."""
    drop = tmp_path / "leads" / "web"
    write_leads(drop / "good.csv", 10)
    (drop / "bad.csv").write_bytes(content)
    done = subprocess.run(command(tmp_path, "run", "--route", "leads.web"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(contacts(tmp_path)) == 10
    assert (drop / ".failed" / "bad.csv").read_bytes() == content
    note = json.loads((drop / ".failed" / "bad.csv.error.json").read_text(encoding="utf-8"))
    assert reason in note["reason"]
    assert "Traceback" not in done.stderr


def test_a_database_that_is_locked_is_waited_for(tmp_path: Path) -> None:
    """Rows that meet a locked database are tried again, and stored once it is free; none is rejected."""
    drop = tmp_path / "leads" / "web"
    assert (
        subprocess.run(command(tmp_path, "run", "--route", "leads.web"), capture_output=True, check=False).returncode
        == 0
    )
    write_leads(drop / "some.csv", 50)
    database = sqlite3.connect(tmp_path / "crm.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    with serving(tmp_path, "--route", "leads.web", timeout="200ms") as daemon:
        read_until(daemon, r"try \d failed, again in .*locked")
        database.execute("ROLLBACK")
        database.close()
        read_until(daemon, r"some\.csv: 50 read, 50 written, 0 duplicates, 0 rejected")
    assert len(contacts(tmp_path)) == 50


def test_contacts_that_may_be_one_person_are_listed(tmp_path: Path) -> None:
    """A person under two addresses is found across sources and listed once, with reasons, however often she comes."""
    columns = ",".join(COLUMNS)
    for source, email in (("web", "ann.lee@acme.example.com"), ("web/late", "ann@home.example.org")):
        file = tmp_path / "leads" / "web" / f"{source.replace('/', '-')}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{columns}\nAnn,Lee,{email},+493012345678,ACME GmbH,DE,1,2026-11-20T09:15:00Z,yes\n")
    for _ in range(2):
        subprocess.run(command(tmp_path, "run"), check=True, capture_output=True, timeout=60)
    listed = (tmp_path / "leads" / "review" / "lookalikes.csv").read_text().splitlines()
    assert listed[0] == "one,other,probability,verdict,reasons"
    assert [line.split(",")[:2] for line in listed[1:]] == [["ann.lee@acme.example.com", "ann@home.example.org"]]
    database = sqlite3.connect(tmp_path / "crm.db")
    try:
        assert database.execute("SELECT count(*) FROM lookalikes").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM unchecked").fetchone() == (0,)
    finally:
        database.close()
