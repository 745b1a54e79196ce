"""`routekit sync erase` as a person uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from routekit import UnknownName
from routekit_sync.commands import sync

ROUTES = """
from pathlib import Path
from routekit_sync import FolderRemote, Match, SyncPair, Unit

def both(a, b):
    return Unit(a, [a], [b], lambda one: {b: one.get(a)}, lambda one: {a: one.get(b)})

customers = SyncPair(
    "customers",
    FolderRemote("crm", Path("crm")),
    FolderRemote("erp", Path("erp")),
    [both("name", "title"), both("email", "mail")],
    match=[Match("e-mail", ["email"], ["mail"])],
)
"""


class Project:
    """A project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, side: str, own: str, **fields: Any) -> None:
        (self.folder / side / f"{own}.json").write_text(json.dumps(fields))

    def __call__(self, *words: str) -> str:
        done = CliRunner().invoke(sync, list(words))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    for name in ("routes", "crm", "erp"):
        (tmp_path / name).mkdir()
    (tmp_path / "routes" / "shop.py").write_text(ROUTES)
    here = Project(tmp_path)
    here.write("crm", "ada", name="Ada", email="ada@example.org")
    here.write("crm", "bob", name="Bob", email="bob@example.org")
    here("run")
    return here


def test_erasing_says_first_what_there_is(project: Project) -> None:
    """Without --yes nothing is changed; with it the person is forgotten, and the report says nothing of it."""
    said = project("erase", "ADA@example.org")
    assert "customers: 1 link, 0 conflicts, 0 in quarantine found" in said
    assert "nothing was changed" in said
    assert json.loads(project("export", "ada@example.org"))["pairs"][0]["links"][0]["a"]["fields"]["name"] == "Ada"
    said = project("erase", "ada@example.org", "--yes", "--why", "she asked for it")
    assert "1 link, 0 conflicts, 0 in quarantine forgotten; erasure " in said
    assert "records in crm, which are left to you: ada" in said
    assert "ada@" not in said.lower()
    assert json.loads(project("export", "ada@example.org")) == {"pairs": [], "letters": []}
    erasure = said.partition("erasure ")[2].split()[0]
    for words in (("plan",), ("run", "--full")):
        assert "ada" not in project(*words).lower()
    project("readmit", "customers", erasure, "--why", "it was a mistake")
    project("run", "--full")
    assert json.loads(project("export", "ada@example.org"))["pairs"]
    with pytest.raises(UnknownName, match="knows no erasure"):
        project("readmit", "customers", erasure)


def test_it_is_in_the_audit(project: Project) -> None:
    """Who, when and why, with the id of the erasure, and nothing of the person."""
    project("erase", "ada@example.org", "--yes", "--why", "she asked", "--as", "eve")
    raw = b"".join(file.read_bytes() for file in (project.folder / "data").glob("*.db*"))
    assert b"sync.erase" in raw
    assert b"she asked" in raw
    assert b"eve" in raw
