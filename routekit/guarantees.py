"""Guarantees: what each route really promises to the messages for each of its sinks, computed without running it.

Source, policy, steps, sink and store are put together; each says of itself what it keeps, by `promises()` and
`behaves()`. Routes that are connected inside a service, by `direct:` or `queue:`, are followed through.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from .conduct import Order
from .endpoint import Producer, Source, Transactor, address_of
from .errors import DefinitionError
from .plugins import Catalog
from .route import Policy, Require, Route
from .scopes import NOTHING, clauses_of, policy_of, scopes_of
from .step import Chain, Step, Target
from .ways import Way, Why, begun, entered, merged, passed, queued

Delivery: TypeAlias = Literal["at-most-once", "at-least-once", "effectively-once"]

STRENGTHS: Sequence[Delivery] = ("at-most-once", "at-least-once", "effectively-once")
"""From the weakest to the strongest."""

_DELIVERIES: dict[Require, Delivery] = {
    "at_least_once": "at-least-once",
    "effectively_once": "effectively-once",
}

END = "the end of the route"
"""Stands for the sink of a route that sends nowhere."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a route promises to its messages at one sink.

    `at-most-once`: a message may be lost. `at-least-once`: none is lost, and its effect may happen again.
    `effectively-once`: none is lost, and what is there afterwards is what one message leaves. A message that the author
    drops, or that is kept as a dead letter, is not lost.
    """

    route: str
    sink: str
    """The sink as it was written, secrets masked."""
    delivery: Delivery
    ordered: Order
    survives: bool
    """Whether what was at work at a crash goes on, without anybody who has to send it again."""
    reasons: Sequence[str]
    """What decides it, each with the name of the step, option or endpoint; in the order of the route."""
    stronger: str = ""
    """The words that would make it stronger; empty if none would."""
    order_words: str = ""
    """The words that would give it an order."""
    via: Sequence[str] = ()
    """The routes of this service that it passes on its way to the sink."""

    def meets(self, required: Require) -> bool:
        """Whether it promises that, or more."""
        match required:
            case "at_least_once" | "effectively_once":
                return STRENGTHS.index(self.delivery) >= STRENGTHS.index(_DELIVERIES[required])
            case "ordered":
                return self.ordered == "yes"
            case "ordered_per_key":
                return self.ordered != "no"
            case "survives_a_crash":
                return self.survives

    def refusal(self, required: Require) -> DefinitionError | None:
        """Why it does not promise what is required, with the words that would help; None if it does."""
        if self.meets(required):
            return None
        kinds = ("order:",) if required.startswith("ordered") else ("may be", "does not survive:")
        reasons = [reason for reason in self.reasons if reason.startswith(kinds)]
        words = self.order_words if required.startswith("ordered") else self.stronger
        found = f"{required} is required at {self.sink}, and that is {self}: {'; '.join(reasons)}"
        return DefinitionError(found, hint=f"write {words}" if words else "change what is named, or require less")

    def __str__(self) -> str:
        order = {"yes": "in order", "per key": "in order per key", "no": "in any order"}[self.ordered]
        return f"{self.delivery}, {order}, {'survives' if self.survives else 'does not survive'} a crash"


def guarantees(
    routes: Sequence[Route], catalog: Catalog, *, policy: Policy = NOTHING, durable: bool = True, workers: int = 1
) -> Sequence[Guarantee]:
    """What all routes promise, in their order; of each, one for each sink that its messages reach.

    All routes of the service have to be given, since they may feed each other. `policy` is that of the settings,
    `durable` says whether the store is, `workers` how many processes run the routes. A route or sink that is not
    defined right is left out: that is a problem for `check`.
    """
    return _Walk(routes, catalog, policy, durable=durable, workers=workers).found()


@dataclass(frozen=True, slots=True)
class _Arrival:
    """One way to a sink; `via` are all routes that it has passed."""

    via: tuple[str, ...]
    sink: str
    producer: Producer | None
    way: Way


class _Walk:
    """Follows the messages of all routes to their sinks."""

    def __init__(
        self, routes: Sequence[Route], catalog: Catalog, policy: Policy, *, durable: bool, workers: int
    ) -> None:
        self._routes = routes
        self._workers = workers
        self._catalog = catalog
        self._durable = durable
        self._policies = {route.name: policy_of(scopes_of(route, policy)) for route in routes}
        self._clauses = {route.name: clauses_of(scopes_of(route, policy)) for route in routes}
        self._sources = {route.name: self._source(route) for route in routes}
        self._readers = self._read()
        self._arrivals: list[_Arrival] = []

    def found(self) -> Sequence[Guarantee]:
        for route in self._routes:
            source = self._sources[route.name]
            if source is not None and not source.internal:
                self._begin(route, source)
        reached = {name for arrival in self._arrivals for name in arrival.via}
        for route in self._routes:  # those that nobody here sends to
            source = self._sources[route.name]
            if source is not None and route.name not in reached:
                self._begin(route, source)
        return [one for route in self._routes for one in self._of(route)]

    def _source(self, route: Route) -> Source | None:
        try:
            return self._catalog.source(route.source)
        except DefinitionError:
            return None

    def _read(self) -> Mapping[str, list[Route]]:
        """The routes that are fed by others, by the address that those send to."""
        readers: dict[str, list[Route]] = {}
        for route in self._routes:
            source = self._sources[route.name]
            if source is not None and source.internal:
                readers.setdefault(address_of(source), []).append(route)
        return readers

    def _begin(self, route: Route, source: Source) -> None:
        name, policy = str(route.source), self._policies[route.name]
        way = begun(source, name, policy, durable=self._durable, workers=self._workers)
        self._pass(route, way, ())

    def _pass(self, route: Route, way: Way, via: tuple[str, ...]) -> None:
        """Through all of a route, its dead letters and rescues too."""
        via = (*via, route.name)
        before = len(self._arrivals)
        way_out = self._chain(route.chain, way, via)
        if len(self._arrivals) == before:
            self._arrivals.append(_Arrival(via, END, None, way_out))
        letters = self._policies[route.name].dead_letter
        if isinstance(letters, Chain):
            self._chain(letters, way, via)
        for clause in self._clauses[route.name]:
            self._chain(clause.rescue.branch, way, via)

    def _chain(self, chain: Chain, way: Way, via: tuple[str, ...]) -> Way:
        """The way behind all steps of a chain."""
        for step in chain.steps:
            way = self._step(step, way, via)
        return way

    def _step(self, step: Step[Any, Any], way: Way, via: tuple[str, ...]) -> Way:
        for target in step.targets():
            self._send(target, way, via)
        behind = passed(way, step, durable=self._durable)
        waits, ways = step.waits_for(), [behind]
        for label, branch in step.branches():
            inside = entered(behind if step.keeps else way, step, label, self._commits(step))
            end = self._chain(branch, inside, via)
            if label in waits and branch.steps:
                ways.append(passed(replace(end, within=way.within), step, durable=self._durable))
        return merged(ways)

    def _commits(self, step: Step[Any, Any]) -> Transactor | None:
        conduct = step.behaves()
        if conduct is None or conduct.commits is None:
            return None
        try:
            return self._catalog.transactor(conduct.commits)
        except DefinitionError:
            return None

    def _send(self, target: Target, way: Way, via: tuple[str, ...]) -> None:
        try:
            producer = self._catalog.sink(target).producer
        except DefinitionError:
            return
        readers = [route for route in self._readers.get(address_of(producer), ()) if route.name not in via]
        for route in readers:
            source = self._sources[route.name]
            assert source is not None
            name, policy = str(target), self._policies[route.name]
            if "priority" in target.options:
                way = way.disordered(Why(f"{name}: priority=... lets the urgent ones pass"))
            self._pass(route, queued(way, producer, source, name, policy, durable=self._durable), via)
        if not readers and address_of(producer) not in self._readers:
            self._arrivals.append(_Arrival(via, str(target), producer, way))

    def _of(self, route: Route) -> Iterable[Guarantee]:
        """The guarantees of a route: of several ways to one sink, the weakest."""
        there: dict[tuple[str, tuple[str, ...]], list[Guarantee]] = {}
        for arrival in self._arrivals:
            if route.name in arrival.via:
                via = arrival.via[arrival.via.index(route.name) + 1 :]
                one = verdict(route.name, arrival.sink, arrival.producer, arrival.way, via)
                there.setdefault((arrival.sink, via), []).append(one)
        for those in there.values():
            yield _weakest(those)


def verdict(route: str, sink: str, producer: Producer | None, way: Way, via: Sequence[str] = ()) -> Guarantee:
    """What is promised to a message that comes to this sink in this way."""
    way, again = _at(sink, producer, way)
    delivery: Delivery = "at-most-once" if way.lost else "at-least-once" if again else "effectively-once"
    decisive = way.lost or (*again, *way.crash)
    words = [why.word for why in decisive if why.word]
    crash = [why for why in way.crash if why not in way.lost]
    reasons = [
        *way.facts,
        *(f"may be lost: {why.text}" for why in way.lost),
        *(f"does not survive: {why.text}" for why in crash),
        *(f"may be repeated: {why.text}" for why in again),
        *(f"order: {why.text}" for why in way.unordered),
    ]
    stronger, order = ", ".join(dict.fromkeys(words)), ", ".join(why.word for why in way.unordered if why.word)
    order_words = order if way.order == "no" else ""
    return Guarantee(route, sink, delivery, way.order, not way.crash, reasons, stronger, order_words, tuple(via))


def _at(sink: str, producer: Producer | None, way: Way) -> tuple[Way, Sequence[Why]]:
    """The way at the sink itself, and why an effect may happen there more than once."""
    if producer is None:
        return way, (Why("what the steps of the route do themselves happens again"),)
    promises, advice = producer.promises(), producer.advice
    if promises.volatile:
        way = way.losing(Why(f"{sink} is memory, or nobody acknowledges there", advice.get("volatile", "")))
    if way.within is not None and way.within.joins(producer):
        return way.fact(f"{sink} commits the effect together with a mark of the message"), way.unnamed
    if not promises.ordered and way.order != "no":
        way = way.disordered(Why(f"{sink} promises no order", advice.get("ordered", "")))
    known = (*way.unnamed, *(() if way.within is not None else way.varies))
    if promises.idempotent:
        return way.fact(f"{sink} leaves the same when a message comes again"), known
    again = Why(f"{sink} has its effect again when a message comes again", advice.get("idempotent", ""))
    return way, (again, *known)


def _weakest(those: Sequence[Guarantee]) -> Guarantee:
    if len(those) == 1:
        return those[0]
    orders: Sequence[Order] = ("no", "per key", "yes")
    first = min(those, key=lambda one: STRENGTHS.index(one.delivery))
    return replace(
        first,
        ordered=min((one.ordered for one in those), key=orders.index),
        survives=all(one.survives for one in those),
        reasons=list(dict.fromkeys(reason for one in those for reason in one.reasons)),
        stronger=", ".join(dict.fromkeys(one.stronger for one in those if one.stronger)),
        order_words=", ".join(dict.fromkeys(one.order_words for one in those if one.order_words)),
    )


def weaker(
    routes: Sequence[Route], catalog: Catalog, *, policy: Policy = NOTHING, durable: bool = True, workers: int = 1
) -> Iterable[tuple[Route, DefinitionError]]:
    """The routes that promise less than their policy requires, each with the reasons and the words that would help."""
    required = {route.name: policy_of(scopes_of(route, policy)).requires for route in routes}
    if not any(required.values()):
        return
    named = {route.name: route for route in routes}
    for one in guarantees(routes, catalog, policy=policy, durable=durable, workers=workers):
        for word in required[one.route]:
            error = one.refusal(word)
            if error is not None:
                yield named[one.route], error
