"""Every program in `examples/` runs, and prints what its docstring says."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_an_example_prints_what_it_says(program: Path) -> None:
    """What is shown behind `$` in its docstring is what it prints."""
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = program.read_text().split('"""')[1].partition("$ python")[2].split("\n", 1)[1]
    assert done.stdout.split() == shown.split()
