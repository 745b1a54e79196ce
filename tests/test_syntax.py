"""The syntax tree of a text"""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from routekit.syntax import tree_of


def test_several_threads_may_ask_at_once() -> None:
    """Each gets the tree of its text, whenever the interpreter turns to another one."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            trees = list(threads.map(tree_of, [f"x = {'(' * 20}{n}{')' * 20}\n" * 50 for n in range(40)]))
    finally:
        sys.setswitchinterval(before)
    assert [len(tree.body) for tree in trees] == [50] * 40


def test_what_is_no_python_is_told() -> None:
    """As Python itself tells it."""
    with pytest.raises(SyntaxError):
        tree_of("def (")
