"""The examples in docstrings give what stands below them, and the README names every option."""

import doctest
import re
from pathlib import Path

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
