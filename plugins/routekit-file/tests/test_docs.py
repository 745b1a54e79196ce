"""What is written is true: the README and the example."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from routekit import Flow
from routekit.testing import Catalog
from routekit_file import FileSink, FileSource

PLUGIN = Path(__file__).parents[1]
README = (PLUGIN / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [FileSource, FileSink])
def test_the_readme_tells_every_option(kind: Any) -> None:
    """No option is left out, and the default that stands there is that of the code."""
    for name, field in list(kind.model_fields.items())[1:]:
        assert f"`{name}`" in README, name
        assert field.description, name


def test_the_readme_tells_every_figure() -> None:
    """And every header."""
    for about in (FileSource.about, FileSink.about):
        for name in (*about.figures, *about.headers):
            assert f"`{name}`" in README, name


def test_the_routes_of_the_readme_can_be_written() -> None:
    """Their endpoints exist, with these options."""
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[-1]
    space: dict[str, Any] = {}
    exec(block, space)
    flows = {name: value for name, value in space.items() if isinstance(value, Flow)}
    assert len(flows) == 3
    catalog = Catalog()
    for name, flow in flows.items():
        route = flow.route(name)
        catalog.source(route.source)
        for step in route.chain.steps:
            for target in step.targets():
                if not str(target).startswith("sql:"):  # a plugin of its own
                    catalog.sink(target)


def test_the_example_runs() -> None:
    """It ends by itself, and tells where the files went."""
    example = PLUGIN / "examples" / "exchange.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.sub(r"\d{4}-\d\d-\d\d", "DAY", done.stdout).split() == [
        "booked/DAY/0001.json",
        "booked/DAY/0003.json",
        "spoilt/0002.json",
        "spoilt/0002.json.error.json",
    ]
