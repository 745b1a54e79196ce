"""Every program in `examples/` runs, and prints what its docstring shows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_prints_what_it_shows(path: Path) -> None:
    """The lines after the command in the docstring are what a reader will see; `...` stands for anything."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) or ""
    _, *shown = re.findall(r"^    (.+)$", doc, flags=re.MULTILINE)
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == len(shown)
    for line, found in zip(shown, printed, strict=True):
        assert re.fullmatch(".*".join(map(re.escape, line.split("..."))), found), (line, found)
