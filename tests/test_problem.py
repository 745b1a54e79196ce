"""Problem: an error with the place that its author can change."""

import traceback
from pathlib import Path
from types import ModuleType

import pytest

from routekit import BadOption
from routekit.place import Place
from routekit.problem import Problem, problem_of, raised_in

HERE = Place("a.py", 3)


def test_hint_is_kept_apart() -> None:
    """An error of ours gives its message and its hint, each for itself."""
    problem = problem_of(BadOption("no such option", hint="write another"), HERE, "r")
    assert problem == Problem(HERE, "r", "no such option", "write another")


def test_other_errors_say_their_class() -> None:
    """Any other error is told with its class, as its text alone may say nothing."""
    assert problem_of(KeyError("x"), HERE, "r").message == "KeyError: 'x'"


def test_syntax_errors_do_not_repeat_their_place() -> None:
    """A SyntaxError is told without the file and line that its text ends with."""
    with pytest.raises(SyntaxError) as caught:
        compile("x = (", "a.py", "exec")
    assert problem_of(caught.value, HERE, "").message == "SyntaxError: '(' was never closed"


def test_plain_data() -> None:
    """As plain data the place is one text, file and line."""
    problem = Problem(HERE, "r", "m", "h")
    assert problem.as_json() == {"place": "a.py:3", "route": "r", "message": "m", "hint": "h"}


def test_line_of_the_author(tmp_path: Path) -> None:
    """The place is the last line in the author's folder, however deep the error was raised in a library."""
    file = tmp_path / "mine.py"
    file.write_text("import json\ndef parse(): return json.loads('{')\nparse()\n", encoding="utf-8")
    with pytest.raises(ValueError, match="Expecting property name") as caught:
        exec(compile(file.read_text(), str(file), "exec"), ModuleType("mine").__dict__)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].filename != str(file)
    assert raised_in(caught.value, str(tmp_path), HERE) == Place(str(file), 2)


def test_error_from_elsewhere() -> None:
    """An error that passed no line of the author's has the place that is given."""
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert raised_in(caught.value, "/nowhere", HERE) == HERE
