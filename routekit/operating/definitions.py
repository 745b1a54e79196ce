"""What the definitions of routes say to an operator: endpoints, states, breakers, drawing, promises and code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..eip.circuit_breaker import CircuitBreaker
from ..errors import DefinitionError
from ..guarantees import guarantees
from ..options import masked
from ..plugins import Catalog
from ..route import Policy, Route
from ..scopes import clauses_of, policy_of, scopes_of
from ..show import as_json
from ..step import Chain, Step
from ..syntax import tree_of
from .sights import PromiseSight


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint of a route; `step` is the label of the step that sends there, empty for the source."""

    uri: str
    scheme: str
    role: Literal["source", "sink"]
    step: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What is known of a route without running it."""

    route: Route
    places: Sequence[Place]
    breakers: Sequence[str]

    @property
    def module(self) -> str:
        """The module that it is written in, below the folder of routes."""
        return self.route.name.rpartition(".")[0]


class Definitions:
    """The definitions of the routes of a service, each read once."""

    def __init__(self, catalog: Catalog, policy: Policy) -> None:
        self._catalog = catalog
        self._policy = policy
        self._known: dict[str, Definition] = {}
        self._promised: tuple[Sequence[Route], Mapping[str, Sequence[PromiseSight]]] | None = None

    def of(self, route: Route) -> Definition:
        """What is known of a route."""
        known = self._known.get(route.name)
        if known is None or known.route is not route:
            known = self._known[route.name] = self._read(route)
        return known

    def drawing(self, route: Route) -> Mapping[str, Any]:
        """Its steps as plain data, as `routekit describe --json` has them."""
        return as_json(route)

    def promises(self, route: Route, routes: Sequence[Route], *, durable: bool) -> Sequence[PromiseSight]:
        """What it promises at each of its sinks.

        Computed for all routes at once, as they feed each other: call it in a thread, as it may take long.
        """
        known = self._promised
        if known is None or [id(one) for one in known[0]] != [id(one) for one in routes]:
            known = self._promised = (list(routes), self._promises(routes, durable=durable))
        return known[1].get(route.name, ())

    def _promises(self, routes: Sequence[Route], *, durable: bool) -> Mapping[str, Sequence[PromiseSight]]:
        found: dict[str, list[PromiseSight]] = {}
        for one in guarantees(routes, self._catalog, policy=self._policy, durable=durable):
            found.setdefault(one.route, []).append(
                PromiseSight(
                    sink=masked(one.sink),
                    delivery=one.delivery,
                    ordered=one.ordered,
                    survives=one.survives,
                    reasons=[masked(reason) for reason in one.reasons],
                    stronger=one.stronger,
                )
            )
        return found

    def _read(self, route: Route) -> Definition:
        source = self._catalog.source(route.source)
        places = [Place(source.uri(), source.scheme, "source")]
        steps = [step for chain in self._chains(route) for step in _steps(chain)]
        for step in steps:
            for target in step.targets():
                try:
                    producer = self._catalog.sink(target).producer
                except DefinitionError:  # what a step reads from, such as a poll
                    continue
                place = Place(producer.uri(), producer.scheme, "sink", masked(step.label))
                if all(place.uri != other.uri or other.role == "source" for other in places):
                    places.append(place)
        breakers = list(dict.fromkeys(step.name for step in steps if isinstance(step, CircuitBreaker)))
        return Definition(route, places, breakers)

    def _chains(self, route: Route) -> Iterator[Chain]:
        """The chain of a route, and those of its dead letters and rescues."""
        yield route.chain
        scopes = scopes_of(route, self._policy)
        letters = policy_of(scopes).dead_letter
        if isinstance(letters, Chain):
            yield letters
        for clause in clauses_of(scopes):
            yield clause.rescue.branch


def _steps(chain: Chain) -> Iterator[Step[Any, Any]]:
    for step in chain.steps:
        yield step
        for _, branch in step.branches():
            yield from _steps(branch)


def code_of(route: Route) -> str:
    """The statement that defines a route, as it is in its file now; empty if it cannot be read. Secrets are masked."""
    file, line = Path(route.place.file), route.place.line
    try:
        text = file.read_text(encoding="utf-8")
        tree = tree_of(text)
    except (OSError, SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            return masked("\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]))
    return ""
