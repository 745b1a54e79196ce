"""The route of the leads as a whole, run by the real command on real files and a real database."""

import csv
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The daemon on a folder of its own; killed if it still runs at the end."""
    settings = {"LEADS": folder / "leads", "data": folder, "sql.crm.schema": ROOT / "routes" / "crm.sql", "log": "debug"}
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = [ROUTEKIT, "--config", str(ROOT / "routekit.toml"), *sets, "serve", str(ROOT / "routes"), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as daemon:
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
