"""What the routes claim for each of their sinks, as `routekit check` prints it, and what that allows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from ..eip.resequence import Resequence
from ..endpoint import Capabilities, Endpoint, Source
from ..guarantees import STRENGTHS, Delivery, Guarantee, guarantees
from ..plugins import Catalog, Sink
from ..route import Policy, Route
from ..scopes import clauses_of, policy_of, scopes_of
from ..step import Chain, Step, Target
from .model import Model
from .outside import Arrival
from .stage import WITHIN, called

_FORGIVING = frozenset(
    {
        "attempt",
        "circuit_breaker",
        "dynamic_router",
        "expire",
        "failover",
        "load_balance",
        "loop",
        "poll_enrich",
        "saga",
        "scatter_gather",
        "throttle",
        "timeout",
        "ask",
        "enrich",
    }
)
"""Words that may send a message another way when something fails or takes long."""

_TIMELY = frozenset({"debounce", "sample", "expire"})
"""Words that drop messages by the time at which they come."""

_ONCE = frozenset({"idempotent", "saga"})
"""Words after which a message that comes again has no effect."""


@dataclass(frozen=True)
class Claims:
    """The promises of all routes of a simulation."""

    promised: Sequence[Guarantee]
    words: dict[str, frozenset[str]]
    """The words in each route, its branches too."""
    forgiving: frozenset[str]
    """Routes in which a failure may lead elsewhere."""
    limits: dict[str, int]
    """How many messages each source may have given at one time, by its name in schedules."""
    keys: dict[str, Callable[[Any], object]]
    """By what each route keeps its order, if it does."""
    sequences: dict[str, Resequence[Any]]
    """The routes that put messages in the order of their numbers, before anything changes them."""
    waits: dict[str, bool]
    """Whether each step of a route that keeps messages lets them go on at some time."""
    model: Model
    sinks: frozenset[str]
    """All sinks outside of the process that are known beforehand."""
    guarded: frozenset[str]
    """Those that stand only behind steps which let no message pass twice."""
    careful: frozenset[str]
    """Sinks behind which a step keeps a record of each effect."""
    _found: dict[tuple[str, str], Delivery] = field(default_factory=dict[tuple[str, str], Delivery])

    @classmethod
    def of(cls, routes: Sequence[Route], catalog: Catalog, policy: Policy) -> "Claims":
        """What these routes promise, on a store that is durable."""
        promised = guarantees(routes, cast("Catalog", _Played(catalog)), policy=policy, durable=True)
        words = {route.name: frozenset(_word(step) for step in steps_of(route)) for route in routes}
        forgiving = frozenset(route.name for route in routes if _forgives(route, policy, words[route.name]))
        policies = {route.name: policy_of(scopes_of(route, policy)) for route in routes}
        keys = {name: one.order_by for name, one in policies.items() if one.order_by is not None}
        limits = {called(catalog.source(route.source)): policies[route.name].concurrency or 1 for route in routes}
        guarded, free = set[str](), set[str]()
        for route in routes:
            _sort(route.chain, catalog, guarded, free, behind=False)
        durable = frozenset(name for name, one in policies.items() if one.durable == "store")
        careful = _careful(routes, catalog, durable)
        waits = {route.name: all(_timed(step) for step in steps_of(route)) for route in routes}
        sequences = {route.name: step for route in routes if (step := _sequence(route)) is not None}
        return cls(
            promised,
            words,
            forgiving,
            limits,
            keys,
            sequences,
            waits,
            Model(routes, catalog, policy),
            frozenset(free | guarded),
            frozenset(guarded - free),
            careful,
        )

    def delivery(self, route: str, sink: str) -> Delivery:
        """The weakest promise for that sink, to messages that enter that route."""
        key = (route, sink)
        if key not in self._found:
            bare = sink.partition("?")[0]
            fits = [one for one in self.promised if one.route == route and one.sink.partition("?")[0] == bare]
            those = fits or [one for one in self.promised if one.route == route]
            weakest = min((STRENGTHS.index(one.delivery) for one in those), default=STRENGTHS.index("at-least-once"))
            self._found[key] = STRENGTHS[weakest]
        return self._found[key]

    def ordered(self, route: str, sink: str) -> str:
        """`no`, `per key` or `yes`: the order that messages keep on their way to that sink."""
        bare = sink.partition("?")[0]
        fits = [one.ordered for one in self.promised if one.route == route and one.sink.partition("?")[0] == bare]
        return min(fits, key=("no", "per key", "yes").index, default="no")

    def key(self, arrival: Arrival) -> str:
        """By what the order of a message is kept, if that is per key; raises nothing: what has no key has its own."""
        order_by = self.keys.get(arrival.route)
        if order_by is None:
            return ""
        try:
            return repr(order_by(arrival.message.body))
        except Exception:  # the author's function, on a body that is not parsed yet
            return arrival.id

    def place(self, arrival: Arrival) -> tuple[str, int] | None:
        """The sequence of a message and its number in that, if its route has sequences."""
        step = self.sequences.get(arrival.route)
        if step is None:
            return None
        try:
            return repr(step.per(arrival.message.body)) if step.per else "", int(step.number(arrival.message.body))
        except Exception:  # the author's functions, on a body that is not parsed yet
            return None

    def has(self, route: str, words: frozenset[str]) -> bool:
        """Whether the route, or one behind it, has any of those words."""
        behind = {name for one in self.promised if one.route == route for name in one.via}
        return any(words & self.words.get(name, frozenset()) for name in {route, *behind})

    def timed(self, route: str) -> bool:
        """Whether all that the route keeps has a time at which it goes on."""
        behind = {route, *(name for one in self.promised if one.route == route for name in one.via)}
        return all(self.waits.get(name, True) for name in behind)

    def forgives(self, route: str) -> bool:
        """Whether a failure may lead a message of that route elsewhere."""
        behind = {name for one in self.promised if one.route == route for name in one.via}
        return bool({route, *behind} & self.forgiving)

    def drops_by_time(self, route: str) -> bool:
        """Whether what the route drops depends on when messages come."""
        return self.has(route, _TIMELY)

    def does_once(self, sink: str) -> bool:
        """Whether a message that comes again, after it was done, never gets as far as this sink."""
        return sink in self.guarded

    @property
    def sends(self) -> bool:
        """Whether any route sends anything to a sink outside of the process."""
        return bool(self.sinks)


class _Played:
    """A catalog whose endpoints promise what their twins do, where they are for tests: those outlive a process."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def source(self, target: Target) -> Source:
        """As in the catalog."""
        found = self._catalog.source(target)
        if found.scheme not in ("feed", "inlet"):
            return found
        return _promising(found, Capabilities(replayable=True, ordered=True))

    def sink(self, target: Target) -> Sink:
        """As in the catalog."""
        found = self._catalog.sink(target)
        if found.producer.scheme not in ("mock", "sink"):
            return found
        return replace(found, producer=_promising(found.producer, Capabilities(ordered=True)))


E = TypeVar("E", bound=Endpoint)


def _promising(endpoint: E, promises: Capabilities) -> E:
    """The endpoint with other promises."""
    kind = type(endpoint)

    def promised(self: Endpoint) -> Capabilities:
        return promises

    namespace = {"capabilities": promises, "promises": promised, "__module__": kind.__module__}
    other = type(kind)(kind.__name__, (kind,), namespace)
    values = {name: getattr(endpoint, name) for name in kind.model_fields}
    return cast("E", other.model_construct(endpoint.model_fields_set, **values))


def steps_of(route: Route) -> Iterator[Step[Any, Any]]:
    """All steps of a route, those inside others and in its policy too."""
    yield from _steps(route.chain)
    if route.policy is not None and isinstance(route.policy.dead_letter, Chain):
        yield from _steps(route.policy.dead_letter)


def _steps(chain: Chain) -> Iterator[Step[Any, Any]]:
    for step in chain.steps:
        yield step
        for _, branch in step.branches():
            yield from _steps(branch)


def _word(step: Step[Any, Any]) -> str:
    if step.word:
        return step.word
    name = type(step).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _forgives(route: Route, policy: Policy, words: frozenset[str]) -> bool:
    scopes = scopes_of(route, policy)
    lenient = any(getattr(step, "on_error", "fail") not in ("fail", "fail_fast") for step in steps_of(route))
    return bool(words & _FORGIVING) or any(clauses_of(scopes)) or lenient or policy_of(scopes).deadline is not None


def _sort(chain: Chain, catalog: Catalog, guarded: set[str], free: set[str], *, behind: bool) -> None:
    """Put the sinks of a chain with those behind a step that lets no message pass twice, or with the others."""
    for step in chain.steps:
        (guarded if behind or _word(step) == "saga" else free).update(
            _named(target, catalog) for target in step.targets() if _is_outside(target, catalog)
        )
        inside = behind or _word(step) == "saga"
        for _, branch in step.branches():
            _sort(branch, catalog, guarded, free, behind=inside)
        behind = behind or _word(step) in _ONCE


def _is_outside(target: Target, catalog: Catalog) -> bool:
    return catalog.sink(target).producer.scheme not in WITHIN


def _careful(routes: Sequence[Route], catalog: Catalog, durable: frozenset[str]) -> frozenset[str]:
    """The sinks of sagas, and of durable routes: after each effect there is a record of it."""
    found: set[str] = set()
    for route in routes:
        sagas = [branch for step in steps_of(route) if _word(step) == "saga" for _, branch in step.branches()]
        chains = [route.chain] if route.name in durable else sagas
        found |= {_named(target, catalog) for chain in chains for step in _steps(chain) for target in step.targets()}
    return frozenset(found)


def _timed(step: Step[Any, Any]) -> bool:
    """Whether what the step keeps, if it keeps anything, goes on at some time by itself."""
    times = (getattr(step, option, None) for option in ("timeout", "every", "by", "until", "gap", "wait", "quiet"))
    return not step.keeps or any(time is not None for time in times)


def _sequence(route: Route) -> Resequence[Any] | None:
    """The resequence of a route whose functions take bodies as they come."""
    for step in route.chain.steps:
        if isinstance(step, Resequence):
            return step
        if _word(step) not in ("filter", "validate", "log", "set_header", "remove_header", "tap", "to"):
            return None
    return None


def _named(target: Target, catalog: Catalog) -> str:
    return called(catalog.sink(target).producer)
