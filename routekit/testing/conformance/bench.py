"""The bench that a test of the kit works on: services that live and die one after another, and what outlives them."""

import gc
import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import time
from typing import Any, Protocol

import anyio

from ...endpoint import Endpoint, Listener, Producer
from ...events import Event, RouteDegraded, RouteStarted
from ...flow import Flow, from_
from ...message import NO_HEADERS, Message
from ...plugins import Catalog
from ...route import REFUSE, Policy, Retry, Route
from ...runtime.service import Service, Setup
from ...step import Handler, Runtime, Step, Target
from ...stores.memory import MemoryStore
from ...tasks import together
from ..endpoints import Inlet
from ..faults import FaultProxy
from .lives import TRIED, Life, SinkLife, SourceLife
from .stepping import Stepping

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
        deadline: float | None = None,
    ) -> AsyncGenerator[SourceLife]:
        """A life in which the route takes from the source; ends orderly with the block, or where `stepping` says.

        `auto`: every message is finished at once. `troubled`: the route may be degraded at times.
        """
        policy = Policy(concurrency=slots, retry=Retry(0), dead_letter=dead_letter, deadline=deadline)
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
            await lives[0].answers()
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

    async def probed(self, given: str | Endpoint, kind: type[Endpoint]) -> str:
        """What the endpoint's probe finds, in a service in which the endpoint itself is not open."""
        inlet = Inlet()
        policy = Policy(retry=Retry(0), dead_letter=REFUSE)
        route = from_(inlet, policy=policy).then(_Probing(self.endpoint(given, kind))).route(TRIED)
        async with self._service(route, lambda: None).started():
            found = await inlet.give(None)
        assert found is not None
        return found.body

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
            if found is not None and isinstance(error, Exception):
                found.told += 1
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


@dataclass(frozen=True)
class _Probing(Step[Any, str]):
    """A step that asks the probe of an endpoint."""

    endpoint: Endpoint

    def bind(self, proceed: Handler[str], runtime: Runtime) -> Handler[Any]:
        async def probe(message: Message[Any]) -> Message[Any] | None:
            return await proceed(message.with_body(await self.endpoint.probe(runtime)))

        return probe


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
