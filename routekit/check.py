"""Check: everything that is wrong with routes, at once, without running them.

Each route is bound by a runtime that notes what binding refuses instead of raising; so a check knows exactly what the
machine knows, also about the steps and endpoints of strangers.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

from .codec import Codec
from .eip.attempt import Attempt
from .endings import misplaced
from .endpoint import Endpoint, Listener, Producer, address_of, not_polled
from .endpoints.control import Control
from .errors import DefinitionError, did_you_mean
from .events import Event
from .figures import Readers
from .fitting import fitting
from .guarantees import weaker
from .message import Delivery, Message
from .named import Named
from .offers import Offer
from .order import cycle
from .place import Place
from .plugins import Catalog
from .problem import Problem, problem_of
from .rescuing import Clauses
from .resuming import undurable
from .route import ALWAYS, Policy, Route
from .runtime.joining import Joined
from .scopes import NOTHING, clauses_of, policy_of, scopes_of
from .step import (
    Address,
    Alarms,
    Chain,
    CodecChoice,
    Command,
    Handler,
    Hold,
    Job,
    Joining,
    Kept,
    Read,
    Send,
    Step,
    Target,
    finish,
)
from .store import Store
from .unraised import unraised

R = TypeVar("R")


def check(
    routes: Sequence[Route], catalog: Catalog, *, policy: Policy = NOTHING, durable: bool = True, workers: int = 1
) -> list[Problem]:
    """All problems of all routes, in the order of the routes and of their lines.

    `policy` is that of the settings, `durable` says whether the store is, `workers` how many processes run the routes:
    all count for what a policy requires.
    """
    problems: list[Problem] = []
    named = Named()
    bound = [_Bound(route, catalog, problems, named, policy) for route in routes]
    for one in bound:
        one.check()
    _unread(bound, catalog, problems)
    _clashing(bound, problems)
    _twice(bound, problems)
    _unoffered(bound, problems)
    _out_of_order(bound, problems)
    if not problems:
        weak = weaker(routes, catalog, policy=policy, durable=durable, workers=workers)
        problems += [problem_of(error, route.place, route.name) for route, error in weak]
    return sorted(problems, key=lambda problem: (problem.place.file, problem.place.line))


class _Bound:
    """One route, bound for the check; implements `Runtime`."""

    def __init__(self, route: Route, catalog: Catalog, problems: list[Problem], named: Named, settings: Policy) -> None:
        self.route = route.name
        self.body = route.body
        self.doc = route.doc
        self.random = Random(0)
        self.data = Path()
        self.sinks: list[tuple[Producer, Place]] = []
        self.source: Endpoint | None = None
        self.reads: list[Endpoint] = []
        self.states: list[tuple[str, Step[Any, Any], Place]] = []
        self.offers: list[Offer] = []
        self.orders: list[tuple[Control, set[str], Place]] = []
        self.definition = route
        self._catalog = catalog
        self._problems = problems
        self._place = route.place
        self._named = named
        self._settings = settings

    def check(self) -> None:
        route = self.definition
        with self._noting(route.place):
            self.source = self._catalog.source(route.source)
        with self._noting(route.place):
            codec = None if route.codec is None else self.codec(route.codec)
            if route.body is not None:
                fitting(route.body, codec)
        self.bind(route.chain, finish)
        for place, error in undurable(route, policy_of(scopes_of(route, self._settings))):
            self._problems.append(problem_of(error, place, route.name))
        scopes = scopes_of(route, NOTHING)
        letters = policy_of(scopes).dead_letter
        if isinstance(letters, Chain):
            self.bind(letters, finish)
        for clause in clauses_of(scopes):
            self.bind(clause.rescue.branch, finish)
        self._unraised(clauses_of(scopes), route.chain)
        self._misplaced(route.chain)
        if isinstance(letters, Chain):
            self._misplaced(letters)
        for clause in clauses_of(scopes):
            on = clause.rescue.then == "go_on"
            self._misplaced(clause.rescue.branch, clause.label if on else "", used=on)

    def _misplaced(self, chain: Chain, within: str = "", *, used: bool = False) -> None:
        for place, error in misplaced(chain, within, used=used):
            self._problems.append(problem_of(error, place, self.route))

    def _unraised(self, clauses: Clauses, chain: Chain) -> None:
        """Clauses that never count; each is told once, though it may be of many routes."""
        for clause, error in unraised(clauses, chain, self._raised):
            problem = problem_of(error, clause.rescue.place, self.route)
            if not any(known.place == problem.place and known.message == problem.message for known in self._problems):
                self._problems.append(problem)

    def _raised(self, target: Target) -> Sequence[type[Exception]] | None:
        try:
            producer = self._catalog.sink(target).producer
        except DefinitionError:  # told where it is bound
            return None
        return None if _is_internal(producer.scheme, self._catalog) else producer.raises

    @contextmanager
    def _noting(self, place: Place) -> Generator[None]:
        before, self._place = self._place, place
        try:
            yield
        except Exception as error:  # a stranger's step may raise anything; a check reports it
            self._problems.append(problem_of(error, place, self.route))
        finally:
            self._place = before

    @property
    def store(self) -> Store:
        return cast("Store", _Nothing())

    @property
    def office(self) -> None:
        return None

    @property
    def workers(self) -> int:
        return 1

    def now(self) -> float:
        return 0.0

    def bind(
        self, chain: Chain, proceed: Handler[Any], label: str = "", *, sends: Callable[[Target], Send] | None = None
    ) -> Handler[Any]:
        stopped: Place | None = None
        for step, place in zip(chain.steps, chain.places, strict=True):
            if stopped is not None:
                message = f"{step.label} is never reached"
                self._problems.append(Problem(place, self.route, message, f"the route stops before it, at {stopped}"))
                break
            with self._noting(place):
                state = step.state()
                if state is not None:
                    self.states.append((state, step, place))
                step.bind(finish, self)
                for error in step.problems(self):
                    self._problems.append(problem_of(error, place, self.route))
                if isinstance(step, Attempt):
                    self._unraised(step.clauses, step.body)
            stopped = place if step.ends else None
        return finish

    def sender(self, target: Target, *, now: bool = False) -> Send:
        sink = self._catalog.sink(target)
        self.sinks.append((sink.producer, self._place))
        if isinstance(sink.producer, Control):
            self.orders.append((sink.producer, set(sink.computed), self._place))
        return _silent

    def transactions(self, target: Target, name: str) -> Joining:
        return Joined(self._catalog.transactor(target), name, self._catalog)

    def codec(self, choice: CodecChoice) -> Codec:
        return self._catalog.codec(choice)

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return None

    async def shared(self, factory: Callable[..., AbstractAsyncContextManager[R]], *args: Hashable) -> R:
        raise DefinitionError("a shared resource is opened when the route runs, not when it is bound")

    def named(self, make: Callable[..., R], name: str, *args: Hashable) -> R:
        return self._named.get(make, name, args, self.route)

    def spawn(self, job: Job) -> None:
        pass

    @contextmanager
    def resting(self) -> Generator[None]:
        yield

    async def rest(self, seconds: float) -> None:
        pass

    def emit(self, event: Event) -> None:
        pass

    @contextmanager
    def metered(self, endpoint: Address, figures: Readers) -> Generator[None]:
        yield

    def reader(self, target: Target) -> Read:
        source = self._catalog.source(target)
        if isinstance(source, Listener):
            raise not_polled(target)
        self.reads.append(source)
        return _nothing_read

    def alarms(self, ring: Callable[[str], Awaitable[None]], *, load: Job | None = None) -> Alarms:
        return _NoAlarms()

    def holding(self) -> Callable[[], Hold] | None:
        return None

    def keeping(self) -> Callable[[], AbstractContextManager[Kept]] | None:
        return None

    def closing(self, close: Job) -> None:
        pass

    @property
    def stopping(self) -> bool:
        return False

    async def release(self, message: Message[Any], *, entry: int, held: Sequence[Hold] = ()) -> Message[Any] | None:
        return None

    def offer(self, action: str, name: str, command: Command) -> None:
        self.offers.append((action, name, command))

    async def control(self, action: str, name: str, **options: Any) -> Any:
        return None

    def entry(self, handler: Handler[Any]) -> int:
        return 0

    @property
    def durable(self) -> bool:
        return policy_of(scopes_of(self.definition, self._settings)).durable == "store"

    def once(self, act: Send, *, answered: bool = True, then: Handler[Any] | None = None) -> Send:
        return act

    def marking(self) -> Callable[[str], Callable[[], None]] | None:
        return None

    def checkpoint(self, place: str, fit: Callable[[Any], Any], proceed: Handler[Any]) -> Handler[Any]:
        return proceed

    async def give_up(
        self, message: Message[Any], error: Exception, channel: Handler[Any] | None = None, *, entry: int = 0
    ) -> None:
        pass


def _worked() -> None:
    pass


class _NoAlarms:
    """Timers that never ring."""

    def set(self, key: str, due: float) -> None:
        pass

    def working(self) -> Callable[[], None]:
        return _worked

    def cancel(self, key: str) -> None:
        pass


class _Nothing:
    """Stands for a store while nothing is stored."""

    owner = "check"
    durable = False

    def keys(self, name: str) -> "_Nothing":
        return self

    marks = keys
    groups = keys
    journal = keys
    values = keys
    outbox = keys


async def _nothing_read(*, idle: Callable[[], None] | None = None) -> AsyncGenerator[Delivery[Any]]:
    return
    yield


async def _silent(message: Message[Any], **_: Any) -> None:
    return None


def _unread(bound: Sequence[_Bound], catalog: Catalog, problems: list[Problem]) -> None:
    """What is sent to another route must be read by one, and by one only if the sender waits for it."""
    readers: dict[str, list[_Bound]] = {}
    for one in bound:
        if one.source is not None and getattr(one.source, "internal", False):
            readers.setdefault(address_of(one.source), []).append(one)
    for name, those in readers.items():
        for extra in those[1:] if isinstance(those[0].source, Listener) else ():
            message = f"'{name}' is read by {those[0].route} already"
            problems.append(Problem(extra.definition.place, extra.route, message, "only one route can answer a call"))
    beside = {address_of(source) for one in bound for source in one.reads}
    for one in bound:
        for sink, place in one.sinks:
            name = address_of(sink)
            if name not in readers and name not in beside and _is_internal(sink.scheme, catalog):
                hint = (
                    did_you_mean(name, readers) if get_close_matches(name, readers) else f"start one: from_('{name}')"
                )
                problems.append(Problem(place, one.route, f"no route reads from '{name}'", hint))


def _clashing(bound: Sequence[_Bound], problems: list[Problem]) -> None:
    """Two sources that cannot both run, as those know who are asked: the later one is told."""
    before: list[tuple[_Bound, Endpoint]] = []
    for one in bound:
        if one.source is None or type(one.source).clashes is Endpoint.clashes:
            continue
        for other, source in before:
            why = one.source.clashes(source)
            if why is not None:
                message = f"it clashes with route '{other.route}': {why}"
                hint = f"the other is at {other.definition.place}; change one of them"
                problems.append(Problem(one.definition.place, one.route, message, hint))
        before.append((one, one.source))


def _is_internal(scheme: str, catalog: Catalog) -> bool:
    try:
        return any(getattr(kind, "internal", False) for kind in catalog.endpoints(scheme))
    except DefinitionError:  # a typed endpoint that no plugin registers
        return False


def _twice(bound: Sequence[_Bound], problems: list[Problem]) -> None:
    """A name owns its state: two steps with one name would mix what they keep, unless they are made for that."""
    owners: dict[str, list[tuple[str, Step[Any, Any], Place]]] = {}
    for one in bound:
        for state, step, place in one.states:
            known = owners.setdefault(state, [])
            other = next((known_as for known_as in known if not _shared(known_as, one.route, step)), None)
            known.append((one.route, step, place))
            if other is None:
                continue
            route, _, there = other
            whose = "two steps of one route" if route == one.route else f"a step of route '{route}' too"
            hint = f"the other is at {there}; give one another name"
            if there == place:
                hint = "both stand in this line; give each another name, or let both send to a route of its own"
            problems.append(Problem(place, one.route, f"state '{state}' is owned by {whose}", hint))


def _shared(owner: tuple[str, Step[Any, Any], Place], route: str, step: Step[Any, Any]) -> bool:
    return owner[0] != route and step.shares and type(owner[1]) is type(step)


def _unoffered(bound: Sequence[_Bound], problems: list[Problem]) -> None:
    """What is asked for on the control bus must be offered by somebody."""
    routes = [one.route for one in bound]
    offers = [offer for one in bound for offer in one.offers]
    for one in bound:
        for order, computed, place in one.orders:
            error = order.wrong(computed, routes, offers)
            if error is not None:
                problems.append(problem_of(error, place, one.route))


def _out_of_order(bound: Sequence[_Bound], problems: list[Problem]) -> None:
    """Routes wait for others that exist, and not for each other; and they follow circuit breakers that exist."""
    runs = {one: policy_of(scopes_of(one.definition, NOTHING)).runs or ALWAYS for one in bound}
    names = [one.route for one in bound]
    breakers = {name for one in bound for action, name, _ in one.offers if action == "close"}
    circle = cycle({one.route: runs[one].others for one in bound})
    for one in bound:
        place = one.definition.place
        for other in runs[one].others:
            if other not in names:
                message = f"it starts after '{other}', which is no route"
                problems.append(Problem(place, one.route, message, did_you_mean(other, names)))
        if circle is not None and one.route == circle[0]:
            message = f"routes start after each other: {' after '.join(circle)}"
            problems.append(Problem(place, one.route, message, "leave one of them out"))
        breaker = runs[one].pause_when_open
        if breaker and breaker not in breakers:
            message = f"it pauses while '{breaker}' is open, which is no circuit breaker"
            problems.append(Problem(place, one.route, message, did_you_mean(breaker, breakers)))
