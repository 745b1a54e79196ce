"""Every program in `examples/` runs, and prints what its docstring shows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def doc_of(path: Path) -> str:
    """The text at the head of a program."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) or ""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_prints_what_it_shows(path: Path) -> None:
    """The lines after the command in the docstring are what a reader will see; `...` stands for anything."""
    _, *shown = re.findall(r"^    (.+)$", doc_of(path), flags=re.MULTILINE)
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == len(shown)
    for line, found in zip(shown, printed, strict=True):
        assert re.fullmatch(".*".join(map(re.escape, line.split("..."))), found), (line, found)


def test_the_list_of_examples_is_that_of_their_own_words() -> None:
    """Each is there, with its first line and its lesson."""
    listed = re.findall(r"^\| \[.+$", (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = [(path.name, doc_of(path)) for path in EXAMPLES]
    lessons = [
        (name, doc.splitlines()[0], re.findall(r"^What to learn: (.+)$", doc, re.MULTILINE)) for name, doc in told
    ]
    assert listed == [f"| [{name}]({name}) | {first} | {' '.join(lesson)} |" for name, first, lesson in lessons]
