"""The stage: a catalog whose endpoints outside the process are twins, which belong to one life of it.

What is within the process runs as it is: `direct:`, `queue:`, `control:` and `log:`, and the clocks `timer:` and
`cron:`, whose messages are only watched.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, cast

from ..callables import Calling, calling
from ..codec import Codec
from ..endpoint import Consumer, Endpoint, Producer, Source, Transactor, address_of
from ..events import Event
from ..options import masked
from ..plugins import Catalog, Sink
from ..rewriting import matches
from ..standins import sink_twin, source_twin
from ..step import CodecChoice, Target
from ..store import Store
from ..twin import Twin
from .arriving import Clockwork, Inbox
from .committing import Book, Committing
from .departing import Departing
from .outside import Life

WITHIN = frozenset({"direct", "queue", "control", "log"})
"""Schemes that end with the process, or leave nothing outside."""

CLOCKS = frozenset({"timer", "cron"})
"""Schemes of sources that make their messages themselves."""


def called(endpoint: Endpoint) -> str:
    """What an endpoint is called in schedules and reports: its address, or its URI where that has no path."""
    address = address_of(endpoint)
    bare = (
        address == f"{endpoint.scheme}:" or type(endpoint).path_field() is None or endpoint.scheme in ("feed", "sink")
    )
    return masked(endpoint.uri() if bare else address)


@dataclass(frozen=True)
class Answers:
    """What stands for the answers of other sides: the first pattern of an address or URI that fits counts."""

    functions: Sequence[tuple[str, Calling]] = ()

    @classmethod
    def of(cls, given: Mapping[str, Callable[..., Any]]) -> "Answers":
        """Functions of `(body)` or `(body, message)`, by pattern."""
        return cls([(pattern, calling(function)) for pattern, function in given.items()])

    def to(self, endpoint: Endpoint) -> Calling | None:
        """The function for an endpoint, if there is one."""
        for pattern, function in self.functions:
            if matches(pattern, address_of(endpoint)) or matches(pattern, endpoint.uri()):
                return function
        return None


class Stage:
    """The catalog of one process."""

    def __init__(self, catalog: Catalog, life: Life, answers: Answers, ticks: int) -> None:
        self._catalog = catalog
        self._life = life
        self._answers = answers
        self._ticks = ticks
        self._twins: dict[str, Twin] = {}
        self._sinks: list[tuple[Producer, Departing]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def as_catalog(self) -> Catalog:
        """For those who ask for one."""
        return cast("Catalog", self)

    def source(self, target: Target) -> Source:
        """A twin of the source, unless it is within the process."""
        real = self._catalog.source(target)
        if real.scheme in WITHIN:
            return real
        if real.scheme in CLOCKS and isinstance(real, Consumer):
            return source_twin(real, Clockwork(real, called(real), self._life, self._ticks), internal=False)
        twin = self._twin(real)
        inbox = Inbox(real, called(real), self._life, read=lambda message: twin.read(real, message))
        return source_twin(real, inbox, internal=False)

    def sink(self, target: Target) -> Sink:
        """A twin of the sink, unless it is within the process."""
        found = self._catalog.sink(target)
        if found.producer.scheme in WITHIN:
            return found
        return replace(found, producer=sink_twin(found.producer, self._departing(found)), codec=None)

    def transactor(self, target: Target) -> Transactor:
        """One that keeps its marks and its outbox over all lives."""
        real = self._catalog.transactor(target)
        name = called(real)
        return Committing(real=real, name=name, life=self._life, book=self._life.outside.books.setdefault(name, Book()))

    def _departing(self, sink: Sink) -> Departing:
        real = sink.producer
        for known, departing in self._sinks:
            if known == real:
                return departing
        departing = Departing(real, called(real), self._twin(real), self._life, self._answers.to(real))
        self._sinks.append((real, departing))
        return departing

    def codec(self, choice: CodecChoice) -> Codec:
        """As in the catalog."""
        return self._catalog.codec(choice)

    def open_store(self, uri: str, now: Callable[[], float]) -> AbstractAsyncContextManager[Store]:
        """As in the catalog."""
        return self._catalog.open_store(uri, now)

    def tell(self, event: Event) -> None:
        """Nothing: those who watch the service are outside."""

    def _twin(self, endpoint: Endpoint) -> Twin:
        scheme = endpoint.scheme
        if scheme not in self._twins:
            self._twins[scheme] = self._catalog.twin(scheme)(self._catalog.codec)
        return self._twins[scheme]
