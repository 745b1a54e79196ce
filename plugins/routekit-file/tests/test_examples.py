"""The examples in docstrings do what they say."""

import doctest

import pytest

from routekit_file import checksums, globs, inside, markers, moving, probing


@pytest.mark.parametrize(
    "module", [checksums, globs, inside, markers, moving, probing], ids=lambda module: module.__name__
)
def test_docstrings_are_true(module: object) -> None:
    """Every example gives the result that stands below it."""
    result = doctest.testmod(module)  # pyright: ignore
    assert result.attempted > 0
    assert result.failed == 0
