"""Layout: where the boxes of a graph stand and how the lines between them run, in pixels.

Layers run to the right, or down; parts of a graph that are not joined are laid out each for itself, and packed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .layering import Layered, Place, layered

LAYER_GAP = 84.0
"""Between two layers; an arrow's figures stand there."""

BOX_GAP = 22.0
LINE_GAP = 14.0
PART_GAP = 34.0
MARGIN = 12.0
SETTLE = (24, 160)
"""How often places are drawn to their neighbours: at least, and at most, where they are few."""


@dataclass(frozen=True, slots=True)
class Box:
    """Something to be placed."""

    id: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow between two boxes, by their ids; its number in the sequence is its name.

    The stronger its `pull`, the straighter it runs.
    """

    source: str
    target: str
    pull: float = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """How a line runs: an SVG path, and the point for its label with the side of the label that is there."""

    path: str
    x: float
    y: float
    anchor: str


@dataclass(slots=True)
class Layout:
    """Corners of boxes, at the left and top, and the runs of lines by number."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    runs: dict[int, Run] = field(default_factory=dict[int, Run])


def laid_out(
    boxes: Sequence[Box], lines: Sequence[Line], *, down: bool = False, wide: float = 1240.0, gap: float = LAYER_GAP
) -> Layout:
    """Place boxes and lines. `down`: layers run from top to bottom; `wide` is where packed parts break, in pixels."""
    whole = Layout()
    parts = [_part(boxes, lines, part, down, gap) for part in _joined(boxes, lines)]
    wide = max([wide, *(part.width for part in parts)])
    x = y = MARGIN
    tall = 0.0
    for part in sorted(parts, key=lambda part: -part.height):
        if x > MARGIN and x + part.width > wide + MARGIN:
            x, y, tall = MARGIN, y + tall + PART_GAP, 0.0
        _add(whole, part, x, y)
        x += part.width + PART_GAP * 1.5
        tall = max(tall, part.height)
    whole.width += MARGIN
    whole.height += MARGIN
    return whole


def _joined(boxes: Sequence[Box], lines: Sequence[Line]) -> list[list[int]]:
    """The numbers of the boxes of each part, in the order of the first of each."""
    over = {box.id: box.id for box in boxes}

    def top(box: str) -> str:
        while over[box] != box:
            over[box] = box = over[over[box]]
        return box

    for line in lines:
        over[top(line.target)] = top(line.source)
    parts: dict[str, list[int]] = {}
    for number, box in enumerate(boxes):
        parts.setdefault(top(box.id), []).append(number)
    return list(parts.values())


def _add(whole: Layout, part: "_Placed", x: float, y: float) -> None:
    whole.boxes |= {box: (left + x, top + y) for box, (left, top) in part.boxes.items()}
    whole.runs |= {number: part.run(number, x, y) for number in part.ways}
    whole.width = max(whole.width, x + part.width)
    whole.height = max(whole.height, y + part.height)


@dataclass(slots=True)
class _Placed:
    """One part, from its own corner; `ways` are the points that each line passes, from its source to its target."""

    down: bool
    width: float
    height: float
    boxes: dict[str, tuple[float, float]]
    ways: dict[int, list[tuple[float, float]]]

    def run(self, number: int, x: float, y: float) -> Run:
        points = [(left + x, top + y) for left, top in self.ways[number]]
        path = _curve(points, self.down)
        if self.down:  # what it says is why it left
            (ax, ay), (bx, by) = points[:2]
            return Run(path, ax + (bx - ax) * 0.72, ay + (by - ay) * 0.62, "middle")
        return Run(path, points[-1][0] - 9, points[-1][1], "end")  # what it says is what comes


def _part(boxes: Sequence[Box], lines: Sequence[Line], part: Sequence[int], down: bool, gap: float) -> _Placed:
    """Lay one part out, along (`depth`) and across the direction of its layers."""
    own = {boxes[number].id: boxes[number] for number in part}
    numbers = [number for number, line in enumerate(lines) if line.source in own]
    found = layered(list(own), [(lines[number].source, lines[number].target) for number in numbers])
    sizes = {name: (box.height, box.width) if down else (box.width, box.height) for name, box in own.items()}
    depths = [max((sizes[one][0] for one in layer if isinstance(one, str)), default=0.0) for layer in found.layers]
    starts = [sum(depths[:rank]) + gap * rank for rank in range(len(depths))]
    pulls = [lines[number].pull for number in numbers]
    across = _across(
        found, pulls, {place: sizes[place][1] if isinstance(place, str) else 0.0 for place in found.before}
    )
    ranks = {place: rank for rank, layer in enumerate(found.layers) for place in layer}
    corners: dict[str, tuple[float, float]] = {}
    for name, (_, breadth) in sizes.items():
        corner = (starts[ranks[name]], across[name] - breadth / 2)
        corners[name] = (corner[1], corner[0]) if down else corner
    ways: dict[int, list[tuple[float, float]]] = {}
    for own_number, number in enumerate(numbers):
        points = list(_points(found, own_number, ranks, starts, depths, across, sizes))
        if points:
            ways[number] = [(b, a) for a, b in points] if down else points
    length = starts[-1] + depths[-1]
    breadth = max(across[name] + size[1] / 2 for name, size in sizes.items())
    breadth = max([breadth, *across.values()])
    width, height = (breadth, length) if down else (length, breadth)
    return _Placed(down, width, height, corners, ways)


def _points(
    found: Layered,
    number: int,
    ranks: Mapping[Place, int],
    starts: Sequence[float],
    depths: Sequence[float],
    across: Mapping[Place, float],
    sizes: Mapping[str, tuple[float, float]],
) -> Iterator[tuple[float, float]]:
    """What a line passes, from its source to its target: it leaves a box at its end and enters the next at its start.

    Through a layer it runs straight.
    """
    way = found.ways[number]
    points: list[tuple[float, float]] = []
    for position, place in enumerate(way):
        rank = ranks[place]
        start = starts[rank]
        end = start + (sizes[place][0] if isinstance(place, str) else depths[rank])
        if position > 0:
            points.append((start, across[place]))
        if position < len(way) - 1:
            points.append((end, across[place]))
    yield from reversed(points) if number in found.turned else points


def _across(found: Layered, pulls: Sequence[float], breadths: Mapping[Place, float]) -> dict[Place, float]:
    """The middle of each place across the layers: near to its neighbours, in order, and without overlap."""
    across: dict[Place, float] = {}
    for layer in found.layers:
        at = 0.0
        for place in layer:
            across[place] = at + breadths[place] / 2
            at += breadths[place] + _gap(breadths[place])
    least, most = SETTLE
    sweeps = max(least, min(most, 16_000 // max(len(breadths), 1)))
    for sweep in range(sweeps):
        forth = sweep % 2 == 0
        for layer in found.layers if forth else reversed(found.layers):
            _settle(layer, found, pulls, across, breadths, both=sweep >= 8, forth=forth)
    edge = min((across[place] - breadth / 2 for place, breadth in breadths.items()), default=0.0)
    return {place: at - edge for place, at in across.items()}


def _settle(
    layer: Sequence[Place],
    found: Layered,
    pulls: Sequence[float],
    across: dict[Place, float],
    breadths: Mapping[Place, float],
    *,
    both: bool,
    forth: bool,
) -> None:
    """Move the places of a layer to where their neighbours want them, as far as the order and the gaps allow.

    The least sum of squares under that order: pool those that would overlap (pool adjacent violators).
    """
    offsets: list[float] = []
    at = 0.0
    for number, place in enumerate(layer):
        if number:
            last = layer[number - 1]
            at += (breadths[last] + breadths[place]) / 2 + min(_gap(breadths[last]), _gap(breadths[place]))
        offsets.append(at)
    pools: list[tuple[float, float, int]] = []  # the mean of what is wanted, its weight, how many places
    for place, offset in zip(layer, offsets, strict=True):
        sides = [found.before[place], found.after[place]]
        near = sides[0] + sides[1] if both else sides[0 if forth else 1] or sides[1 if forth else 0]
        strengths = [pulls[line] * _stiffness(place, one) for one, line in near]
        # the weight has to be the sum of the pulls: then each step lessens one and the same sum, and it comes to rest
        weight = sum(strengths) or 1.0
        drawn = sum(across[one] * strength for (one, _), strength in zip(near, strengths, strict=True))
        wanted = drawn / weight if near else across[place]
        pools.append((wanted - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (mean, heavy, many), (other, light, few) = pools[-2], pools[-1]
            pools[-2:] = [((mean * heavy + other * light) / (heavy + light), heavy + light, many + few)]
    number = 0
    for mean, _, many in pools:
        for _ in range(many):
            across[layer[number]] = mean + offsets[number]
            number += 1


def _stiffness(one: Place, other: Place) -> float:
    """How straight a part of a line is to be: the more, the farther it is from boxes (Gansner and others, 1993)."""
    return (1.0, 2.0, 8.0)[(not isinstance(one, str)) + (not isinstance(other, str))]


def _gap(breadth: float) -> float:
    return BOX_GAP if breadth else LINE_GAP


def _curve(points: Sequence[tuple[float, float]], down: bool) -> str:
    """A path that leaves and enters along the layers, straight through them and curved between."""
    parts = [f"M{_number(points[0][0])} {_number(points[0][1])}"]
    for (ax, ay), (bx, by) in pairwise(points):
        if (ax == bx) if down else abs(ay - by) < 0.5:
            parts.append(f"L{_number(bx)} {_number(by)}")
            continue
        one, other = ((ax, (ay + by) / 2), (bx, (ay + by) / 2)) if down else (((ax + bx) / 2, ay), ((ax + bx) / 2, by))
        parts.append("C" + " ".join(f"{_number(x)} {_number(y)}" for x, y in (one, other, (bx, by))))
    return "".join(parts)


def _number(value: float) -> str:
    """Short, as pages are small."""
    return f"{value:.1f}".removesuffix(".0")
