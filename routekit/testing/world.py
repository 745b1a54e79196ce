"""A world in memory for the routes of a test: every endpoint is a twin, and what goes over each is known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import Any, Self, TypeAlias, cast

from ..callables import Calling, Function, calling
from ..endpoint import Consumer, Endpoint, Listener, Producer, Source, Transactor, address_of
from ..errors import DefinitionError, UnknownName, did_you_mean
from ..events import Event
from ..placeholders import Lookup, filled_uri
from ..plugins import Catalog, Sink
from ..standins import sink_twin, source_twin
from ..step import Target
from ..twin import Twin
from .arrivals import Arrivals
from .channel import Channel
from .clock import Clock
from .departures import Departures
from .endpoints import Feed, Inlet
from .endpoints import Sink as Collector
from .ledger import Book, Ledger, TwinTransactor
from .matching import Key, Way, called, means, named
from .traffic import Arrival, Traffic

Replacement: TypeAlias = Endpoint | Function[Any, Any] | Exception | Sequence[Any]
"""What stands for an endpoint: another one such as a `Feed` or `Sink`; a list of bodies or messages that come from it;
a function of `(body)` or `(body, message)` that answers; or an error that every send raises."""

_WITHIN = ("direct", "queue")
_INSIDE = ("control", "log", "mock", *_WITHIN)
"""Schemes whose endpoints are in memory anyway."""

_current: ContextVar["World | None"] = ContextVar("routekit.testing.world", default=None)


def _nothing(name: str) -> str | None:
    return None


def current() -> "World | None":
    """The world of the `with` that is open."""
    return _current.get()


def replace_endpoints(
    replacements: "Mapping[str, Replacement] | Mapping[Endpoint, Replacement] | None" = None,
    *,
    keep: Iterable[str] = (),
    clock: Clock | None = None,
    redeliver: int = 0,
    lookup: Lookup = _nothing,
    modules: Iterable[ModuleType | object] = (),
) -> "World":
    """A world in which every endpoint is replaced by a twin in memory: what is sent to an address is read from it.

    `replacements` says what stands for single endpoints, by address, pattern, URI or typed endpoint; the first one that
    fits counts. `keep` are patterns of those that stay real. `direct:` and `queue:` stay where a route of the test
    reads from them. A refused message comes again up to `redeliver` times. `lookup` gives the values of placeholders,
    `modules` are plugins that are not installed.

    Used by `with`, it is what `run_route`, `run_routes` and `running` take; else give it them as the catalog of
    `setup_for`. Raises AssertionError at the end of the `with` for what was replaced, or put somewhere, in vain.
    """
    found = cast("Mapping[Key, Replacement]", replacements or {})
    return World(found, keep=keep, clock=clock or Clock(), redeliver=redeliver, lookup=lookup, modules=modules)


class World(Catalog):
    """A catalog whose endpoints are twins; made by `replace_endpoints`.

    `world["rabbitmq:orders"]` is what goes over an endpoint, by any key that `replace_endpoints` takes.
    """

    def __init__(
        self,
        replacements: Mapping[Key, Replacement],
        *,
        keep: Iterable[str],
        clock: Clock,
        redeliver: int,
        lookup: Lookup,
        modules: Iterable[ModuleType | object],
    ) -> None:
        super().__init__(lookup, modules)
        self.clock = clock
        self.traffic = Traffic(redeliver)
        self.sources: list[Arrivals] = []
        self.sinks: list[Departures] = []
        self._fill = lookup
        self._given = {self.key(key): _given(key, value) for key, value in replacements.items()}
        self._keep = [self.key(key) for key in keep]
        self._used: set[Key] = set()
        self._entry: Endpoint | None = None
        self._twins: dict[str, Twin] = {}
        self._books: dict[str, Book] = {}
        self._token: Token[World | None] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._token is not None
        _current.reset(self._token)
        if error is None:
            self._in_vain()

    def __getitem__(self, key: Key) -> Channel:
        """What goes over the endpoints that a key stands for."""
        return Channel(self, self.key(key))

    def key(self, key: Key) -> Key:
        """A key with its placeholders filled."""
        return filled_uri(key, self._fill) if isinstance(key, str) else key

    def source(self, target: Target) -> Source:
        """As in any catalog, but a twin."""
        real = super().source(target)
        if isinstance(real, Feed | Inlet):
            return real
        arrivals = next((one for one in self.sources if one.endpoint == real), None)
        if arrivals is None:
            arrivals = Arrivals(real, self._twin(real), self.traffic, None)
            self.sources.append(arrivals)
        arrivals.instead = None if real == self._entry else self._instead_of(real)
        put = any(arrivals.wants(came) for came in self.traffic.arrivals if not came.sent)
        return source_twin(real, arrivals, internal=real.internal and not put)

    def sink(self, target: Target) -> Sink:
        """As in any catalog, but a twin."""
        found = super().sink(target)
        real = found.producer
        if isinstance(real, Collector):
            return found
        departures = next((one for one in self.sinks if (one.endpoint, one.codec) == (real, found.codec)), None)
        if departures is None:
            key = self._key_of(real, _takes)
            given = None if key is None else cast("Producer | Calling | Exception", self._given[key])
            stays = key is None and (self._kept(real) or real.scheme in _INSIDE)
            departures = Departures(
                real,
                found.codec,
                self._twin(real),
                self.traffic,
                instead=given,
                real=lambda: stays and (real.scheme not in _WITHIN or self._is_read(real) or self._kept(real)),
            )
            self.sinks.append(departures)
        return replace(found, producer=sink_twin(real, departures), codec=None)

    def transactor(self, target: Target) -> Transactor:
        """As in any catalog, but a twin that keeps its marks and its outbox as long as this world lasts."""
        real = super().transactor(target)
        if isinstance(real, Ledger) or self._kept(real):
            return real
        return TwinTransactor(real=real, book=self._books.setdefault(address_of(real), Book()))

    def enter(self, source: Target, messages: Iterable[Any]) -> list[Arrival]:
        """Let these messages, and no others, come from the source of a route."""
        self._entry = super().source(source)
        return [self.traffic.put(self._entry, message) for message in messages]

    def leave(self) -> None:
        """Let sources be again what they were before `enter`."""
        self._entry = None

    def tell(self, event: Event) -> None:
        """As in any catalog, with a note of what a test may want to know."""
        super().tell(event)
        self.traffic.hear(event)

    def known(self, key: Key, way: Way = "any") -> None:
        """Raise UnknownName if routes were bound, and no endpoint that they use so is what a key stands for."""
        sinks: list[Endpoint] = [one.endpoint for one in self.sinks if way != "source"]
        sources: list[Endpoint] = [one.endpoint for one in self.sources if way != "sink"]
        if (self.sinks or self.sources) and not any(means(key, endpoint) for endpoint in (*sinks, *sources)):
            used = {"sink": "sends to it", "source": "reads from it", "any": "sends to it or reads from it"}[way]
            hint = did_you_mean(named(key), {called(endpoint) for endpoint in (*sinks, *sources)})
            raise UnknownName(f"'{named(key)}': no route {used}", hint=hint)

    def _twin(self, endpoint: Endpoint) -> Twin:
        scheme = endpoint.scheme
        if scheme not in self._twins:
            self._twins[scheme] = self.twin(scheme)(self.codec)
        return self._twins[scheme]

    def _instead_of(self, real: Source) -> Source | None:
        key = self._key_of(real, _gives)
        if key is not None:
            other = cast("Source", self._given[key])
            if isinstance(real, Consumer) and isinstance(other, Listener):
                hint = "give a Feed or an Inlet"
                raise DefinitionError(f"'{real}' is polled, and '{other}' hands over by itself", hint=hint)
            return other
        return real if self._kept(real) or real.scheme in _INSIDE else None

    def _key_of(self, real: Endpoint, fits: Callable[[object], bool]) -> Key | None:
        """The first key that stands for an endpoint and has something for its direction."""
        for key, value in self._given.items():
            if means(key, real):
                self._used.add(key)
                if fits(value):
                    return key
        return None

    def _kept(self, real: Endpoint) -> bool:
        return any(means(key, real) for key in self._keep)

    def _is_read(self, real: Producer) -> bool:
        return any(address_of(one.endpoint) == address_of(real) for one in self.sources)

    def _in_vain(self) -> None:
        """What nobody has ever asked for is a mistake of the test."""
        if not (self.sources or self.sinks):
            return
        for key in self._given:
            if key not in self._used:
                addresses = [called(one.endpoint) for one in (*self.sources, *self.sinks)]
                raise AssertionError(
                    f"'{named(key)}' was replaced, but no route sends to it or reads from it; "
                    f"{did_you_mean(named(key), addresses)}"
                )
        read = [called(one.endpoint) for one in self.sources]
        for came in self.traffic.arrivals:
            if not came.sent and not any(one.wants(came) for one in self.sources):
                raise AssertionError(
                    f"{came.body!r} was put to '{named(came.to)}', but no route reads from it; "
                    f"{did_you_mean(named(came.to), read)}"
                )


def _gives(value: object) -> bool:
    return isinstance(value, Consumer | Listener)


def _takes(value: object) -> bool:
    return not _gives(value)


def _given(key: Key, value: Any) -> Endpoint | Calling | Exception:
    """A replacement as what takes or gives messages; raises DefinitionError for what is none."""
    if isinstance(value, Endpoint | Exception):
        return value
    if callable(value):
        return calling(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Feed(cast("Sequence[Any]", value))
    hint = "give a Feed, a Sink, a list of messages, a function that answers, or an error"
    raise DefinitionError(f"'{named(key)}' cannot be replaced by {value!r}", hint=hint)
