"""What is written is true: the examples in docstrings, and options, headers, figures and routes of the README."""

import doctest
import re
from pathlib import Path
from typing import Any

from routekit import Flow
from routekit.testing import Catalog
from routekit_rabbitmq import ConnectionSettings, RabbitMQSink, RabbitMQSource, properties

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_docstrings_are_true() -> None:
    """Every example gives its result."""
    result = doctest.testmod(properties)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_readme_names_every_option() -> None:
    """Each option of a connection, a source or a sink stands in one of the tables."""
    named = set(
        re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in README.splitlines() if line[:1] == "|"))
    )
    options = {*ConnectionSettings.model_fields, *RabbitMQSource.model_fields, *RabbitMQSink.model_fields}
    assert options - named - {"queue", "connection"} == set()


def test_the_readme_tells_every_figure_and_header() -> None:
    """Under its name; properties that are only passed on stand together."""
    for about in (RabbitMQSource.about, RabbitMQSink.about):
        for name in (*about.figures, *about.headers):
            assert f"`{name}`" in README or f"`{name.removeprefix('rabbitmq.')}`" in README, name


def test_the_code_of_the_readme_runs() -> None:
    """Its routes exist, with these options; its test is one, and runs in another file with every test."""
    space: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, space)
    (route,) = [flow.route(name) for name, flow in space.items() if isinstance(flow, Flow)]
    catalog = Catalog()
    catalog.source(route.source)
    targets = [target for step in route.chain.steps for target in step.targets()]
    assert len(targets) == 1
    catalog.sink(targets[0])
