"""The model: what a route's definition says of a message, read without the machine that is under test.

It knows the words whose meaning is plain, and stops at the first other one: what it says is what must happen at least.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..callables import Coro, calling
from ..eip.choice import Choice
from ..eip.delay import Delay
from ..eip.filter import Filter
from ..eip.log import Log
from ..eip.multicast import Multicast
from ..eip.resequence import Resequence
from ..eip.set_header import SetHeader
from ..eip.split import Split
from ..eip.tap import Tap
from ..eip.to import To
from ..eip.transform import Transform
from ..endpoint import Listener, address_of
from ..errors import BodyError, DefinitionError
from ..fitting import fitting
from ..isolation import isolated
from ..message import Message
from ..plugins import Catalog
from ..route import Policy, Route
from ..scopes import clauses_of, policy_of, scopes_of
from ..step import Chain
from .outside import caller_of, text_of
from .stage import WITHIN, called


@dataclass
class Meant:
    """What a definition says of one message."""

    effects: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """How often each sink gets each body at least."""
    fails: bool = False
    """Whether a function of the author raises for it, and nothing rescues it."""


class _Unknown(Exception):
    """The model does not know what happens from here on."""


class _Fails(Exception):
    """A function of the author raises, or the body is not of the type."""


class Model:
    """The definitions of all routes, to be asked about messages."""

    def __init__(self, routes: Sequence[Route], catalog: Catalog, policy: Policy) -> None:
        self._routes = {route.name: route for route in routes}
        self._catalog = catalog
        self._readers = {
            address_of(source): route for route in routes if (source := catalog.source(route.source)).scheme in WITHIN
        }
        self._callers = {
            route.name: caller_of(called(source))
            for route in routes
            if isinstance(source := catalog.source(route.source), Listener) and _replies(route, policy)
        }
        self._known: dict[tuple[str, str, str], Meant] = {}
        self._plain = {route.name: _is_plain(route, policy) for route in routes}

    def meant(self, route: str, message: Message[Any]) -> Meant:
        """What a message that enters the route brings about."""
        key = (route, message.id, text_of(message.body))
        if key not in self._known:
            self._known[key] = self._meant(route, message)
        return self._known[key]

    def _meant(self, route: str, message: Message[Any]) -> Meant:
        found = Meant()
        try:
            out = self._route(self._routes[route], message, found, ())
            caller = self._callers.get(route)
            if caller is not None and len(out) == 1:
                found.effects[caller, text_of(out[0].body)] += 1
        except _Unknown:
            pass
        except _Fails:
            return Meant(fails=True)
        return found

    def _route(self, route: Route, message: Message[Any], found: Meant, via: tuple[str, ...]) -> list[Message[Any]]:
        if route.name in via or not self._plain[route.name]:
            raise _Unknown
        body = isolated(message.body)
        if route.body is not None or route.codec is not None:
            codec = None if route.codec is None else self._catalog.codec(route.codec)
            try:
                body = fitting(route.body or object, codec)(body)
            except BodyError:
                raise _Fails from None
        return list(self._chain(route.chain, message.with_body(body), found, (*via, route.name)))

    def _chain(
        self, chain: Chain, message: Message[Any], found: Meant, via: tuple[str, ...], at: int = 0
    ) -> Iterator[Message[Any]]:
        """What comes out of the end of a chain."""
        if at == len(chain.steps):
            yield message
            return
        step = chain.steps[at]
        for one in list(self._step(step, message, found, via)):
            yield from self._chain(chain, one, found, via, at + 1)

    def _step(self, step: Any, message: Message[Any], found: Meant, via: tuple[str, ...]) -> Iterator[Message[Any]]:
        match step:
            case To():
                self._sent(cast("To[Any]", step), message, found, via)
                yield message
            case Transform():
                result = _called(step.function, message)
                yield cast("Message[Any]", result) if isinstance(result, Message) else message.with_body(result)
            case Filter():
                if _called(step.predicate, message):
                    yield message
            case Split() if _simple(step.how):
                parts = _called(step.how.parts, message)
                if not isinstance(parts, list | tuple):
                    raise _Unknown
                for number, body in enumerate(cast("Sequence[Any]", parts)):
                    yield message.part(number, isolated(body))
            case Multicast() if step.how.on_error in ("fail", "fail_fast") and step.how.timeout is None:
                for branch in step.how.branches.values():
                    list(self._chain(branch, message.with_body(isolated(message.body)), found, via))
                yield message
            case Tap():
                list(self._chain(step.branch, message.with_body(isolated(message.body)), found, via))
                yield message
            case Choice():
                way = next((branch for when, branch in step.cases if _called(when, message)), step.otherwise)
                yield from self._chain(way, message, found, via)
            case SetHeader():
                value = _called(step.value, message) if callable(step.value) else step.value
                yield message.with_header(step.name, value)
            case Log() | Delay() | Resequence():
                yield message
            case _:
                raise _Unknown

    def _sent(self, step: To[Any], message: Message[Any], found: Meant, via: tuple[str, ...]) -> None:
        try:
            producer = self._catalog.sink(step.target).producer
        except DefinitionError:
            raise _Unknown from None
        if producer.scheme not in WITHIN:
            found.effects[called(producer), text_of(message.body)] += 1
        elif address_of(producer) in self._readers:
            self._route(self._readers[address_of(producer)], message, found, via)


def _is_plain(route: Route, policy: Policy) -> bool:
    """Whether a failure of the route is a dead letter, or refused: not rescued, and not sent elsewhere."""
    scopes = scopes_of(route, policy)
    return not any(clauses_of(scopes)) and not isinstance(policy_of(scopes).dead_letter, Chain)


def _replies(route: Route, policy: Policy) -> bool:
    """Whether its reply is what comes out of its last step."""
    durable = policy_of(scopes_of(route, policy)).durable == "store"  # its callers are answered at once
    return not durable and not any(isinstance(step, Split | Delay | Resequence) for step in route.chain.steps)


def _simple(how: Any) -> bool:
    return callable(how.parts) and how.on_error in ("fail", "fail_fast") and how.max_failed is None


def _called(function: Any, message: Message[Any]) -> Any:
    """The result of an author's function; unknown if it has to wait for anything."""
    try:
        result = calling(function)(message)
        if type(result) is not Coro:
            return result
        result.send(None)
    except StopIteration as ended:
        return ended.value
    except Exception:  # whatever an author's function raises
        raise _Fails from None
    result.close()
    raise _Unknown


def absent(meant: Meant, got: Mapping[tuple[str, str], int], unsteady: frozenset[str]) -> list[str]:
    """The sinks that have less of a message than it should bring about."""
    wanted, there = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (sink, body), count in meant.effects.items():
        wanted[sink, "" if sink in unsteady else body] += count
    for (sink, body), count in got.items():
        there[sink, "" if sink in unsteady else body] += count
    return sorted({sink for (sink, body), count in wanted.items() if there[sink, body] < count})
