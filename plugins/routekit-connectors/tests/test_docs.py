"""What is written is true: the examples in docstrings."""

import doctest
from importlib import import_module

import pytest

MODULES = ["fields", "tryton.calling", "bottlecrm_webhooks"]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_are_true(name: str) -> None:
    """Every example gives the result that stands below it."""
    result = doctest.testmod(import_module(f"routekit_connectors.{name}"), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
