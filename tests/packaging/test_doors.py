"""Who may import what across distributions: everyone outside the core enters by the same two doors.

The floors inside the core are held by import-linter, see `[tool.importlinter]` in pyproject.toml.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOR_TESTS = {*ROOT.glob("plugins/*/src/*/testing.py"), *ROOT.glob("plugins/*/src/*/testing/**/*.py")}
"""What a plugin offers to tests; nothing else of it imports that."""
OUTSIDE = sorted({*ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("routes/**/*.py")} - FOR_TESTS)
TRYING_OUT = sorted([*FOR_TESTS, *ROOT.glob("plugins/*/tests/**/*.py"), *ROOT.glob("examples/**/*.py")])
FACES = ("routekit", "routekit.remotes", "routekit.commanding")
TESTING = (*FACES, "routekit.testing", "routekit.testing.conformance", "routekit.testing.remote")
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imported(source: str) -> Iterator[str]:
    """Absolute modules that a source imports, wherever in it; of `from routekit import x` both readings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name))


def _is_module(package: str, name: str) -> bool:
    """Whether a name of a package is a module in it, and nothing that the package gives by that name."""
    folder = ROOT.joinpath(*package.split("."))
    face = folder / "__init__.py"
    if face.exists() and re.search(rf" as {name}$", face.read_text(encoding="utf-8"), re.MULTILINE):
        return False
    return (folder / name).with_suffix(".py").exists() or (folder / name).is_dir()


def inner(source: str, *doors: str) -> list[str]:
    """What a source imports of the core, but for its doors."""
    return [module for module in imported(source) if module.split(".")[0] == "routekit" and module not in doors]


@pytest.mark.parametrize("file", OUTSIDE, ids=named)
def test_outside_enters_by_the_face(file: Path) -> None:
    """Plugins and routes import `routekit` and the doors for remote systems and commands, and nothing inside."""
    assert inner(file.read_text(encoding="utf-8"), *FACES) == []


@pytest.mark.parametrize("file", TRYING_OUT, ids=named)
def test_tests_and_examples_enter_by_the_face_and_testing(file: Path) -> None:
    """Tests of plugins, and examples, import the face, `routekit.testing` and its kit, and nothing inside."""
    assert inner(file.read_text(encoding="utf-8"), *TESTING) == []


@pytest.mark.parametrize("file", OUTSIDE, ids=named)
def test_what_is_for_tests_is_for_tests_alone(file: Path) -> None:
    """Nothing that runs in a service loads what its plugin offers to tests."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert not [module for module in inside if "testing" in module.split(".")]


@pytest.mark.parametrize(
    "source",
    [
        "import routekit.step",
        "from routekit.step import Step",
        "from routekit import step",
        "def late():\n    from routekit.runtime.service import Service",
        "if TYPE_CHECKING:\n    import routekit.flow as flow",
    ],
)
def test_every_way_around_the_doors_is_seen(source: str) -> None:
    """An import of an inner module is found in any spelling, at any depth."""
    assert inner(source, "routekit")


def test_the_core_names_no_plugin() -> None:
    """Nothing in the core knows a plugin of ours, not even by name: what is said of one is said by its entry points."""
    names = [file.parent.name for file in PLUGINS]
    known = [
        f"{named(file)}: {name}"
        for file in ROOT.glob("routekit/**/*.py")
        for name in (*names, *(name.replace("-", "_") for name in names))
        if name in file.read_text(encoding="utf-8")
    ]
    assert not known


def test_plugins_know_of_each_other_only_what_they_say() -> None:
    """A plugin imports another one only by its face, and only one that its own file names as a dependency."""
    packages = {file.parent.name: next(file.parent.glob("src/*/__init__.py")).parent.name for file in PLUGINS}
    known = [
        f"{named(file)}: {module}"
        for plugin, own in packages.items()
        for file in ROOT.glob(f"plugins/{plugin}/src/**/*.py")
        for module in imported(file.read_text(encoding="utf-8"))
        if module.split(".")[0] in set(packages.values()) - {own}
        if module not in {packages.get(name) for name in dependencies(ROOT / "plugins" / plugin / "pyproject.toml")}
    ]
    assert not known


def dependencies(file: Path) -> list[str]:
    """The names of the distributions that one cannot be without."""
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    return [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in project.get("dependencies", ())]


def test_libraries_run_on_any_event_loop() -> None:
    """The core and the plugins use anyio: none of them imports asyncio or trio, but for the loops of tests."""
    files = {*ROOT.glob("routekit/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")}
    files -= {ROOT / "routekit/testing/virtual.py", ROOT / "routekit/simulate/loop.py"}
    tied = [
        named(file)
        for file in files
        if {module.split(".")[0] for module in imported(file.read_text(encoding="utf-8"))} & {"asyncio", "trio"}
    ]
    assert not tied
