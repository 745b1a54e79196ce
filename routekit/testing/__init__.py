"""For tests of routes and plugins: in-memory endpoints, and running routes to their end.

async def test_big_orders_are_shipped():
shipped = Sink()
flow = from_(Feed([1, 5, 9]), int).filter(lambda n: n > 3).to(shipped)
await run_routes(flow)
assert shipped.bodies == [5, 9]
"""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from time import time
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import anyio
from pydantic import ConfigDict, Field, PrivateAttr

from ..endpoint import Consumer, Producer
from ..events import Counts, Event
from ..flow import Flow
from ..letter import Letter
from ..message import Delivery, Message
from ..plugins import Catalog
from ..route import Policy, Route
from ..runtime.service import Service, Setup
from ..step import Runtime, Send
from ..store import Store

T = TypeVar("T")


class Feed(Consumer):
    """A source of given bodies or messages, then exhausted; remembers what became of each.

    `acknowledged` and `refused` hold (message id, reply or error) in the order in which it was told. With `gate`
    the source waits for the event before its first message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "feed"
    items: Any = ()
    gate: anyio.Event | None = None
    acknowledged: list[tuple[str, Any]] = Field(default_factory=list[tuple[str, Any]], repr=False)
    refused: list[tuple[str, Exception]] = Field(default_factory=list[tuple[str, Exception]], repr=False)
    _begun: "WeakKeyDictionary[Runtime, Iterator[tuple[int, Any]]]" = PrivateAttr(
        default_factory=WeakKeyDictionary["Runtime", "Iterator[tuple[int, Any]]"]
    )
    """How far it has come: after a pause it goes on."""

    def __init__(self, items: Iterable[Any] = (), **options: Any) -> None:
        super().__init__(items=items, **options)  # pyright: ignore[reportCallIssue]  # pydantic's own signature

    def uri(self) -> str:
        """`feed:`, without the items: there may be very many."""
        return "feed:"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        if self.gate is not None:
            await self.gate.wait()
        items: Iterator[tuple[int, Any]] = enumerate(cast("Iterable[Any]", self.items), 1)
        for number, item in self._begun.setdefault(runtime, items):
            given = isinstance(item, Message)
            yield self._delivery(cast("Message[Any]", item) if given else Message(item, id=f"feed-{number}"))

    def _delivery(self, message: Message[Any]) -> Delivery[Any]:
        async def ack(reply: Message[Any] | None) -> None:
            self.acknowledged.append((message.id, reply))

        async def nack(error: Exception) -> None:
            self.refused.append((message.id, error))

        return Delivery(message, ack, nack)


class Sink(Producer):
    """A sink that collects; `fail` maps the number of a send (from 1) to the error that it raises."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "sink"
    name: str = ""
    messages: list[Any] = Field(default_factory=list[Any], repr=False)
    fail: dict[int, Any] = Field(default_factory=dict[int, Any])
    sends: list[Any] = Field(default_factory=list[Any], repr=False)

    @property
    def bodies(self) -> list[Any]:
        """The bodies received, in order."""
        return [message.body for message in self.messages]

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            self.sends.append(message)
            error = self.fail.get(len(self.sends))
            if error is not None:
                raise error
            self.messages.append(message)

        yield send

    def uri(self) -> str:
        """`sink:`, without the messages."""
        return "sink:"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@dataclass
class Run:
    """What a run of routes left behind."""

    counts: dict[str, Counts] = field(default_factory=dict[str, Counts])
    letters: Sequence[Letter] = ()
    events: list[Event] = field(default_factory=list[Event])

    def of(self, kind: type[T]) -> list[T]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]


def setup_for(run: Run, **changes: Any) -> Setup:
    """A setup for tests: memory store, seeded chance, no plugins but the installed ones, events kept in `run`."""
    given: dict[str, Any] = {"catalog": Catalog(), "random": Random(1), "now": _clock(), "watch": run.events.append}
    return Setup(**{**given, **changes})


def _clock() -> Any:
    """Wall time that follows anyio's clock, so that it is virtual where that is."""
    start = time()
    first: list[float] = []

    def now() -> float:
        try:
            current = anyio.current_time()
        except Exception:
            return start
        first[:] = first or [current]
        return start + current - first[0]

    return now


def routes_of(*flows: Flow[Any] | Route, **named: Flow[Any]) -> list[Route]:
    """Flows as routes, named `route-1`, `route-2`, ... or by keyword."""
    routes = [flow if isinstance(flow, Route) else flow.route(f"route-{n}") for n, flow in enumerate(flows, 1)]
    return routes + [flow.route(name) for name, flow in named.items()]


@asynccontextmanager
async def running(*flows: Flow[Any] | Route, setup: Setup | None = None, **named: Flow[Any]) -> AsyncGenerator[Service]:
    """The routes, running until the block is left; then they stop orderly."""
    service = Service(routes_of(*flows, **named), setup or setup_for(Run()))
    async with service.started():
        yield service


async def run_routes(
    *flows: Flow[Any] | Route,
    store: Store | str = "memory:",
    policy: Policy | None = None,
    most: int | None = None,
    setup: Setup | None = None,
    **named: Flow[Any],
) -> Run:
    """Run routes until their sources have nothing and nothing is in flight, and give what they left behind."""
    run = Run()
    base = setup or setup_for(run, store=store, policy=policy or Policy())
    async with base.opened_store() as opened:
        service = Service(routes_of(*flows, **named), _with(base, run, opened))
        await service.run(until_idle=True, most=most)
        run.counts = service.counts()
        run.letters = await opened.letters.list()
    return run


def _with(setup: Setup, run: Run, store: Store) -> Setup:
    def watch(event: Event) -> None:
        run.events.append(event)
        if setup.watch != run.events.append:
            setup.watch(event)

    return replace(setup, store=store, watch=watch)
