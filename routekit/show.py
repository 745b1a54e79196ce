"""Show: routes as a text tree, as Mermaid and as JSON, all from one walk over their definitions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import count, repeat
from typing import Any

from .callables import name_of
from .options import masked
from .place import Place
from .rescuing import Clause
from .route import Route
from .scopes import NOTHING, clauses_of, policy_of, scopes_of
from .step import Chain

_ASIDE = frozenset({"dead letters", "finally"})
"""The branches that nothing comes back from, of whatever step."""
_UNDO = "undo "
"""How the label of a branch begins that undoes the one before it, and leads nowhere."""


@dataclass(frozen=True, slots=True)
class Node:
    """A source, step or end, with the branches inside it."""

    kind: str
    label: str
    place: Place
    branches: tuple[tuple[str, tuple["Node", ...]], ...] = ()
    ends: bool = False
    """Whether nothing comes after it."""
    targets: tuple[str, ...] = ()
    """Where it sends."""
    leads: str = "on"
    """Where its branches lead: `on`, `aside`, `back`, or `through`, one after the other."""

    def as_json(self) -> dict[str, Any]:
        """The node as plain data."""
        data: dict[str, Any] = {"kind": self.kind, "label": self.label, "place": str(self.place)}
        if self.ends:
            data["ends"] = True
        if self.leads != "on":
            data["leads"] = self.leads
        if self.targets:
            data["targets"] = list(self.targets)
        if self.branches:
            data["branches"] = [
                {"label": label, "steps": [node.as_json() for node in nodes]} for label, nodes in self.branches
            ]
        return data


def walk(route: Route) -> tuple[Node, ...]:
    """The source and the steps of a route; the branches of its policy, and its module's, are those of the source."""
    scopes = scopes_of(route, NOTHING)
    channel = policy_of(scopes).dead_letter
    rescues = [(_rescue(clause), _nodes(clause.rescue.branch)) for clause in clauses_of(scopes)]
    letters = [("dead letters", _nodes(channel))] if isinstance(channel, Chain) else []
    source = Node("from", masked(str(route.source)), route.place, (*rescues, *letters), leads="aside")
    return (source, *_nodes(route.chain))


def _rescue(clause: Clause) -> str:
    """What a clause of a policy is called in a drawing."""
    when = "" if clause.rescue.when is None else f" if {name_of(clause.rescue.when)}"
    return f"{clause.label}{when}{', then on' if clause.rescue.then == 'go_on' else ''}"


def _nodes(chain: Chain) -> tuple[Node, ...]:
    return tuple(
        Node(
            step.word or type(step).__name__.lower(),
            masked(step.label),
            place,
            tuple((label, _nodes(branch)) for label, branch in step.branches()),
            step.ends,
            tuple(masked(str(target)) for target in step.targets()),
            step.leads,
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


def as_text(route: Route, *, numbers: bool = False) -> str:
    """A route as an indented tree; with `numbers`, those by which `explain-errors` knows its steps."""
    source, *steps = walk(route)
    numbered = (f"{number} " for number in count(1)) if numbers else repeat("")
    head = [f"{route.name}  ({route.place})", f"{'0 ' if numbers else ''}from {source.label}"]
    return "\n".join([*head, *_tree(steps, "", numbered), *_limbs(source, "", repeat(""))])


def _tree(nodes: Sequence[Node], indent: str, numbers: Iterator[str]) -> Iterator[str]:
    for position, node in enumerate(nodes, 1):
        last = position == len(nodes)
        yield f"{indent}{'└─' if last else '├─'} {next(numbers)}{node.label}"
        yield from _limbs(node, f"{indent}{'   ' if last else '│  '}", numbers)


def _limbs(node: Node, indent: str, numbers: Iterator[str]) -> Iterator[str]:
    for label, branch in node.branches:
        yield f"{indent}{label}:" if branch else f"{indent}{label}: {'done' if node.kind == 'from' else 'goes on'}"
        yield from _tree(branch, indent, numbers)


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
        self._chain(steps, self._branches(source, first))
        self._lines.append("  end")

    def text(self) -> str:
        calls = [f"  {node} -.-> {self._sources[uri]}" for node, uri in self._sends if uri in self._sources]
        return "\n".join([*self._lines, *calls])

    def _chain(self, nodes: Sequence[Node], ends: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Draw nodes after open ends (node, label of the arrow); gives the ends that are open then."""
        for node in nodes:
            name = self._node(node, _shape(node.kind))
            self._join(ends, name)
            ends = self._branches(node, name)
        return ends

    def _branches(self, node: Node, name: str) -> list[tuple[str, str]]:
        """Draw the branches of a node; gives the ends from which it goes on: its own, if none of them leads on."""
        if node.ends:
            return []
        if node.leads == "through":
            return self._through(node, name)
        onward: list[tuple[str, str]] = []
        goes_on = True
        for label, branch in node.branches:
            ends = self._chain(branch, [(name, label)])
            if label in _ASIDE or node.leads == "aside":
                continue
            if node.leads == "back":
                self._join(ends, name)
            else:
                goes_on = False
                onward += ends
        return [(name, "")] if goes_on else onward

    def _through(self, node: Node, name: str) -> list[tuple[str, str]]:
        """Draw branches one after the other; what undoes one hangs where that ends. Gives the ends of the last one."""
        ends = [(name, "")]
        for label, branch in node.branches:
            after = self._chain(branch, [(end, f"{passed}, {label}" if passed else label) for end, passed in ends])
            if not label.startswith(_UNDO):
                ends = after
        return ends

    def _join(self, ends: list[tuple[str, str]], name: str) -> None:
        for end, label in ends:
            arrow = f'-- "{_safe(label)}" -->' if label else "-->"
            self._lines.append(f"    {end} {arrow} {name}")

    def _node(self, node: Node, shape: Callable[[str], str]) -> str:
        self._count += 1
        name = f"n{self._count}"
        self._lines.append(f"    {name}{shape(chr(34) + _safe(node.label) + chr(34))}")
        self._sends += [(name, target.partition("?")[0]) for target in node.targets]
        return name


def _shape(kind: str) -> Callable[[str], str]:
    shapes = {"filter": "{{%s}}", "choice": "{%s}", "to": "[(%s)]", "idempotent": "{{%s}}", "detour": "{%s}"}
    return lambda text: shapes.get(kind, "[%s]") % text


def _safe(text: str) -> str:
    """A text as Mermaid's labels take it: they are HTML, in which `#` begins a character's name."""
    text = text.replace("#", "#35;")
    if unescape(text) != text:  # such as `?a=1&copy=2`; any other ampersand is left, as it reads better
        text = text.replace("&", "#amp;")
    return " ".join(text.translate(_NAMED).split("\n"))


_NAMED = str.maketrans({'"': "#quot;", "<": "#lt;", ">": "#gt;"})
