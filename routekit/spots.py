"""Spots: the steps of a route with their numbers, and what stands around each of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from .options import masked
from .place import Place
from .remedy import Remedy
from .route import Route
from .step import OWN, REST, Chain, Step

Around = tuple[tuple[Step[Any, Any], str, int], ...]
"""Steps around a spot from the inside: each with where in it the spot stands, and its number."""


@dataclass(frozen=True)
class Spot:
    """A step with its number as `show` has it, or the source, which is 0."""

    number: int
    label: str
    place: Place
    step: Step[Any, Any] | None = None
    around: Around = ()
    behind: str | None = None
    """Where the route goes on behind it, or behind the step of the line that it is a part of; None: nowhere."""
    kept: bool = False
    """Whether it stands behind a step that keeps messages, so that its source has been told before."""

    @property
    def title(self) -> str:
        """Number and label."""
        return f"{self.number} {self.label}"

    def remedies(self, kind: type[Exception]) -> Iterator[Remedy]:
        """What the step itself and those around it do."""
        if self.step is not None:
            yield from self.step.remedies(kind, OWN)
        for step, within, number in self.around:
            yield from (replace(one, scope=f"{one.scope} ({number})") for one in step.remedies(kind, within))


@dataclass(frozen=True)
class _Node:
    """A step with its number, and those in its branches."""

    number: int
    step: Step[Any, Any]
    place: Place
    branches: Sequence[tuple[str, Chain, Sequence["_Node"]]]

    @property
    def label(self) -> str:
        return masked(self.step.label)

    @property
    def named(self) -> str:
        """Number and label."""
        return f"{self.number} {self.label}"


def spots_of(route: Route, line: set[int]) -> Sequence[Spot]:
    """The source and the steps of a route; `line` are its branches that lead on into the line, by `id`."""
    source = Spot(0, f"from {masked(str(route.source))}", route.place)
    return [source, *_within(_nodes(route.chain, count(1)), (), "the end of the route", line)]


def _nodes(chain: Chain, numbers: Iterator[int]) -> Sequence[_Node]:
    found: list[_Node] = []
    for step, place in zip(chain.steps, chain.places, strict=True):
        number = next(numbers)
        branches = [(label, branch, _nodes(branch, numbers)) for label, branch in step.branches()]
        found.append(_Node(number, step, place, branches))
    return found


def _within(
    nodes: Sequence[_Node], around: Around, end: str | None, line: set[int] | None, *, kept: bool = False
) -> Iterator[Spot]:
    """The steps of a chain and their branches; without a `line`, all are parts of a step that goes on at `end`."""
    inner = around
    for index, node in enumerate(nodes):
        last = index + 1 == len(nodes)
        behind = end if line is None or last else nodes[index + 1].named
        behind = None if any(one.step.settles for one in nodes[:index]) else behind
        yield Spot(node.number, node.label, node.place, node.step, inner, behind, kept)
        for label, branch, those in node.branches:
            on_line = line if line is not None and id(branch) in line else None
            yield from _within(those, ((node.step, label, node.number), *inner), behind, on_line, kept=kept)
        kept = kept or node.step.keeps
        inner = () if node.step.keeps else ((node.step, REST, node.number), *inner)
