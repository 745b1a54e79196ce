"""A new project is whole: its tests pass, `check` finds nothing, and neither do ruff and pyright."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest

from routekit.errors import BadOption, DefinitionError
from routekit.plugins import Catalog
from routekit.scaffold import beginning
from routekit.scaffold.beginning import LONGEST, Beginning
from routekit.scaffold.rendering import add, listed, project_files, route_files, write

BIN = Path(sys.executable).parent
ROUTES = (
    ("leads", "cron", "mock"),
    ("new-orders", "file", "file"),
    ("calls", "http", "http"),
    ("bus", "rabbitmq", "rabbitmq"),
    ("rows", "direct", "sql"),
    ("x" * LONGEST, "http:127.0.0.1:8080/some/long/path/of/all/sorts", "sql"),
    ("own", "queue:mine", "queue:leads?size=7"),
    ("status", "timer:status?every=5s", "log:others?level=debug"),
    ("incomings", "direct", "log"),
)
"""A name, a source and a sink: by scheme, or as a whole URI."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a route of each kind."""
    folder = tmp_path_factory.mktemp("new") / "shop"
    catalog = Catalog()
    write(folder, project_files("shop", Beginning("hello", "timer", "log", catalog), version="0.1.0"))
    for name, source, sink in ROUTES:
        route = Beginning(name, source, sink, catalog)
        add(folder, route_files(route))
        assert listed(folder, route.line)
    return folder


def run(folder: Path, *command: str) -> str:
    """Run a tool there; fails with what it prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    command = (str(BIN / command[0]), *command[1:])
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_it_says() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(beginning).failed == 0


def test_it_is_in_shape(project: Path) -> None:
    """By the rules that it brings itself, whatever its routes are called."""
    run(project, "ruff", "check", "--quiet", ".")
    run(project, "ruff", "format", "--check", "--quiet", ".")


def test_its_types_are_right(project: Path) -> None:
    """Strictly, the tests too."""
    run(project, "pyright", "--pythonpath", sys.executable)


def test_its_own_tests_pass(project: Path) -> None:
    """All of them, with nothing outside."""
    said = run(project, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert " passed" in said
    assert "skipped" not in said


def test_nothing_is_wrong_with_its_routes_and_settings(project: Path) -> None:
    """`check` finds all routes right, but for a queue that no route of it reads from; `config check` too."""
    (project / "routes" / "own.py").unlink()
    assert f"{len(ROUTES)} routes, no problems" in run(project, "routekit", "check")
    assert run(project, "routekit", "config", "check") == "routekit.toml: no problems; other profiles: dev\n"


def test_its_readme_names_its_routes(project: Path) -> None:
    """One line for each, in the order in which they were made."""
    text = (project / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Routes\n\n")[2].splitlines()
    names = ["hello", *(name.replace("-", "_") for name, _, _ in ROUTES)]
    assert [line.split("`")[1] for line in section] == [f"{name}.incoming" for name in names]


def test_no_word_is_left_open(project: Path) -> None:
    """Nothing of the templates' own marks is in what is made."""
    for file in (file for file in project.rglob("*.*") if file.suffix in (".py", ".md", ".toml")):
        text = file.read_text(encoding="utf-8")
        assert not {"«", "»"} & set(text), file
        assert not [line for line in text.splitlines() if line.startswith("#:")], file
        assert "\n\n\n\n" not in text, file


def test_a_section_in_the_middle_is_kept(tmp_path: Path) -> None:
    """The line is added at the end of its section, and what follows stays; without the section nothing is changed."""
    readme = tmp_path / "README.md"
    readme.write_text("# x\n\n## Routes\n\n- one\n\n## More\n\ntext\n")
    assert listed(tmp_path, "- two")
    assert readme.read_text() == "# x\n\n## Routes\n\n- one\n- two\n\n## More\n\ntext\n"
    readme.write_text("# x\n")
    assert not listed(tmp_path, "- two")
    assert readme.read_text() == "# x\n"
    readme.unlink()
    assert not listed(tmp_path, "- two")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """Neither the module nor its test; if one is there, the other is not written."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_leads.py").write_text("mine")
    with pytest.raises(BadOption, match=r"test_leads\.py is there already"):
        add(tmp_path, route_files(Beginning("leads", "timer", "log", Catalog())))
    assert (tmp_path / "tests" / "test_leads.py").read_text() == "mine"
    assert not (tmp_path / "routes").exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Leads", "write leads"),
        ("../leads", "write leads"),
        ("a b", "write a-b"),
        ("7up", "write up"),
        ("", "begin with a letter"),
        ("class", "choose another name"),
        ("match", "choose another name"),
        ("test-leads", "choose another name"),
        ("conftest", "choose another name"),
        ("x" * (LONGEST + 1), "24 are the most"),
    ],
)
def test_names_are_checked(name: str, hint: str) -> None:
    """A name is that of a module which the loader and pytest read, and of nothing else."""
    with pytest.raises(BadOption) as error:
        Beginning(name, "timer", "log", Catalog())
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("source", "sink", "said"),
    [
        ("timr", "log", "did you mean 'timer'"),
        ("log", "log", "cannot be read from"),
        ("timer", "cron", "cannot be sent to"),
        ("timer:x?evry=1s", "log", "did you mean 'every'"),
        ("timer", "queue", "--to queue:NAME"),
        ("queue:a", "queue:a?size=3", "the route would read what it sends to 'queue:a'"),
    ],
)
def test_endpoints_are_checked(source: str, sink: str, said: str) -> None:
    """Before anything is written, as `check` would do it; a route does not send to itself."""
    with pytest.raises(DefinitionError, match=said):
        Beginning("leads", source, sink, Catalog())
