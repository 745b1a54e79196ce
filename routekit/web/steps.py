"""Steps: one route in a picture, from its source down to its sinks, with what its steps count."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..operating.sights import HopSight, StepSight
from .formats import clipped, number, span
from .picture import Arrow, Picture, Shape, drawn

Node: TypeAlias = Mapping[str, Any]
"""A step as `routekit.show.as_json` gives it."""

Key: TypeAlias = tuple[str, str]
"""The place of a step, and its label with the branches around it, letters only: these are written in several ways."""

_ASIDE = frozenset({"dead letters", "finally"})
_UNDO = "undo "
_DECIDES = frozenset({"choice", "filter", "idempotent", "detour", "recipients", "dynamic_router", "validate", "sample"})
_TEXT = 28

FAILED = ("failed", "retried", "broken off")
"""Outcomes of a hop that went wrong."""

_PLACEHOLDER = re.compile(r"\$\{(\w+)[^}]*\}")
_GAP = 40.0


@dataclass(slots=True)
class _Plan:
    """Shapes and arrows as they are found on a walk down the route."""

    counts: Mapping[Key, StepSight]
    passed: Mapping[Key, tuple[int, HopSight]] | None
    received: int = 0
    shapes: list[Shape] = field(default_factory=list[Shape])
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    aside: int = 0
    """How many branches deep the walk is beside the way that messages go."""
    within: list[str] = field(default_factory=list[str])
    """The branches around the step at hand."""


_Ends: TypeAlias = list[tuple[str, str]]
"""Where a walk may go on: boxes, each with the label of the arrow from there."""


def picture_of(
    drawing: Mapping[str, Any],
    steps: Sequence[StepSight],
    hops: Sequence[HopSight] | None = None,
    *,
    received: int = 0,
) -> Picture:
    """A route by its drawing; with `hops`, as one message has passed it: what that did not meet is faint."""
    counts = {(step.place, _letters(step.label)): step for step in steps}
    plan = _Plan(counts, None if hops is None else _passed(hops), received)
    nodes: Sequence[Node] = drawing.get("steps", ())
    if nodes:
        first = _node(plan, nodes[0])
        _chain(plan, nodes[1:], _branches(plan, nodes[0], first))
    arrows = plan.arrows if plan.passed is None else [_trodden(arrow, plan) for arrow in plan.arrows]
    words = f"the {len(plan.shapes)} steps of {drawing.get('name', 'the route')}; the table of steps says the same"
    shapes = sorted(plan.shapes, key=lambda shape: "aside" in shape.look)  # to the right of the way
    return drawn(shapes, arrows, words=words, down=True, gap=_GAP)


def key_of(hop: HopSight) -> Key:
    """By what a hop is found in the picture."""
    return (hop.place, _letters(hop.step))


def numbered(hops: Sequence[HopSight]) -> dict[Key, int]:
    """The steps that were passed, numbered in the order of the first time."""
    numbers: dict[Key, int] = {}
    for hop in hops:
        numbers.setdefault(key_of(hop), len(numbers) + 1)
    return numbers


def _passed(hops: Sequence[HopSight]) -> dict[Key, tuple[int, HopSight]]:
    """The steps that were passed, each with its number and its last hop."""
    numbers = numbered(hops)
    return {key_of(hop): (numbers[key_of(hop)], hop) for hop in hops}


def _chain(plan: _Plan, nodes: Sequence[Node], ends: _Ends) -> _Ends:
    """Draw steps after open ends; gives the ends that are open then."""
    for node in nodes:
        box = _node(plan, node)
        _join(plan, ends, box)
        ends = _branches(plan, node, box)
    return ends


def _branches(plan: _Plan, node: Node, box: str) -> _Ends:
    """Draw the branches of a step; gives the ends from which it goes on: its own, if none of them leads on."""
    if node.get("ends"):
        return []
    leads, branches = node.get("leads", "on"), node.get("branches", ())
    if leads == "through":
        return _through(plan, branches, box)
    onward: _Ends = []
    goes_on = True
    for branch in branches:
        aside = branch["label"] in _ASIDE or leads == "aside"
        with _inside(plan, branch["label"], aside=aside):
            ends = _chain(plan, branch["steps"], [(box, branch["label"])])
        if aside:
            continue
        if leads == "back":
            _join(plan, ends, box)
        else:
            goes_on = False
            onward += ends
    return [(box, "")] if goes_on else onward


def _through(plan: _Plan, branches: Sequence[Mapping[str, Any]], box: str) -> _Ends:
    """Draw branches one after the other; what undoes one hangs where that ends. Gives the ends of the last one."""
    ends: _Ends = [(box, "")]
    for branch in branches:
        label = branch["label"]
        undoes = label.startswith(_UNDO)
        with _inside(plan, label, aside=undoes):
            after = _chain(plan, branch["steps"], [(end, f"{said}, {label}" if said else label) for end, said in ends])
        if not undoes:
            ends = after
    return ends


@contextmanager
def _inside(plan: _Plan, branch: str, *, aside: bool) -> Generator[None]:
    """The walk is in a branch while the block lasts."""
    plan.within.append(branch)
    plan.aside += aside
    yield
    plan.aside -= aside
    plan.within.pop()


def _letters(label: str) -> str:
    return "".join(letter for letter in label if letter.isalnum())


def _join(plan: _Plan, ends: _Ends, box: str) -> None:
    for end, label in ends:
        aside = plan.aside > 0 or label in _ASIDE or label.startswith(_UNDO)
        pull = 0.05 if aside else 1.0 if label else 6.0
        plan.arrows.append(Arrow(end, box, clipped(label, 26), look="aside" if aside else "", tip=label, pull=pull))


def _node(plan: _Plan, node: Node) -> str:
    box = f"s{len(plan.shapes)}"
    comes = node["kind"] == "from"
    label = f"from {node['label']}" if comes else node["label"]
    key = (node["place"], _letters("".join([*plan.within, node["label"]])))
    if plan.passed is not None:
        shape = _seen(plan.passed.get(key), came=comes)
    else:
        shape = Shape("", "", (number(plan.received),)) if comes else _counted(plan.counts.get(key))
    text = clipped(_plain(label), _TEXT)
    plan.shapes.append(
        Shape(
            box,
            text,
            shape.lines,
            f"step {_look(node)}{' aside' if plan.aside else ''}",
            shape.state,
            f"{label}\n{node['place']}",
            alarm=shape.alarm,
            number=shape.number,
            width=248.0,
            height=50.0,
        )
    )
    return box


def _plain(label: str) -> str:
    """A label without what makes URIs long: options, and what placeholders stand for."""
    text = _PLACEHOLDER.sub(r"$\1", label)
    return text.partition("?")[0] if text.startswith(("to ", "from ")) else text


def _look(node: Node) -> str:
    if node["kind"] == "from":
        return "source"
    if node.get("targets"):
        return "sink"
    return "decision" if node["kind"] in _DECIDES else "work"


def _counted(step: StepSight | None) -> Shape:
    """What a step has counted."""
    if step is None or not (step.count or step.failures):
        return Shape("", "", ("0",))
    said = number(step.count) + (f" · p95 {span(step.p95)}" if step.p95 is not None else "")
    alarm = f"{number(step.failures)} failed" if step.failures else ""
    return Shape("", "", (said,), alarm=alarm, state="failing" if step.failures else "")


def _seen(passed: tuple[int, HopSight] | None, *, came: bool) -> Shape:
    """What one message did at a step; it came from the source, of which there may be no hop."""
    if passed is None:
        said, state = ("it came from here", "trodden") if came else ("not passed", "faint")
        return Shape("", "", (said,), state=state)
    first, hop = passed
    failed = hop.outcome in FAILED
    said = span(hop.seconds) + (f" · {clipped(hop.decision, 26)}" if hop.decision and not failed else "")
    alarm = clipped(hop.error or hop.outcome, 24) if failed else ""
    return Shape("", "", (said,), alarm=alarm, state="failing" if failed else "trodden", number=str(first))


def _trodden(arrow: Arrow, plan: _Plan) -> Arrow:
    """The arrow as the message passed it: strong between two steps that it met."""
    met = {shape.id for shape in plan.shapes if shape.state != "faint"}
    on = arrow.source in met and arrow.target in met
    return replace(arrow, look="trodden" if on else "faint")
