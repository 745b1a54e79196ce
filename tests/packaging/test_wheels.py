"""What is in the wheel of each distribution; that the wheels work together is tried by `make wheels`."""

import configparser
import subprocess
import sys
import tomllib
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: "core" if folder == ROOT else folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def wheel(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    place = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with ZipFile(next(place.glob("*.whl"))) as file:
        return file


BESIDE = "pytest_routekit.py"
"""The plugin for pytest, beside the package of the core: every run of pytest imports it, so it must not import that."""


def packages(wheel: ZipFile) -> set[str]:
    """The top folders of a wheel but for its metadata."""
    return {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" not in name} - {BESIDE}


def metadata(wheel: ZipFile, name: str) -> str:
    with ZipFile(str(wheel.filename)) as file:
        return file.read(next(entry for entry in file.namelist() if entry.endswith(f".dist-info/{name}"))).decode()


def about(wheel: ZipFile) -> Message:
    return Parser().parsestr(metadata(wheel, "METADATA"))


def test_one_package_that_says_it_is_typed(wheel: ZipFile) -> None:
    """A wheel brings one package, with `py.typed`, so that type checkers believe its annotations."""
    assert len(packages(wheel)) == 1
    assert f"{packages(wheel).pop()}/py.typed" in wheel.namelist()


def test_all_modules_and_nothing_else(folder: Path, wheel: ZipFile) -> None:
    """A wheel holds every file of the package, and no tests, caches or databases."""
    package = packages(wheel).pop()
    place = folder / package if folder == ROOT else folder / "src" / package
    tracked = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "."]
    listed = subprocess.run(tracked, cwd=place, capture_output=True, text=True, check=True).stdout.split()
    expected = {f"{package}/{name}" for name in listed if (place / name).exists()}
    beside = {BESIDE} if folder == ROOT else set[str]()
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected | beside
    assert not [name for name in expected if "test_" in name or "conftest" in name]


def test_the_licence_comes_along(wheel: ZipFile) -> None:
    """A wheel names its licence and holds the text of it."""
    assert about(wheel)["License-Expression"] == "Apache-2.0"
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_description_is_the_readme(folder: Path, wheel: ZipFile) -> None:
    """The page of a distribution in an index is its README."""
    assert about(wheel)["Description-Content-Type"].startswith("text/markdown")
    assert about(wheel).get_payload() == (folder / "README.md").read_text(encoding="utf-8")


def test_entry_points_name_modules_of_the_wheel(folder: Path, wheel: ZipFile) -> None:
    """Each entry point names a module that the wheel holds, of commands a function in one; a library has none."""
    if "entry-points" not in tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]:
        return
    points = configparser.ConfigParser(delimiters=("=",))
    points.read_string(metadata(wheel, "entry_points.txt"))
    assert points["routekit"]
    modules = [value.partition(":")[0].replace(".", "/") for group in points for value in points[group].values()]
    held = set(wheel.namelist())
    assert not [module for module in modules if not {f"{module}.py", f"{module}/__init__.py"} & held]
