"""Layers: which box of a graph stands in which column, and in which order, so that few lines cross.

The way of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System Structures", 1981):
lines that would close a circle are turned round, each box stands one layer after the last of those before it, a line
over several layers gets a place in each, and the order within layers follows the barycenters of the neighbours.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

Edge: TypeAlias = tuple[str, str]
"""From which box to which."""

Place: TypeAlias = Hashable
"""A box by its id, or where a long line passes a layer: its number and the layer's."""

SWEEPS = 12
"""How often the order is improved, there and back; more have not helped on graphs of 1,000 boxes."""


@dataclass(slots=True)
class Layered:
    """Layers of places, each in its order, and the short lines between neighbouring layers.

    `ways` are the places that each line passes, its ends included, in the direction of the layers; `turned` are the
    numbers of the lines that run against it. `before` and `after` are the neighbours of a place, each with the number
    of the line to it.
    """

    layers: list[list[Place]]
    ways: list[list[Place]]
    turned: frozenset[int]
    before: dict[Place, list[tuple[Place, int]]] = field(default_factory=dict[Place, list[tuple[Place, int]]])
    after: dict[Place, list[tuple[Place, int]]] = field(default_factory=dict[Place, list[tuple[Place, int]]])


def layered(boxes: Sequence[str], edges: Sequence[Edge]) -> Layered:
    """Give each box and line its places. A line from a box to itself has no way."""
    turned = circling(boxes, edges)
    down = [(target, source) if number in turned else (source, target) for number, (source, target) in enumerate(edges)]
    ranks = ranked(boxes, [edge for edge in down if edge[0] != edge[1]])
    layers: list[list[Place]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for box in boxes:
        layers[ranks[box]].append(box)
    ways: list[list[Place]] = []
    for number, (source, target) in enumerate(down):
        way: list[Place] = [source]
        for rank in range(ranks[source] + 1, ranks[target]):
            layers[rank].append((number, rank))
            way.append((number, rank))
        ways.append([*way, target] if source != target else [])
    found = Layered(layers, ways, frozenset(turned))
    _join(found)
    _untangle(found)
    return found


def circling(boxes: Iterable[str], edges: Sequence[Edge]) -> set[int]:
    """The numbers of lines that lead back to where they come from; without them there is no circle.

    >>> circling("abc", [("a", "b"), ("b", "c"), ("c", "a")])
    {2}
    """
    leaving: dict[str, list[tuple[int, str]]] = {box: [] for box in boxes}
    for number, (source, target) in enumerate(edges):
        leaving[source].append((number, target))
    back: set[int] = set()
    done: set[str] = set()
    entered = {target for _, target in edges}
    for start in sorted(leaving, key=lambda box: box in entered):  # stable: those that nothing leads to come first
        if start not in done:
            _search(start, leaving, done, back)
    return back


def _search(start: str, leaving: Mapping[str, list[tuple[int, str]]], done: set[str], back: set[int]) -> None:
    """Go into the depth; without recursion, as a chain may have a thousand boxes."""
    path = {start}
    stack = [(start, iter(leaving[start]))]
    while stack:
        box, lines = stack[-1]
        for number, target in lines:
            if target in path:
                if target != box:
                    back.add(number)
            elif target not in done:
                path.add(target)
                stack.append((target, iter(leaving[target])))
                break
        else:
            stack.pop()
            path.discard(box)
            done.add(box)


def ranked(boxes: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """The layer of each box by the longest path to it; what nothing leads to stands right before what it leads to.

    >>> ranked("abcd", [("a", "b"), ("b", "c"), ("d", "c")])
    {'a': 0, 'b': 1, 'c': 2, 'd': 1}
    """
    after: dict[str, list[str]] = {box: [] for box in boxes}
    missing = dict.fromkeys(after, 0)
    for source, target in edges:
        after[source].append(target)
        missing[target] += 1
    first = [box for box, count in missing.items() if not count]
    ranks = dict.fromkeys(after, 0)
    ready = deque(first)
    while ready:
        box = ready.popleft()
        for target in after[box]:
            ranks[target] = max(ranks[target], ranks[box] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for box in first:
        if after[box]:
            ranks[box] = min(ranks[target] for target in after[box]) - 1
    return ranks


def _join(found: Layered) -> None:
    for layer in found.layers:
        for place in layer:
            found.before[place] = []
            found.after[place] = []
    for number, way in enumerate(found.ways):
        for one, other in pairwise(way):
            found.after[one].append((other, number))
            found.before[other].append((one, number))


def _untangle(found: Layered) -> None:
    """Sort each layer by the barycenters of its neighbours, from left to right and back, and keep the best order."""
    best, least = [list(layer) for layer in found.layers], crossings(found)
    for sweep in range(SWEEPS):
        if not least:
            return
        forth = sweep % 2 == 0
        for beside, layer in pairwise(found.layers if forth else found.layers[::-1]):
            _sort(layer, beside, found.before if forth else found.after)
        crossed = crossings(found)
        if crossed < least:
            best, least = [list(layer) for layer in found.layers], crossed
    found.layers[:] = best


def _sort(layer: list[Place], beside: Sequence[Place], neighbours: Mapping[Place, Sequence[tuple[Place, int]]]) -> None:
    """By the mean place of the neighbours in the layer beside; what has none stays where it is."""
    positions = {place: position for position, place in enumerate(beside)}
    scale = len(beside) / max(len(layer), 1)
    weights: dict[Place, float] = {}
    for position, one in enumerate(layer):
        near = neighbours[one]
        weights[one] = sum(positions[place] for place, _ in near) / len(near) if near else position * scale
    layer.sort(key=lambda one: weights[one])


def crossings(found: Layered) -> int:
    """How many pairs of lines cross."""
    count = 0
    for left, right in pairwise(found.layers):
        positions = {place: position for position, place in enumerate(right)}
        ends = [end for one in left for end in sorted(positions[other] for other, _ in found.after[one])]
        count += _inversions(ends, len(right))
    return count


def _inversions(ends: Sequence[int], size: int) -> int:
    """Pairs in the wrong order, counted in a tree of sums.

    Barth, Mutzel, Jünger: "Simple and Efficient Bilayer Cross Counting", 2004.

    >>> _inversions([2, 0, 1], 3)
    2
    """
    tree = [0] * (size + 1)
    count = 0
    for seen, end in enumerate(ends):
        upto, position = 0, end + 1
        while position:
            upto += tree[position]
            position &= position - 1
        count += seen - upto
        position = end + 1
        while position <= size:
            tree[position] += 1
            position += position & -position
    return count
