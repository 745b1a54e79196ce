"""Values of people are planted in records that fail in every way, and all that is printed and kept is searched."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from routekit_sync.commands import sync

ROUTES = """
from pathlib import Path

from routekit.remotes import Refused
from routekit_sync import FolderRemote, Match, Retrying, Rule, SyncPair, Unit
from routekit_sync.folder import FolderSession
from contextlib import asynccontextmanager


class Picky(FolderSession):
    def _write(self, id, fields):
        if fields.get("title") == "refused":
            raise Refused(f"409: {fields['mail'].upper()} ({fields['phone'].replace(' ', '')}) exists already")
        if fields.get("title") == "broken":
            raise KeyError(fields["mail"])
        return super()._write(id, fields)


class PickyRemote(FolderRemote):
    @asynccontextmanager
    async def open(self, runtime=None):
        self.folder.mkdir(exist_ok=True)
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
        both("phone", "phone", sensitive={"phone": "phone"}, rule=Rule.MANUAL),
    ],
    match=[Match("e-mail", ["email"], ["mail"])],
    retry=Retrying(attempts=1, first=0.0, longest=0.0),
)
"""

PHONE = "+49 5371 9042688"
LEAKS = ("quibbleworth", "9042688", "904 2688")


def leaks(text: str) -> list[str]:
    return [one for one in LEAKS if one in text.lower()]


class Project:
    """A project whose store is encrypted, and whose records have failed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, side: str, own: str, **fields: Any) -> None:
        (self.folder / side / f"{own}.json").write_text(json.dumps(fields))

    def __call__(self, *words: str) -> str:
        done = CliRunner().invoke(sync, list(words))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_KEY", urlsafe_b64encode(b"k" * 32).decode().rstrip("="))
    for name in ("routes", "crm", "erp"):
        (tmp_path / name).mkdir()
    (tmp_path / "routes" / "shop.py").write_text(ROUTES)
    (tmp_path / "routekit.toml").write_text('[routekit]\nstore = "sqlite:data/state.db?key=${STORE_KEY}"\n')
    here = Project(tmp_path)
    for name in ("fine", "refused", "broken"):
        here.write("crm", name, name=name, email=f"Zyg.Quibbleworth-{name}@canary.example", phone=PHONE)
    return here


def test_nothing_that_is_printed_or_kept_says_who_it_is(project: Project) -> None:
    """Plans, runs, quarantine, conflicts, what differs; and the database, whose key is its own."""
    said = [project("plan", "--diff"), project("run")]
    (record,) = (project.folder / "erp").glob("*.json")
    there = json.loads(record.read_text())
    record.write_text(json.dumps({**there, "phone": f"{PHONE} 1"}))
    project.write("crm", "fine", name="fine", email=there["mail"], phone=f"{PHONE} 2")
    said += [project("run"), project("run", "--full")]
    said += [project(*words.split()) for words in ("status", "links", "quarantine list", "conflicts list")]
    said += [project("quarantine", "list", "--json"), project("conflicts", "list", "--json")]
    given = json.loads(said[-2])
    assert given, said
    said += [project("quarantine", "show", one["link"]) for one in given]
    said += [project("reconcile", "--diff"), project("plan", "--diff", "--full")]
    assert "409" in "".join(said)
    for text in said:
        assert leaks(text) == [], text
    files = list((project.folder / "data").glob("state.db*"))
    assert files
    for file in files:
        assert leaks(file.read_bytes().decode("latin-1")) == [], file
