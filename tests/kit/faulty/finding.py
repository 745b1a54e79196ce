"""A plugin that is wrong on purpose, in one way after another; the kit has to find each, and nothing else."""

from collections.abc import Callable
from typing import Any, TypeVar

K = TypeVar("K", bound=type[Any])

FOUND: dict[type[Any], set[str]] = {}
"""The faulty classes, and the tests that must fail for them."""


def found_by(*tests: str) -> Callable[[K], K]:
    """These tests fail for a class, and no other."""

    def note(kind: K) -> K:
        FOUND[kind] = {*tests}
        return kind

    return note


def named(kind: type[Any]) -> str:
    """How a faulty class is called in the list of tests."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
