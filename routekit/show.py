"""Show: routes as a text tree, as Mermaid and as JSON, all from one walk over their definitions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .options import masked
from .place import Place
from .route import Route
from .step import Chain

_ASIDE = frozenset({"tap", "dead letters", "finally"})
"""The branches that nothing comes back from."""


@dataclass(frozen=True, slots=True)
class Node:
    """A source, step or end, with the branches inside it."""

    kind: str
    label: str
    place: Place
    branches: tuple[tuple[str, tuple["Node", ...]], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The node as plain data."""
        data: dict[str, Any] = {"kind": self.kind, "label": self.label, "place": str(self.place)}
        if self.branches:
            data["branches"] = [
                {"label": label, "steps": [node.as_json() for node in nodes]} for label, nodes in self.branches
            ]
        return data


def walk(route: Route) -> tuple[Node, ...]:
    """The source and the steps of a route."""
    return (Node("from", masked(str(route.source)), route.place), *_nodes(route.chain))


def _nodes(chain: Chain) -> tuple[Node, ...]:
    return tuple(
        Node(
            step.word or type(step).__name__.lower(),
            masked(step.label),
            place,
            tuple((label, _nodes(branch)) for label, branch in step.branches()),
        )
        for step, place in zip(chain.steps, chain.places, strict=True)
    )


def as_json(route: Route) -> dict[str, Any]:
    """A route as plain data."""
    return {
        "name": route.name,
        "doc": route.doc,
        "place": str(route.place),
        "steps": [node.as_json() for node in walk(route)],
    }


def as_text(route: Route) -> str:
    """A route as an indented tree."""
    source, *steps = walk(route)
    return "\n".join([f"{route.name}  ({route.place})", f"from {source.label}", *_tree(steps, "")])


def _tree(nodes: Sequence[Node], indent: str) -> Iterator[str]:
    for number, node in enumerate(nodes, 1):
        last = number == len(nodes)
        yield f"{indent}{'└─' if last else '├─'} {node.label}"
        inner = f"{indent}{'   ' if last else '│  '}"
        for label, branch in node.branches:
            yield f"{inner}{label}:" if branch else f"{inner}{label}: goes on"
            yield from _tree(branch, inner)


def as_mermaid(routes: Sequence[Route]) -> str:
    """Routes as a Mermaid flowchart, one subgraph each; a dashed line joins a route to the one that it calls."""
    drawing = _Drawing()
    for route in routes:
        drawing.route(route)
    return drawing.text()


class _Drawing:
    """Numbers the nodes and collects the lines."""

    def __init__(self) -> None:
        self._lines = ["flowchart TD"]
        self._count = 0
        self._sources: dict[str, str] = {}
        self._sends: list[tuple[str, str]] = []

    def route(self, route: Route) -> None:
        source, *steps = walk(route)
        self._lines.append(f'  subgraph "{_safe(route.name)}"')
        first = self._node(source, lambda text: f"([{text}])")
        self._sources[source.label.partition("?")[0]] = first
        self._chain(steps, [(first, "")])
        self._lines.append("  end")

    def text(self) -> str:
        calls = [f"  {node} -.-> {self._sources[uri]}" for node, uri in self._sends if uri in self._sources]
        return "\n".join([*self._lines, *calls])

    def _chain(self, nodes: Sequence[Node], ends: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Draw nodes after open ends (node, label of the arrow); gives the ends that are open then."""
        for node in nodes:
            name = self._node(node, _shape(node.kind))
            for end, label in ends:
                arrow = f'-- "{_safe(label)}" -->' if label else "-->"
                self._lines.append(f"    {end} {arrow} {name}")
            ends = self._branches(node, name)
        return ends

    def _branches(self, node: Node, name: str) -> list[tuple[str, str]]:
        if not node.branches:
            return [(name, "")]
        ends = [(label, self._chain(branch, [(name, label)])) for label, branch in node.branches]
        onward = [end for label, those in ends if label not in _ASIDE for end in those]
        return onward or [(name, "")]

    def _node(self, node: Node, shape: Callable[[str], str]) -> str:
        self._count += 1
        name = f"n{self._count}"
        self._lines.append(f"    {name}{shape(chr(34) + _safe(node.label) + chr(34))}")
        if node.kind == "to":
            self._sends.append((name, node.label.removeprefix("to ").partition("?")[0]))
        return name


def _shape(kind: str) -> Callable[[str], str]:
    shapes = {"filter": "{{%s}}", "choice": "{%s}", "to": "[(%s)]", "idempotent": "{{%s}}"}
    return lambda text: shapes.get(kind, "[%s]") % text


def _safe(text: str) -> str:
    return text.replace('"', "#quot;").replace("\n", " ")
