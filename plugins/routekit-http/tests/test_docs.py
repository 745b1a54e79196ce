"""What is written is true: the examples in docstrings, and the routes of the README."""

import ast
import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from routekit import Flow
from routekit.testing import Catalog

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MODULES = [
    "events.parsing",
    "guard",
    "limiter",
    "pages.following",
    "pages.pointers",
    "pages.source",
    "server.templates",
    "statuses",
    "targets",
    "values",
    "waits",
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_are_true(name: str) -> None:
    """Every example gives the result that stands below it."""
    result = doctest.testmod(import_module(f"routekit_http.{name}"), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def routes() -> dict[str, Flow[Any]]:
    space: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, space)
    return {name: value for name, value in space.items() if isinstance(value, Flow)}


def test_the_routes_of_the_readme_can_be_written() -> None:
    """Their endpoints exist, with these options."""
    catalog = Catalog()
    assert len(routes()) == 7
    for name, flow in routes().items():
        route = flow.route(name)
        catalog.source(route.source)
        for step in route.chain.steps:
            for target in step.targets():
                catalog.sink(target)


@pytest.mark.parametrize("scheme", ["http", "https", "sse", "sses", "ws", "wss"])
def test_every_option_is_in_the_readme(scheme: str) -> None:
    """And every option says what it is."""
    for kind in Catalog().endpoints(scheme):
        for name, field in list(kind.model_fields.items())[1:]:
            assert field.description, f"{kind.__name__}.{name}"
            assert f"`{name}" in README or f"{name}=" in README, f"{kind.__name__}.{name}"


@pytest.mark.parametrize("name", ["auction", "shop"])
def test_the_example_prints_what_it_shows(name: str) -> None:
    """The lines after the command in its docstring are what a reader will see."""
    path = Path(__file__).parents[1] / "examples" / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) or ""
    _, *shown = re.findall(r"^    (.+)$", text, flags=re.MULTILINE)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == shown
