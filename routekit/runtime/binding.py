"""Binding: a route becomes one awaited chain of handlers, and gets the runtime that its steps may ask."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from ..codec import Codec
from ..endpoint import Consumer, Endpoint, Listener, not_polled
from ..events import Event
from ..figures import Readers
from ..message import Delivery, Message
from ..offers import Offer
from ..options import masked
from ..route import Route
from ..step import (
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
    Target,
    finish,
)
from ..store import Store
from .alarms import HeapAlarms
from .failure import observed
from .history import recorded
from .holding import hold, ledger
from .joining import Joins
from .leading import Leading, led
from .line import Line
from .observation import Watch
from .readers import reading
from .recalling import Recalling
from .recording import marked
from .senders import Senders, told
from .services import Activity, Services
from .tallies import Cell

R = TypeVar("R")

Release = Callable[[Message[Any], int, Sequence[Hold]], Awaitable[Message[Any] | None]]
Enter = Callable[[Handler[Any]], Handler[Any]]
GiveUp = Callable[[Message[Any], Exception, Handler[Any] | None, int], Awaitable[None]]


class Journals(Protocol):
    """The journal of a durable route, as its runtime asks it while binding; see `Journaling`."""

    def once(self, act: Send, step: str, *, answered: bool, last: bool) -> Send:
        """The same, but done once for a message, however often that is handled."""
        ...

    def checkpoint(
        self, place: str, fit: Callable[[Any], Any], proceed: Handler[Any], number: int, enter: Enter
    ) -> Handler[Any]:
        """The handler of a checkpoint, which is the entry of that number."""
        ...


class RouteRuntime:
    """The `Runtime` of one route, made anew each time that the route starts."""

    def __init__(self, route: Route, services: Services, activity: Activity, watch: Watch | None = None) -> None:
        self.route = route.name
        self.watch = watch
        self.body = route.body
        self.doc = route.doc
        self.entries: list[Handler[Any]] = []
        self.offers: list[Offer] = []
        self._read: list[Endpoint] = []
        self._jobs: list[Job] = []
        self._tasks: TaskGroup | None = None
        self.is_resting = False
        self.now = services.now
        self._services = services
        self._activity = activity
        self._seen: int | None = None
        self._senders = Senders(services.catalog)
        self._joins = Joins(services.catalog)
        self._sends: Callable[[Target], Send] | None = None  # of the branch that is being bound
        self._give_up: GiveUp | None = None
        self._release: Release | None = None
        self._changed: Callable[[], None] = activity.idle
        self._stopping: Callable[[], bool] = lambda: False
        self._alarms: list[HeapAlarms] = []
        self._closings: list[Job] = []
        self._label = ""  # of the branch that is being bound
        self._step = ""  # that is being bound
        self._path: tuple[int, ...] = ()  # where it stands
        self._chains = 0  # that were bound in it so far
        self._cell: Cell | None = None  # where it is counted
        self._recorded = True  # whether what happens in the steps around it is
        self._own_recorded = True  # and its own sends
        self.journaling: Journals | None = None
        self.recalling: Recalling | None = None
        self.end: Handler[Any] = finish
        self.line = Line()
        self.remembers = False
        self.office: Leading | None = None

    @property
    def random(self) -> Random:
        return self._services.random

    @property
    def store(self) -> Store:
        return self._services.store

    @property
    def workers(self) -> int:
        return self._services.workers

    @property
    def data(self) -> Path:
        return self._services.data

    @property
    def private(self) -> Sequence[str]:
        """Names of fields that are sensitive besides those that RouteKit knows."""
        return self._services.private

    @property
    def idle(self) -> bool:
        """Whether the source rests, and, if it polls, has looked for more since anything last happened."""
        return self.is_resting and self._seen in (None, self._activity.count)

    def bind(
        self, chain: Chain, proceed: Handler[Any], label: str = "", *, sends: Callable[[Target], Send] | None = None
    ) -> Handler[Any]:
        if sends is not None:
            with self._sending(sends):
                return self.bind(chain, proceed, label)
        handler, outer = proceed, self._label
        self._label = f"{outer}{label} > " if label else outer
        path, self._chains = (*self._path, self._chains), self._chains + 1
        for number, step in reversed(list(enumerate(chain.steps))):
            name, place, watch = f"{self._label}{step.label}", chain.places[number], self.watch
            cell = None if watch is None else watch.cell((*path, number), name, place, step)
            with self.line.after(chain.steps[:number]), self._binding(name, step.recorded, (*path, number), cell):
                counts = watch is not None and watch.counts
                bound = observed(step.bind(handler, self), self.route, name, place, cell, counts=counts)
                handler = self.line.step(recorded(bound, name, self.now) if self.remembers else bound, handler)
        self._label = outer
        return handler

    def sender(self, target: Target, *, now: bool = False) -> Send:
        sends = self._sends
        if sends is None or now:
            send = self._senders.sender(target, None if self._cell is None else self._cell.spot)
            return self.once(send) if self._own_recorded else send
        with self._sending(None):
            send = sends(target)
        return send if self._cell is None else told(send, self._cell.spot, target)

    def transactions(self, target: Target, name: str) -> Joining:
        return self._joins.add(target, name)

    @contextmanager
    def _sending(self, sends: Callable[[Target], Send] | None) -> Generator[None]:
        """What is bound inside it sends so; None: at once."""
        before, self._sends = self._sends, sends
        try:
            yield
        finally:
            self._sends = before

    @property
    def durable(self) -> bool:
        return self.journaling is not None

    def once(self, act: Send, *, answered: bool = True, then: Handler[Any] | None = None) -> Send:
        if self.recalling is not None and self._recorded:
            return self.recalling.once(act, self._step, answered=answered)
        if self.journaling is None or not self._recorded:
            return act
        return self.journaling.once(act, self._step, answered=answered, last=then is not None and then is self.end)

    def marking(self) -> Callable[[str], Callable[[], None]] | None:
        return None if self.journaling is None and self.recalling is None else marked

    def checkpoint(self, place: str, fit: Callable[[Any], Any], proceed: Handler[Any]) -> Handler[Any]:
        number = self.entry(proceed)
        if self.journaling is None:
            return proceed
        return self.journaling.checkpoint(place, fit, proceed, number, self.line.entered)

    @contextmanager
    def _binding(self, step: str, recorded: bool, path: tuple[int, ...], cell: Cell | None) -> Generator[None]:
        """What is bound inside it is this step, in its branch, and is recorded or not."""
        before = self._step, self._recorded, self._own_recorded
        stood = self._path, self._chains, self._cell
        self._step, self._recorded, self._own_recorded = step, self._recorded and self._own_recorded, recorded
        self._path, self._chains, self._cell = path, 0, cell
        try:
            yield
        finally:
            self._step, self._recorded, self._own_recorded = before
            self._path, self._chains, self._cell = stood

    def codec(self, choice: CodecChoice) -> Codec:
        return self._services.catalog.codec(choice)

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return self._services.settings(table, name)

    async def shared(self, factory: Callable[..., AbstractAsyncContextManager[R]], *args: Hashable) -> R:
        return await self._services.shared.get(factory, *args)

    def named(self, make: Callable[..., R], name: str, *args: Hashable) -> R:
        return self._services.named.get(make, name, args, self.route)

    def spawn(self, job: Job) -> None:
        if self._tasks is None:
            self._jobs.append(job)
        else:
            self._tasks.start_soon(job)

    @contextmanager
    def resting(self) -> Generator[None]:
        self.is_resting = True
        self._activity.idle()
        try:
            yield
        finally:
            self.is_resting = False

    async def rest(self, seconds: float) -> None:
        self._seen = -1 if self._seen is None else self._seen
        with self.resting():
            await anyio.sleep(seconds)
        self._seen = self._activity.count  # what the source finds from now on is newer than this

    def emit(self, event: Event) -> None:
        if self.watch is not None:
            self.watch.hear(event)
        self._services.tell(event)

    def metered(self, endpoint: Address, figures: Readers) -> AbstractContextManager[None]:
        return self._services.figures.shown(self.route, masked(endpoint.uri()), figures)

    def reader(self, target: Target) -> Read:
        source = self._services.catalog.source(target)
        if isinstance(source, Listener):
            raise not_polled(target)
        self._read.append(source)
        return reading(source, self)

    def alarms(self, ring: Callable[[str], Awaitable[None]], *, load: Job | None = None) -> Alarms:
        alarms = HeapAlarms(ring, self.now, lambda: self._changed(), load)
        self._alarms.append(alarms)
        self.spawn(alarms.run)
        return alarms

    def holding(self) -> Callable[[], Hold] | None:
        if self.store.durable or self.durable:
            return None
        self._services.holds = True
        return hold

    def keeping(self) -> Callable[[], AbstractContextManager[Kept]] | None:
        return None if self.store.durable or self.durable else ledger

    def closing(self, close: Job) -> None:
        self._closings.append(close)

    @property
    def stopping(self) -> bool:
        return self._stopping()

    async def release(self, message: Message[Any], *, entry: int, held: Sequence[Hold] = ()) -> Message[Any] | None:
        assert self._release is not None  # set before any message is taken
        return await self._release(message, entry, held)

    @property
    def alarmed(self) -> bool:
        """Whether a timer of a step is set."""
        return any(alarms.count for alarms in self._alarms)

    @property
    def ringing(self) -> bool:
        """Whether a step does what its timer was set for."""
        return any(alarms.ringing for alarms in self._alarms)

    async def close(self) -> None:
        """Let the steps end what they can, after the last message."""
        for close in self._closings:
            await close()

    def deliveries(self, consumer: Consumer) -> AsyncGenerator[Delivery[Any]]:
        """What the source of the route brings, while this process may run it."""
        brought = consumer.consume(self)
        return brought if self.office is None else led(brought, self.office)

    def releasing(self, release: "Release", changed: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Say who runs what the route itself brings, who wants to know that no timer is left, and who of a stop."""
        self._release = release
        self._changed = changed
        self._stopping = stopping

    def offer(self, action: str, name: str, command: Command) -> None:
        self.offers.append((action, name, command))

    async def control(self, action: str, name: str, **options: Any) -> Any:
        return await self._services.controls.ask(action, name, options)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """What this route sends to, and what it reads from beside its source, as far as it is bound."""
        return [*self._senders.producers, *self._joins.endpoints, *self._read]

    @property
    def feeds(self) -> set[str]:
        """What this route sends to, as far as it is known beforehand; without options."""
        return self._senders.addresses

    def entry(self, handler: Handler[Any]) -> int:
        self.entries.append(handler)
        return len(self.entries)

    async def give_up(
        self, message: Message[Any], error: Exception, channel: Handler[Any] | None = None, *, entry: int = 0
    ) -> None:
        assert self._give_up is not None  # set before any message is taken
        await self._give_up(message, error, channel, entry)

    def giving_up(self, give_up: GiveUp) -> None:
        """Say where dead letters go."""
        self._give_up = give_up

    async def open(self, stack: AsyncExitStack) -> None:
        """Open all sinks and places of transactions that were bound."""
        await self._senders.open(stack, self)
        await self._joins.open(stack, self)

    def start_jobs(self, tasks: TaskGroup) -> None:
        """Run the jobs that were asked for so far, and from now on each as soon as it is asked for."""
        self._tasks = tasks
        for job in self._jobs:
            tasks.start_soon(job)
