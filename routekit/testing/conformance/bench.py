"""The bench that a test of the kit works on: services that live and die one after another, and what outlives them."""

import gc
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import time
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from ...endpoint import Endpoint, Listener, Producer
from ...events import Event, RouteDegraded, RouteStarted
from ...flow import Flow, from_
from ...letter import Letter
from ...message import NO_HEADERS, Message
from ...plugins import Catalog
from ...route import REFUSE, Policy, Retry, Route
from ...runtime.service import Service, Setup
from ...step import Target
from ...stores.memory import MemoryStore
from ...tasks import together
from ..endpoints import Inlet
from ..faults import FaultProxy
from .stepping import Stepping

TRIED = "tried"
"""The name of the route with the endpoint that is tried."""

EPOCH = 1_700_000_000.0
_LOOK = 0.005


class Trial(Protocol):
    """What the bench needs to know from the author's class."""

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None: ...

    def beside(self) -> Sequence[Flow[Any]]: ...

    async def ready(self) -> None: ...

    async def put(self, message: Message[Any]) -> Message[Any] | None: ...


class _Lasting(MemoryStore):
    """State that outlives each service, as on a disk."""

    durable = True
    owner = "tried-0"


class _Eager(Random):
    """Chance that is always short: a route that is away is tried again soon."""

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * 0.02


@dataclass(eq=False)
class Given:
    """A message that was brought to the outside of a source; `done` once the outside has it, or has its outcome."""

    message: Message[Any]
    done: anyio.Event = field(default_factory=anyio.Event)
    reply: Message[Any] | None = None
    error: Exception | None = None


@dataclass(eq=False)
class Taken:
    """A message in the hands of the test, which decides what becomes of it."""

    message: Message[Any]
    decided: anyio.Event = field(default_factory=anyio.Event)
    reply: Any = None
    error: Exception | None = None

    def finish(self, reply: Any = None) -> None:
        """The route is done with it; the reply is its body, or `reply`."""
        self.reply = self.message.body if reply is None else reply
        self.decided.set()

    def refuse(self, error: Exception) -> None:
        """The route fails with it."""
        self.error = error
        self.decided.set()


class Life:
    """One life of a service."""

    def __init__(self, bench: "Bench", service: Service) -> None:
        self._bench = bench
        self.service = service
        self.degraded: list[Exception] = []
        self.killed = False
        self.up = False
        """Whether the route has started once."""

    def kill(self) -> None:
        """End this life at once: nothing is finished. What runs in it is cancelled at its next await."""
        self.killed = True
        self.service.force()

    async def crash(self) -> None:
        """As `kill`; nothing of the block of this life runs after it."""
        self.kill()
        await anyio.sleep_forever()

    async def settled(self) -> None:
        """Wait until nothing is in flight: each message has been told to its source."""
        counts = self.service.counts()[TRIED]
        await self._bench.soon(lambda: not counts.in_flight, "the messages in flight to be acknowledged")

    async def letters(self) -> Sequence[Letter]:
        """The dead letters so far."""
        return await self._bench.store.letters.list()


class SourceLife(Life):
    """A life in which the source that is tried hands its messages to the test."""

    def __init__(self, bench: "Bench", service: Service, *, auto: bool) -> None:
        super().__init__(bench, service)
        self.auto = auto
        self.taken: list[Taken] = []
        self._read = 0
        self.callers: TaskGroup | None = None

    async def hand(self, body: Any, message: Message[Any]) -> Any:
        """The only step of the route: waits until the test has decided."""
        taken = Taken(message)
        self.taken.append(taken)
        if self.auto:
            taken.finish()
        await taken.decided.wait()
        if taken.error is not None:
            raise taken.error
        return taken.reply

    async def next(self, what: str = "the next message") -> Taken:
        """The next message; fails if none comes."""
        await self._bench.soon(lambda: len(self.taken) > self._read, f"{what} to arrive in the route")
        self._read += 1
        return self.taken[self._read - 1]

    async def give(self, message: Message[Any]) -> Given:
        """Bring a message to the outside. Where the outside is told the outcome, it waits for it in the background."""
        given = Given(message)
        if self._bench.listening:
            assert self.callers is not None
            self.callers.start_soon(self._call, given)
        else:
            await self._bench.trial.put(message)
            given.done.set()
        return given

    async def _call(self, given: Given) -> None:
        try:
            given.reply = await self._bench.trial.put(given.message)
        except Exception as error:  # of whatever kind: it is how the outside is told
            given.error = error
        finally:
            given.done.set()

    @property
    def bodies(self) -> list[Any]:
        """The bodies that have arrived, in order."""
        return [taken.message.body for taken in self.taken]


class SinkLife(Life):
    """A life in which the test sends to the sink that is tried."""

    def __init__(self, bench: "Bench", service: Service, inlet: Inlet) -> None:
        super().__init__(bench, service)
        self._inlet = inlet

    async def send(self, message: Message[Any]) -> Message[Any] | None:
        """Send, and wait for the outcome: the answer; raises what the sink raised."""
        return await self._inlet.give(message)

    async def send_all(self, messages: Sequence[Message[Any]]) -> list[Exception | None]:
        """Send all at once; the error of each, or None."""
        outcomes: list[Exception | None] = [None] * len(messages)

        async def send(number: int, message: Message[Any]) -> None:
            try:
                await self.send(message)
            except Exception as error:  # whatever the sink raises is the outcome
                outcomes[number] = error

        async with together() as tasks:
            for number, message in enumerate(messages):
                tasks.start_soon(send, number, message)
        return outcomes


class Bench:
    """What outlives each service of a test: its store, the wall clock, the proxy, and what was heard."""

    def __init__(self, trial: Trial, folder: Path, modules: Sequence[Any], patience: float, *, virtual: bool) -> None:
        self.trial = trial
        self.folder = folder
        self.patience = patience
        self.catalog = Catalog(modules=modules)
        self.store = _Lasting(self.now)
        self.proxy: FaultProxy | None = None
        self.listening = False
        self.jumped = 0.0
        self.heard: list[str] = []
        self._births = 0
        self._virtual = virtual
        self._seconds = 0.0

    def now(self) -> float:
        """Wall time: that of the event loop if it is virtual, and what the clock was set forward or back."""
        if not self._virtual:
            return time() + self.jumped
        with suppress(anyio.NoEventLoopError):  # a worker thread asks
            self._seconds = anyio.current_time()
        return EPOCH + self.jumped + self._seconds

    async def soon(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it holds; fails, with what was waited for, if that takes too long."""
        with anyio.move_on_after(self.patience):
            while not condition():
                await anyio.sleep(_LOOK)
            return
        raise AssertionError(f"waited {self.patience:g} seconds in vain for {what}")

    def endpoint(self, given: str | Endpoint, kind: type[Endpoint]) -> Endpoint:
        """What the author's factory gave, as an endpoint."""
        target = Target(given)
        return self.catalog.sink(target).producer if issubclass(kind, Producer) else self.catalog.source(target)

    @asynccontextmanager
    async def source_life(
        self,
        source: str | Endpoint,
        *,
        slots: int = 1,
        dead_letter: str = REFUSE,
        auto: bool = False,
        troubled: bool = False,
        stepping: Stepping | None = None,
    ) -> AsyncGenerator[SourceLife]:
        """A life in which the route takes from the source; ends orderly with the block, or where `stepping` says.

        `auto`: every message is finished at once. `troubled`: the route may be degraded at times.
        """
        policy = Policy(concurrency=slots, retry=Retry(0), dead_letter=dead_letter)
        endpoint = source if isinstance(source, Endpoint) else self.catalog.source(Target(source))
        self.listening = isinstance(endpoint, Listener)
        lives: list[SourceLife] = []

        async def hand(body: Any, message: Message[Any]) -> Any:
            return await lives[0].hand(body, message)

        route = from_(endpoint, policy=policy).transform(hand).route(TRIED)
        service = self._service(route, lambda: lives[0])
        lives.append(SourceLife(self, service, auto=auto))
        if stepping is not None:
            stepping.act = lives[0].kill
        async with together() as callers:
            lives[0].callers = callers
            async with service.started():
                if self.listening and stepping is None:
                    await self.trial.ready()
                yield lives[0]
            callers.cancel_scope.cancel()
        _ended(lives[0], troubled=troubled)

    @asynccontextmanager
    async def sink_life(
        self,
        sink: str | Endpoint,
        options: Mapping[str, Any] = NO_HEADERS,
        *,
        slots: int = 64,
        retry: Retry | None = None,
        troubled: bool = False,
        stepping: Stepping | None = None,
    ) -> AsyncGenerator[SinkLife]:
        """A life in which the route sends to the sink; ends orderly with the block. `retry` is that of the sends."""
        inlet = Inlet()
        policy = Policy(concurrency=slots, retry=Retry(0), dead_letter=REFUSE)
        flow = from_(inlet, policy=policy).to(sink, retry=retry or Retry(0), **options)
        lives: list[SinkLife] = []
        service = self._service(flow.route(TRIED), lambda: lives[0])
        lives.append(SinkLife(self, service, inlet))
        if stepping is not None:
            stepping.act = lives[0].kill
        async with service.started():
            yield lives[0]
        _ended(lives[0], troubled=troubled)

    async def rested(self, source: str | Endpoint) -> bool:
        """Whether a service with nothing to do notices it, and ends."""
        endpoint = source if isinstance(source, Endpoint) else self.catalog.source(Target(source))

        async def pass_on(body: Any) -> Any:
            return body

        route = from_(endpoint, policy=Policy(dead_letter=REFUSE)).transform(pass_on).route(TRIED)
        with anyio.move_on_after(self.patience):
            await self._service(route, lambda: None).run(until_idle=True)
            return True
        return False

    def _service(self, route: Route, life: Callable[[], Life | None]) -> Service:
        self._births += 1

        def watch(event: Event) -> None:
            self.heard.append(repr(event))
            error = getattr(event, "error", None)
            if isinstance(error, Exception):
                self.hear(error)
            found = life() if getattr(event, "route", "") == TRIED else None
            if found is not None and isinstance(event, RouteDegraded):
                found.degraded.append(event.error)
            elif found is not None and isinstance(event, RouteStarted):
                found.up = True

        setup = Setup(
            catalog=self.catalog,
            store=self.store,
            data=self.folder / "data",
            settings=self.trial.settings,
            watch=watch,
            drain=self.patience,
            now=self.now,
            random=_Eager(self._births),
        )
        others = [flow.route(f"beside-{number}") for number, flow in enumerate(self.trial.beside(), 1)]
        return Service([route, *others], setup)

    def hear(self, error: BaseException) -> None:
        """Keep all that an error tells: itself, its notes, and the errors behind it."""
        self.heard += [repr(error), "".join(traceback.format_exception(error))]

    @contextmanager
    def listening_to_logs(self) -> Generator[None]:
        """Keep what any logger says inside the block, however quiet it is meant to be."""
        ear, root = _Ear(self.heard), logging.getLogger()
        before = root.level
        root.addHandler(ear)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.setLevel(before)
            root.removeHandler(ear)


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(self.format(record))


def _ended(life: Life, *, troubled: bool) -> None:
    if life.killed:
        gc.collect()  # a dead process holds nothing: no lock, no connection
    if life.degraded and not troubled:
        error = life.degraded[0]
        raise AssertionError(f"the route was degraded, though nothing was wrong: {type(error).__name__}: {error}")


async def outcome(sending: Awaitable[Any]) -> Exception | None:
    """The error that it raises, or None."""
    try:
        await sending
    except Exception as error:  # whatever it is, it is the outcome
        return error
    return None
