"""What holds for every file in the repository, and what a plugin must bring to be in it."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from routekit.hookspecs import INTERFACE

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))

INDEXES = re.compile(r"://[^/\s]*(pypi|pythonhosted|npmjs|yarnpkg|crates\.io|proxy\.golang|maven|deb\.debian|conda)")
INDEX_OPTIONS = re.compile(r"(--|^)(extra-)?(index-url|find-links|trusted-host)\b")
# A folder of one machine, at the start of a path: `data/work/` and `./work/` are none.
MACHINES = re.compile(r"(?<![\w.}$*])/" + "(root|work)/")

each_plugin = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)


def tracked() -> list[Path]:
    """The files in git that are there; whoever owns the checkout."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def lines_with(*patterns: re.Pattern[str]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in tracked()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if any(pattern.search(line) for pattern in patterns)
    ]


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is a matter of the machine: no file holds the address of an index."""
    assert lines_with(INDEXES, INDEX_OPTIONS) == []


def test_no_file_names_a_place_on_one_machine() -> None:
    """No file holds a path that exists on one machine only."""
    assert lines_with(MACHINES) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (INDEXES, "https:" + "//pypi.example.org/simple"),
        (INDEXES, "see https:" + "//files.pythonhosted.org/x.whl"),
        (INDEX_OPTIONS, "pip install --index" + "-url x"),
        (INDEX_OPTIONS, "index" + "-url = x"),
        (MACHINES, "cd /" + "root/project"),
        (MACHINES, 'path = "/' + 'work/main"'),
    ],
)
def test_what_must_not_be_there_would_be_found(pattern: re.Pattern[str], line: str) -> None:
    """The patterns see what they are for."""
    assert pattern.search(line)


@pytest.mark.parametrize("line", ["data/work/in", "./work/in", "${data}/work/", "a root/leaf", "/rooted/"])
def test_other_paths_are_no_offence(line: str) -> None:
    """A folder that is called work inside another one is none of a machine."""
    assert not MACHINES.search(line)


def test_constraints_are_names_and_versions() -> None:
    """A line of constraints.txt is a comment or `name==version`: no address, no hash, no marker."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []


def test_everything_needed_is_constrained() -> None:
    """What a pyproject.toml asks for has a version in constraints.txt; `make constraints` puts it there."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = {normal(line.split("==")[0]) for line in lines if "==" in line}
    ours = {project(folder)["name"] for folder in (ROOT, *PLUGINS)}
    assert {name for folder in (ROOT, *PLUGINS) for name in needed(folder)} - versions - ours == set()


def needed(folder: Path) -> list[str]:
    """The names of all requirements of a distribution: its own, those of extras and of groups."""
    whole = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [whole["project"].get("dependencies", [])]
    lists += whole["project"].get("optional-dependencies", {}).values()
    lists += whole.get("dependency-groups", {}).values()
    found = [re.match(r"[A-Za-z0-9._-]+", requirement) for requirements in lists for requirement in requirements]
    return [normal(match[0]) for match in found if match]


def normal(name: str) -> str:
    """A name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_changelog_has_a_place_for_what_comes() -> None:
    """CHANGELOG.md starts with the section `Unreleased`, and says something in it."""
    sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sections[1].startswith("[Unreleased]\n")
    assert re.search(r"^- \w", sections[1], re.MULTILINE)


@each_plugin
def test_a_plugin_is_a_distribution_of_its_own(folder: Path) -> None:
    """A plugin has a README that names it, the licence, `py.typed` and tests."""
    name = project(folder)["name"]
    package = folder / "src" / name.replace("-", "_")
    assert name == folder.name
    assert name in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (package / "py.typed").exists()
    assert list(folder.glob("tests/**/test_*.py"))


@each_plugin
def test_a_plugin_says_for_which_interface_it_is_written(folder: Path) -> None:
    """What we ask of strangers, our own plugins do, as far as they offer something by a hook."""
    if not offered(folder):
        return
    package = project(folder)["name"].replace("-", "_")
    source = (folder / "src" / package / "__init__.py").read_text(encoding="utf-8")
    assert re.search(rf"^routekit_interface = {INTERFACE}$", source, re.MULTILINE)


@each_plugin
def test_a_plugin_comes_in_by_its_entry_points(folder: Path) -> None:
    """What a plugin offers in the group `routekit` is in modules of its own package; a library offers nothing."""
    package = project(folder)["name"].replace("-", "_")
    assert {module.split(".")[0] for module in offered(folder).values()} <= {package}


def offered(folder: Path) -> dict[str, str]:
    """The entry points of a distribution in the group `routekit`."""
    return project(folder).get("entry-points", {}).get("routekit", {})


@each_plugin
def test_a_plugin_needs_the_core_and_its_python(folder: Path) -> None:
    """A plugin depends on the core by name, and supports the versions of Python that the core supports."""
    assert any(re.match(r"routekit-eip\b", requirement) for requirement in project(folder)["dependencies"])
    assert project(folder)["requires-python"] == project(ROOT)["requires-python"]
