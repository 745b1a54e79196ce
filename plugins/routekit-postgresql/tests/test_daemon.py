"""The store behind the command line: what `check` and `serve` say of it, and two daemons that share it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from routekit_postgresql.testing import PASSWORD, PostgreSQL

ROUTES = """
from routekit import from_

kept = (
    from_("file:in?after=delete&poll=50ms", str, codec="text")
    .aggregate("sheaf", str, size=3, key=lambda body: "all")
    .transform(lambda bodies: "+".join(sorted(bodies)))
    .to("file:out")
)
"""


_MADE = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'audit'"
"""Whether the tables of a store are there."""


def routekit(*arguments: str, folder: Path) -> "subprocess.Popen[str]":
    """The command, in a folder."""
    command = [str(Path(sys.executable).with_name("routekit")), *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "300"},
    )


def said(*arguments: str, folder: Path) -> tuple[int, str]:
    """The exit code of the command, and what it prints."""
    process = routekit(*arguments, folder=folder)
    text = process.communicate(timeout=100)[0]
    return process.returncode, text


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """A folder with routes, and a store."""

    def made(store: str, routes: str = ROUTES) -> Path:
        (tmp_path / "routes").mkdir()
        (tmp_path / "routes" / "work.py").write_text(routes)
        (tmp_path / "routekit.toml").write_text(f'[routekit]\nstore = "{store}"\n')
        return tmp_path

    return made


def test_check_says_that_the_store_is_there(project: Callable[..., Path], server: PostgreSQL, schema: str):
    """With --connect the store's server is asked; its password is not printed."""
    code, text = said("check", "routes/", "--connect", folder=project(server.store(schema)))
    assert "ok   the store: postgresql://routekit:***@" in text
    assert PASSWORD not in text
    assert code == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((PASSWORD, "wrong"), "password authentication failed"),
        (("/postgres", "/nowhere"), 'database "nowhere" does not exist'),
    ],
)
def test_check_and_serve_say_what_is_wrong(
    project: Callable[..., Path], server: PostgreSQL, schema: str, change: tuple[str, str], told: str
):
    """A way in that is wrong is told by both, and nothing runs."""
    folder = project(server.store(schema).replace(*change))
    for command in (("check", "routes/", "--connect"), ("serve", "routes/")):
        code, text = said(*command, folder=folder)
        assert told in text
        assert "wrong@" not in text
        assert code == 1


def test_a_wrong_option_is_told(project: Callable[..., Path], server: PostgreSQL, schema: str):
    """An unknown option ends `serve` with a hint."""
    code, text = said("serve", "routes/", folder=project(server.store(schema, leese=5)))
    assert "did you mean 'lease'?" in text
    assert code == 2


@contextmanager
def serving(folder: Path) -> Generator["subprocess.Popen[str]"]:
    """A daemon of the project."""
    process = routekit("serve", "routes/", folder=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until(holds: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait for a condition."""
    end = time.monotonic() + 90
    while not holds():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_group_of_a_killed_daemon_goes_on_in_the_next_one(
    project: Callable[..., Path], server: PostgreSQL, schema: str
):
    """What a killed daemon had collected is in the store, and its successor releases it when it is complete."""
    folder = project(server.store(schema))
    (folder / "in").mkdir()

    def give(name: str) -> None:
        (folder / f"{name}.part").write_text(name)
        (folder / f"{name}.part").rename(folder / "in" / name)

    def kept() -> int:
        return server.rows(f"SELECT count(*) FROM {schema}.kept")[0][0]

    with serving(folder) as first:
        until(lambda: server.rows(_MADE, schema), first)
        for name in ("a", "b"):
            give(name)
        until(lambda: kept() == 2, first)
        first.send_signal(signal.SIGKILL)
        first.wait()
    with serving(folder) as second:
        give("c")
        until(lambda: list((folder / "out").glob("*")) if (folder / "out").exists() else [], second)
        until(lambda: [path.read_text() for path in (folder / "out").glob("*")] == ["a+b+c"], second)


def test_a_daemon_that_is_superseded_ends(project: Callable[..., Path], server: PostgreSQL, schema: str):
    """Whose place others have taken ends with an error that says so, and a start gives it a new place."""
    folder = project(server.store(schema, lease="1s"))
    (folder / "in").mkdir()

    def owners() -> list[int]:
        if not server.rows(_MADE, schema):
            return []
        return [token for (token,) in server.rows(f"SELECT token FROM {schema}.owners")]

    with serving(folder) as daemon:
        until(owners, daemon)
        server.rows(f"DELETE FROM {schema}.owners")
        text = daemon.communicate(timeout=90)[0]
        assert daemon.returncode == 1
        assert "held for dead" in text
    with serving(folder) as daemon:
        until(owners, daemon)
