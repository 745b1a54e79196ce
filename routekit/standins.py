"""Endpoints that stand for others: of the class that they stand for, so that the engine treats them as it would those.

A twin keeps the options, promises and direction of its original, and takes and gives messages in memory.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from pydantic import PrivateAttr

from .endpoint import Consumer, Deliver, Endpoint, Listener, Producer, Source
from .message import Delivery
from .step import Runtime, Send

E = TypeVar("E", bound=Endpoint)


class Arrivals(Protocol):
    """What a twin of a source gives, and does."""

    def deliveries(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """The messages, pulled."""
        ...

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """The messages, handed over."""
        ...


Departures = Callable[[Runtime], Any]
"""What a twin of a sink does: a context manager that gives the send function."""


def source_twin(real: Source, arrivals: Arrivals, *, internal: bool) -> Source:
    """A source of the same class and options as `real`; `internal` as in `Consumer`."""
    if isinstance(real, Listener):
        return _made(_listener(type(real), internal), real, arrivals)
    return _made(_consumer(type(real), internal), real, arrivals)


def sink_twin(real: Producer, departures: Departures) -> Producer:
    """A sink of the same class and options as `real`."""
    return _made(_producer(type(real)), real, departures)


def _made(kind: type[E], real: Endpoint, part: object) -> E:
    values = {name: getattr(real, name) for name in type(real).model_fields}
    twin = kind.model_construct(real.model_fields_set, **values)  # its options have been checked
    setattr(twin, "_part", part)  # noqa: B010 - the field is the twin's, of whatever class it is
    return twin


async def _probed(self: Endpoint, runtime: Runtime) -> str:
    """As `Endpoint.probe`: nothing outside is asked."""
    return "a twin in memory"


@lru_cache(maxsize=256)
def _consumer(kind: type[Consumer], within: bool) -> type[Consumer]:
    class Twin(kind):
        internal = within
        _part: Any = PrivateAttr(default=None)

        def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
            return self._part.deliveries(runtime)

    return _called(Twin, kind)


@lru_cache(maxsize=256)
def _listener(kind: type[Listener], within: bool) -> type[Listener]:
    class Twin(kind):
        internal = within
        _part: Any = PrivateAttr(default=None)

        async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
            await self._part.listen(runtime, deliver)

    return _called(Twin, kind)


@lru_cache(maxsize=256)
def _producer(kind: type[Producer]) -> type[Producer]:
    class Twin(kind):
        _part: Any = PrivateAttr(default=None)

        @asynccontextmanager
        async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
            async with self._part(runtime) as send:
                yield send

    return _called(Twin, kind)


def _called(twin: type[E], kind: type[E]) -> type[E]:
    """Named after its original, in errors and drawings."""
    twin.__name__, twin.__qualname__ = kind.__name__, kind.__qualname__
    setattr(twin, "probe", _probed)  # noqa: B010 - as above
    return twin
