"""Steps: one route in a picture, from its source down to its sinks, with what its steps count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..operating.sights import HopSight, StepSight
from .formats import clipped, number, span
from .picture import Arrow, Picture, Shape, drawn

Node: TypeAlias = Mapping[str, Any]
"""A step as `routekit.show.as_json` gives it."""

_ASIDE = frozenset({"dead letters", "finally"})
_UNDO = "undo "
_DECIDES = frozenset({"choice", "filter", "idempotent", "detour", "recipients", "dynamic_router", "validate", "sample"})
_TEXT = 28
_GAP = 40.0


@dataclass(slots=True)
class _Plan:
    """Shapes and arrows as they are found on a walk down the route."""

    counts: Mapping[tuple[str, str], StepSight]
    passed: Mapping[tuple[str, str], tuple[int, HopSight]] | None
    shapes: list[Shape] = field(default_factory=list[Shape])
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    aside: int = 0
    """How many branches deep the walk is beside the way that messages go."""


_Ends: TypeAlias = list[tuple[str, str]]
"""Where a walk may go on: boxes, each with the label of the arrow from there."""


def picture_of(
    drawing: Mapping[str, Any], steps: Sequence[StepSight], hops: Sequence[HopSight] | None = None
) -> Picture:
    """A route by its drawing; with `hops`, as one message has passed it: what that did not meet is faint."""
    plan = _Plan({(step.place, step.label): step for step in steps}, None if hops is None else _passed(hops))
    nodes: Sequence[Node] = drawing.get("steps", ())
    if nodes:
        first = _node(plan, nodes[0])
        _chain(plan, nodes[1:], _branches(plan, nodes[0], first))
    arrows = plan.arrows if plan.passed is None else [_trodden(arrow, plan) for arrow in plan.arrows]
    words = f"the {len(plan.shapes)} steps of {drawing.get('name', 'the route')}; the table of steps says the same"
    shapes = sorted(plan.shapes, key=lambda shape: "aside" in shape.look)  # to the right of the way
    return drawn(shapes, arrows, words=words, down=True, gap=_GAP)


def _passed(hops: Sequence[HopSight]) -> dict[tuple[str, str], tuple[int, HopSight]]:
    """The steps that were passed, each with the number of the first time and the hop of the last."""
    found: dict[tuple[str, str], tuple[int, HopSight]] = {}
    for hop in hops:
        key = (hop.place, hop.step)
        first = found[key][0] if key in found else len(found) + 1
        found[key] = (first, hop)
    return found


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
        plan.aside += aside
        ends = _chain(plan, branch["steps"], [(box, branch["label"])])
        plan.aside -= aside
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
        plan.aside += undoes
        after = _chain(plan, branch["steps"], [(end, f"{said}, {label}" if said else label) for end, said in ends])
        plan.aside -= undoes
        if not undoes:
            ends = after
    return ends


def _join(plan: _Plan, ends: _Ends, box: str) -> None:
    for end, label in ends:
        aside = plan.aside > 0 or label in _ASIDE or label.startswith(_UNDO)
        pull = 0.05 if aside else 1.0 if label else 6.0
        plan.arrows.append(Arrow(end, box, clipped(label, 26), look="aside" if aside else "", tip=label, pull=pull))


def _node(plan: _Plan, node: Node) -> str:
    box = f"s{len(plan.shapes)}"
    key = (node["place"], node["label"])
    label = node["label"] if node["kind"] != "from" else f"from {node['label']}"
    shape = _seen(plan, key, came=node["kind"] == "from") if plan.passed is not None else _counted(plan.counts.get(key))
    text = clipped(label, _TEXT)
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


def _seen(plan: _Plan, key: tuple[str, str], *, came: bool) -> Shape:
    """What one message did at a step; it came from the source, of which there may be no hop."""
    if plan.passed is None or key not in plan.passed:
        if came:
            return Shape("", "", ("came from here",), state="trodden")
        return Shape("", "", ("not passed",), state="faint")
    first, hop = plan.passed[key]
    failed = hop.outcome in ("failed", "retried")
    said = span(hop.seconds) + (f" · {clipped(hop.decision, 26)}" if hop.decision and not failed else "")
    alarm = clipped(hop.error or hop.outcome, 24) if failed else ""
    return Shape("", "", (said,), alarm=alarm, state="failing" if failed else "trodden", number=str(first))


def _trodden(arrow: Arrow, plan: _Plan) -> Arrow:
    """The arrow as the message passed it: strong between two steps that it met."""
    met = {shape.id for shape in plan.shapes if shape.state != "faint"}
    on = arrow.source in met and arrow.target in met
    return replace(arrow, look="trodden" if on else "faint")
