"""What is made is whole: it formats, it has no mistakes of style or type, and its own tests pass."""

import ast
import os
import subprocess
import sys
from itertools import chain, combinations
from pathlib import Path

import pytest

from routekit.scaffold.plan import KINDS, LONGEST, Plan
from routekit.scaffold.rendering import rendered, write

BIN = Path(sys.executable).parent
NAMES = ("a", "acme-crm2", "x" * LONGEST)
EVERYTHING = ("source", "sink", "codec", "hook", "step")
CALLED = ("listener", "codec", "hook", "step")
COMBINATIONS = [
    kinds
    for kinds in chain.from_iterable(combinations(KINDS, size) for size in range(1, len(KINDS) + 1))
    if not {"source", "listener"} <= set(kinds)
]


def made(folder: Path, name: str, kinds: tuple[str, ...]) -> Path:
    """The distribution, in a folder of its own."""
    place = folder / f"{name}-{'-'.join(kinds)}"
    write(place, rendered(Plan(name, kinds), year=2026, version="0.1.0"))
    return place


def run(folder: Path, *command: str) -> None:
    """Run a tool there; fails with what it prints."""
    # Nothing of the tests that are running may reach it.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    command = (str(BIN / command[0]), *command[1:])
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_combination_is_in_shape(tmp_path: Path) -> None:
    """By the rules that it brings itself, whatever its name and kinds are."""
    for name in NAMES:
        for kinds in COMBINATIONS:
            made(tmp_path, name, kinds)
    run(tmp_path, "ruff", "check", "--quiet", ".")
    run(tmp_path, "ruff", "format", "--check", "--quiet", ".")


def test_no_word_is_left_open() -> None:
    """Nothing of the templates' own marks is in what is made."""
    for kinds in COMBINATIONS:
        for path, text in rendered(Plan("acme", kinds), year=2026, version="0.1.0").items():
            assert not {"«", "»"} & set(path + text), path
            assert not [line for line in text.splitlines() if line.startswith("#:")], path
            assert text.endswith("\n") or not text, path
            assert "\n\n\n\n" not in text, path


@pytest.mark.parametrize("kinds", [EVERYTHING, CALLED, ("hook",), ("step",)], ids="-".join)
def test_its_types_are_right(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """Strictly, by the settings that it brings itself."""
    run(made(tmp_path, "acme", kinds), "pyright", "--pythonpath", sys.executable)


@pytest.mark.parametrize("kinds", [CALLED, ("hook",)], ids="-".join)
def test_its_own_tests_pass(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """Without an installation; `docs/plugins/first-plugin.md` and `make wheels` do the same with others."""
    run(made(tmp_path, "acme", kinds), "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_its_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README shows are routes that can be written so, and whose types fit."""
    for number, kinds in enumerate([EVERYTHING, CALLED]):
        folder = made(tmp_path, f"acme{number}", kinds)
        monkeypatch.syspath_prepend(folder / "src")
        blocks = (folder / "README.md").read_text(encoding="utf-8").split("```")[1::2]
        assert len(blocks) == len(kinds) - ("sink" in kinds) - ("hook" in kinds)
        for place, block in enumerate(blocks):
            code = block.removeprefix("python\n")
            exec(code, {})
            (folder / "src" / f"shown{place}.py").write_text(code, encoding="utf-8")
        run(folder, "pyright", "--pythonpath", sys.executable, "src")


def test_it_enters_by_the_doors() -> None:
    """It imports what the interface is and nothing inside, and runs on any event loop: as ours have to."""
    doors = {"routekit", "routekit.testing", "routekit.testing.conformance"}
    for kinds in (EVERYTHING, CALLED):
        for path, text in rendered(Plan("acme", kinds), year=2026, version="0.1.0").items():
            if path.endswith(".py"):
                nodes = list(ast.walk(ast.parse(text)))
                named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
                named |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
                inside = {name for name in named if name and name.split(".")[0] == "routekit"}
                assert inside <= (doors if path.startswith("tests/") else {"routekit"}), path
                assert not named & {"asyncio", "trio"}, path


def test_the_workflow_does_what_the_readme_says() -> None:
    """The commands that people are told to run are those of CI."""
    files = rendered(Plan("acme", EVERYTHING), year=2026, version="0.1.0")
    for command in ("pytest", "pyright", "ruff check", "ruff format --check"):
        assert f"run: {command}\n" in files[".github/workflows/ci.yml"]
        assert command in files["README.md"]
