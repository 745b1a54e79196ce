"""Picture: a drawing as data, boxes and arrows with what they say, ready for the template that makes SVG of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .layout import LAYER_GAP, Box, Layout, Line, laid_out


@dataclass(frozen=True, slots=True)
class Shape:
    """A box: `title` and `lines` are what it says, `tip` all about it.

    `look` is its class, `state` its colour and sign. Its size
    does not depend on what changes from second to second, so that nothing jumps.
    """

    id: str
    title: str
    lines: tuple[str, ...] = ()
    look: str = "route"
    state: str = ""
    tip: str = ""
    href: str = ""
    alarm: str = ""
    """What is wrong, at the end of the last line."""
    number: str = ""
    """When it was passed, in the picture of one message's way."""
    width: float = 200.0
    height: float = 52.0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line between two shapes: its figures are `label`, `below` that, and `alarm`.

    `weight` is its width from 0, at rest, to 4; the stronger its `pull`, the straighter it runs.
    """

    source: str
    target: str
    label: str = ""
    below: str = ""
    alarm: str = ""
    look: str = ""
    weight: int = 0
    tip: str = ""
    pull: float = 1.0
    path: str = ""
    x: float = 0.0
    y: float = 0.0
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing in pixels; `words` says it to who cannot see it."""

    shapes: Sequence[Shape] = field(default_factory=list[Shape])
    arrows: Sequence[Arrow] = field(default_factory=list[Arrow])
    width: float = 0.0
    height: float = 0.0
    words: str = ""


def drawn(
    shapes: Sequence[Shape], arrows: Sequence[Arrow], *, words: str, down: bool = False, gap: float = LAYER_GAP
) -> Picture:
    """Shapes and arrows at their places. What is drawn again with other figures only is not laid out again."""
    boxes = tuple(Box(shape.id, shape.width, shape.height) for shape in shapes)
    lines = tuple(Line(arrow.source, arrow.target, arrow.pull) for arrow in arrows)
    layout = _laid_out(boxes, lines, down, gap)
    placed = [replace(shape, x=layout.boxes[shape.id][0], y=layout.boxes[shape.id][1]) for shape in shapes]
    runs = [(arrow, layout.runs[number]) for number, arrow in enumerate(arrows) if number in layout.runs]
    run = [replace(arrow, path=way.path, x=way.x, y=way.y, anchor=way.anchor) for arrow, way in runs]
    return Picture(placed, run, layout.width, layout.height, words)


@lru_cache(maxsize=64)
def _laid_out(boxes: tuple[Box, ...], lines: tuple[Line, ...], down: bool, gap: float) -> Layout:
    return laid_out(boxes, lines, down=down, gap=gap)
