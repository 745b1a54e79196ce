"""Explain: what would become of an error, at each step of a route; asked of the same functions that the machine asks.

An error goes outwards: from the step that raised it to the steps around it, the policies of route, module and settings,
and in the end to the dead letters or the source. A route that is called by `direct:` is followed, and what leaves it
goes on in the route that called it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from time import time
from typing import Any

from .endpoint import Listener, address_of
from .error_names import Kind, class_named
from .errors import BodyError, Rejected, Unavailable, UnknownName, did_you_mean
from .events import Event
from .place import Place
from .plugins import Catalog
from .remedy import Remedy
from .retrying import classes_of, remedies_of
from .route import Policy, Route
from .runtime.binding import RouteRuntime
from .runtime.giving_up import takes_back
from .runtime.line import Line
from .runtime.rescuer import Rescuer
from .runtime.services import Activity, Services
from .scopes import clauses_of, policy_of, saying, scopes_of
from .spots import Spot, spots_of
from .step import Chain, Handler, Send, Target
from .stores.memory import MemoryStore

USUAL: Sequence[Kind] = (Exception, Rejected, BodyError, Unavailable)
"""Classes that are explained of every route, besides those that its steps and policies name."""


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of errors of these classes: one remedy after the other, and what the source or caller sees."""

    errors: tuple[str, ...]
    remedies: tuple[Remedy, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Section:
    """Steps of a route at which the same becomes of all errors: number, label and place, as `show` has them.

    `caller` is the step that called the route, if it was followed there.
    """

    route: str
    place: Place
    caller: str
    steps: tuple[tuple[int, str, Place], ...]
    told: tuple[Told, ...]


def explained(
    name: str,
    routes: Sequence[Route],
    catalog: Catalog,
    settings: Policy,
    *,
    step: str | None = None,
    error: str | None = None,
) -> Sequence[Section]:
    """What would become of errors in the route of that name: at all its steps, or at one; of all classes, or of one.

    A step is given by its number or its label. Raises UnknownName for a route, step or class that does not exist.
    """
    views = {route.name: _View(route, catalog, settings) for route in routes}
    if name not in views:
        raise UnknownName(f"there is no route '{name}'", hint=did_you_mean(name, views))
    known = [kind for view in views.values() for kind in view.classes]
    only = None if error is None else class_named(error, known)
    called = {address_of(view.source): view for view in views.values() if view.answers and view.source.internal}
    spots = views[name].spots if step is None else [_spot_of(step, views[name].spots)]
    ways = _ways(_Way(views[name]), spots, called)
    return [section for way, those in ways for section in way.sections(those, only)]


class _View:
    """A route, as far as errors are concerned."""

    def __init__(self, route: Route, catalog: Catalog, settings: Policy) -> None:
        self.route = route
        self.catalog = catalog
        self.source = catalog.source(route.source)
        self._scopes = scopes_of(route, settings)
        self._policy = policy_of(self._scopes)
        self._clauses = clauses_of(self._scopes)

    @cached_property
    def spots(self) -> Sequence[Spot]:
        """The source and all steps, numbered from 0."""
        goes_on = any(clause.rescue.then == "go_on" for clause in self._clauses)
        return spots_of(self.route, self._line() if goes_on else set())

    @cached_property
    def classes(self) -> set[Kind]:
        """The classes that its steps and policies tell apart."""
        steps = [kind for spot in self.spots if spot.step is not None for kind in spot.step.classes()]
        return {*steps, *classes_of(self._policy.retries), *(clause.kind for clause in self._clauses)}

    @property
    def answers(self) -> bool:
        """Whether someone waits for the outcome."""
        return isinstance(self.source, Listener)

    def remedies(self, spot: Spot, kind: Kind) -> tuple[Sequence[Remedy], str]:
        """What is done within this route, and how it ends: `on`, `reply`, `kept`, `told` or `refused`."""
        found: list[Remedy] = []
        for remedy, end in self._all(spot, kind):
            found.append(remedy)
            if remedy.final:
                return found, end
        raise AssertionError("the last remedy is final")

    def _all(self, spot: Spot, kind: Kind) -> Iterator[tuple[Remedy, str]]:
        for remedy in spot.remedies(kind):
            yield remedy, "on"
        scope = saying("retry", self._scopes)
        for remedy in remedies_of(self._policy.retries, kind, "" if scope is None else scope.name):
            yield remedy, "on"
        for clause in self._clauses.asked(kind):
            if clause.rescue.then == "reply":
                yield clause.remedy("its branch gives the reply, and the message is done"), "reply"
            elif spot.behind is not None:
                yield clause.remedy(f"its branch, then the route goes on at {spot.behind}"), "on"
        refused = not spot.kept and takes_back(self._policy, self.source)
        yield self._end(refused=refused), "refused" if refused else "told" if spot.kept else "kept"

    def _end(self, *, refused: bool) -> Remedy:
        scope = saying("dead_letter", self._scopes)
        if refused:
            return Remedy("ends", "" if scope is None else scope.name, "refused")
        branch = isinstance(self._policy.dead_letter, Chain)
        text = "into the branch of dead letters" if branch else "a dead letter in the store"
        return Remedy("ends", "" if scope is None else scope.name, text)

    def seen(self, end: str) -> str:
        """What the source or caller sees of such an end."""
        if end == "told":
            return "was told when it was kept, or, with a store in memory, is told now"
        if end == "on":
            return "what comes of the steps that follow"
        if end == "reply":
            return "the caller gets what the branch gives" if self.answers else "acknowledged"
        if end == "kept":
            return "the caller gets no answer, and no error" if self.answers else "acknowledged"
        if self.answers:
            return "the caller gets the error"
        if self.source.takes_back():
            return "takes the message back, with the error"
        return "not acknowledged: it will bring the message again, if it can"

    def _line(self) -> set[int]:
        """The branches whose steps stand on the line of the route: it is bound, as when it runs, and they are noted."""
        unused: Any = None  # nothing is opened or run
        store = MemoryStore(time)
        services = Services(self.catalog, store, unused, _quiet, time, Random(0), Path(), Policy(), _nothing)
        runtime = _Tracing(self.route, services, Activity())
        runtime.line = Line(Rescuer(self._clauses, runtime))
        runtime.bind(self.route.chain, runtime.line.end())
        return runtime.leading_on


class _Tracing(RouteRuntime):
    """Notes which branches lead on into the line of the route."""

    def __init__(self, route: Route, services: Services, activity: Activity) -> None:
        super().__init__(route, services, activity)
        self.leading_on: set[int] = set()

    def bind(
        self, chain: Chain, proceed: Handler[Any], label: str = "", *, sends: Callable[[Target], Send] | None = None
    ) -> Handler[Any]:
        if self.line.holds(proceed):
            self.leading_on.add(id(chain))
        return super().bind(chain, proceed, label, sends=sends)


def _quiet(event: Event) -> None:
    pass


def _nothing(table: str, name: str) -> None:
    return None


@dataclass(frozen=True)
class _Way:
    """A route, as it is come to: by itself, or called at a step of another."""

    view: _View
    caller: "_Way | None" = None
    at: Spot | None = None

    @property
    def called(self) -> str:
        """The step that called it."""
        return "" if self.caller is None or self.at is None else f"{self.caller.view.route.name} at {self.at.title}"

    def passes(self, view: _View) -> bool:
        """Whether this way has come through that route."""
        return self.view is view or (self.caller is not None and self.caller.passes(view))

    def told(self, spot: Spot, kind: Kind) -> tuple[tuple[Remedy, ...], str]:
        """All that is done about an error at that step, and what the source in the end sees of it."""
        remedies, end = self.view.remedies(spot, kind)
        if self.caller is None or self.at is None:
            return tuple(remedies), self.view.seen(end)
        if end != "refused":
            return tuple(remedies), self.caller.view.seen("on")
        beyond, seen = self.caller.told(self.at, kind)
        raised = Remedy("raised", self.caller.view.route.name, f"at {self.at.title}")
        return (*remedies[:-1], raised, *beyond), seen

    def classes(self) -> set[Kind]:
        """Those that are told apart here, or by those who called."""
        return self.view.classes | (set(USUAL) if self.caller is None else self.caller.classes())

    def sections(self, spots: Sequence[Spot], only: Kind | None) -> Iterator[Section]:
        """Steps at which the same is done stand together."""
        kinds = [only] if only is not None else sorted(self.classes(), key=_ancestors)
        alike: dict[tuple[Told, ...], list[Spot]] = {}
        for spot in spots:
            alike.setdefault(self._rows(spot, kinds), []).append(spot)
        for rows, those in alike.items():
            steps = tuple((spot.number, spot.label, spot.place) for spot in those)
            yield Section(self.view.route.name, self.view.route.place, self.called, steps, rows)

    def _rows(self, spot: Spot, kinds: Sequence[Kind]) -> tuple[Told, ...]:
        """Classes about which the same is done stand together."""
        alike: dict[tuple[tuple[Remedy, ...], str], list[str]] = {}
        for kind in kinds:
            alike.setdefault(self.told(spot, kind), []).append(kind.__name__)
        return tuple(Told(tuple(names), remedies, seen) for (remedies, seen), names in alike.items())


def _ways(way: _Way, spots: Sequence[Spot], called: Mapping[str, _View]) -> Iterator[tuple[_Way, Sequence[Spot]]]:
    """A route, and those that its steps call, each as it is come to."""
    yield way, spots
    for spot in spots:
        for target in spot.step.targets() if spot.step is not None else ():
            view = called.get(address_of(way.view.catalog.sink(target).producer))
            if view is not None and not way.passes(view):
                yield from _ways(_Way(view, way, spot), view.spots, called)


def _ancestors(kind: Kind) -> list[str]:
    """To sort classes like a tree."""
    return [above.__name__ for above in reversed(kind.__mro__)]


def _spot_of(step: str, spots: Sequence[Spot]) -> Spot:
    """The step of that number or label, or of the only label that begins so."""
    fitting = [spot for spot in spots if step in (str(spot.number), spot.label)]
    fitting = fitting or [spot for spot in spots if spot.label.startswith(step)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UnknownName(f"{len(fitting)} steps are called '{step}'", hint=f"give a number: {_listed(fitting)}")
    raise UnknownName(f"there is no step '{step}'", hint=f"give a number: {_listed(spots)}")


def _listed(spots: Sequence[Spot]) -> str:
    return ", ".join(spot.title for spot in spots)
