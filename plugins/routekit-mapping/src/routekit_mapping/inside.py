"""Mappings within mappings: a model that holds a model, a list whose rows are rows of a list."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from .mapping import Mapping
from .rules import Direction, Rule, declare

L = TypeVar("L", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)


def nested(a: L | None, b: R | None, by: Mapping[L, R], *, name: str = "", direction: Direction = "both") -> Rule:
    """A model within the one side is a model within the other, by a mapping of their own."""
    return replace(declare("nested", a, b, {"name": name, "direction": direction}), mapping=by)


def each(
    a: Sequence[L] | None, b: Sequence[R] | None, by: Mapping[L, R], *, name: str = "", direction: Direction = "both"
) -> Rule:
    """Every row of one list is a row of the other, by a mapping of their own.

    Rows belong together by that mapping's rules with `key=True`; without one, by their place. What the other side's row
    has beside them stays, rows that are gone are removed, and the order is that of the side that is read.
    """
    return replace(declare("each", a, b, {"name": name, "direction": direction}), mapping=by)
