"""Crashes at every operation: a process dies or its store fails at the n-th one, and starts again until all is done.

An operation is a call of the store, a send to the sink, or an acknowledgement. From its death on nothing that the
process does has any effect, so a forced stop counts as much as a power cut. What is outside of the process, an
`Outside`, goes on: its store, its source that brings again what was not acknowledged, its sink.

    def flow(outside: Outside) -> Flow[int]:
        return from_(outside.source, int).idempotent("seen", key=lambda n: n).to(outside.sink)

    def check(outside: Outside) -> None:
        assert set(outside.bodies) == {1, 2, 3}
        assert not outside.waiting

    await every_crash(flow, lambda: Outside([1, 2, 3]), check)

By the virtual clock a life lasts `patience` seconds, if it does not end sooner. By the real clock give `until`.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from itertools import count
from random import Random
from typing import Any, Literal, TypeAlias, TypeVar

import anyio
import anyio.lowlevel
from pydantic import ConfigDict

from routekit import Consumer, Delivery, Event, Flow, Letter, Message, Producer, Route, Runtime, Send, Store, StoreError
from routekit.runtime.service import Service
from routekit.stores.memory import MemoryStore
from routekit.testing import Run, routes_of, setup_for

R = TypeVar("R")

Kind: TypeAlias = Literal["dies before", "dies after", "fails before", "fails after"]
"""What happens at an operation: the process dies before or after it takes effect, or, if it is one of the store, it
raises StoreError instead of or after taking effect, and the process lives on."""

KINDS: tuple[Kind, ...] = ("dies before", "dies after", "fails before", "fails after")
DEATHS: tuple[Kind, ...] = KINDS[:2]

Routes: TypeAlias = Flow[Any] | Route | Sequence[Flow[Any] | Route]


@dataclass(frozen=True)
class Crash:
    """What happens at the operation of that number, counted from 1 in each life."""

    at: int
    kind: Kind = "dies before"


class DurableStore(MemoryStore):
    """A store that outlives every process of a test, in virtual time."""

    durable = True
    owner = "process-0"

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        super().__init__(now or wall)


def wall() -> float:
    """Wall time that follows the virtual clock and goes on from one life to the next."""
    return 1_000_000.0 + anyio.current_time()


class Outside:
    """What outlives the process.

    `sent` are the messages that the sink has got, duplicates included; `waiting` are those that the source was not yet
    told to be done; `acknowledged` and `refused` count what it was told; `crashed` says what has happened where, such
    as "dies after sink.send"; `events` are what was told in all lives.
    """

    def __init__(self, items: Iterable[Any] = (), *, store: Store | None = None, again: float = 10.0) -> None:
        messages: list[Message[Any]] = [
            item if isinstance(item, Message) else Message(item, id=f"m{item}") for item in items
        ]
        self.store = store or DurableStore()
        self.waiting: dict[str, Message[Any]] = {message.id: message for message in messages}
        self.again = again
        self.acknowledged: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.sent: list[Message[Any]] = []
        self.letters: Sequence[Letter] = ()
        self.events: list[Event] = []
        self.crashed: list[str] = []
        self.births = 0
        self.life = Life(self, ())
        self.source = Source(outside=self)
        self.sink = Target(outside=self)

    @property
    def bodies(self) -> list[Any]:
        """The bodies that the sink has got, in order."""
        return [message.body for message in self.sent]

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that the sink has got, in order."""
        return [message.id for message in self.sent]

    @property
    def done(self) -> bool:
        """Whether the source has nothing more."""
        return not self.waiting


class Life:
    """One life of the process, from its start to its end or to a crash that is its death."""

    def __init__(self, outside: Outside, crashes: Iterable[Crash]) -> None:
        self.count = 0
        self.ended = False
        self._outside = outside
        self._crashes = {crash.at: crash.kind for crash in crashes}
        self.kill: Callable[[], None] = lambda: None

    async def operation(self, name: str, act: Callable[[], Awaitable[R] | R], *, store: bool = False) -> R:
        """Do it, unless the process is dead or dies here; others get their turn before and afterwards."""
        await anyio.lowlevel.checkpoint()
        if self.ended:
            await self._die()
        self.count += 1
        kind = self._crashes.get(self.count)
        if kind is not None and not store and kind.startswith("fails"):
            kind = None
        if kind is not None:
            self._outside.crashed.append(f"{kind} {name}")
        if kind is not None and kind.endswith("before"):
            await self._crash(kind, name)
        result: Any = act()
        result = await result if isawaitable(result) else result
        if kind is not None:
            await self._crash(kind, name)
        await anyio.lowlevel.checkpoint()
        return result

    async def _crash(self, kind: Kind, name: str) -> None:
        if kind.startswith("fails"):
            raise StoreError(f"{name} failed, as the test wants it")
        self.ended = True
        self.kill()
        await self._die()

    async def _die(self) -> None:
        """What can be cancelled is cancelled now; what is shielded has to be ended by force."""
        await anyio.sleep(0.01)
        raise Death


class Death(BaseException):
    """Ends what is shielded from cancellation."""


class MortalStore:
    """A store whose every operation is one of the process's life."""

    def __init__(self, outside: Outside, life: Life) -> None:
        self._store = outside.store
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in ("letters", "audit"):
            return _MortalState(found, name, self._life)
        if name in ("contents", "vacuum"):
            return lambda: self._life.operation(name, found, store=True)
        if callable(found):
            return lambda *args: _MortalState(found(*args), name, self._life)
        return found


class _MortalState:
    def __init__(self, state: Any, name: str, life: Life) -> None:
        self._state = state
        self._name = name
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._state, name)

        async def operation(*args: Any, **kwargs: Any) -> Any:
            return await self._life.operation(f"{self._name}.{name}", lambda: method(*args, **kwargs), store=True)

        return operation


class Source(Consumer):
    """Brings what is waiting, in order, then rests; what is refused comes again after a while, or in the next life."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "crashing"
    outside: Any

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        outside: Outside = self.outside
        life = outside.life
        taken: set[str] = set()
        back = anyio.Event()

        def refused(id: str) -> None:
            taken.discard(id)
            back.set()

        while True:
            for message in list(outside.waiting.values()):
                if message.id not in taken and message.id in outside.waiting:
                    taken.add(message.id)
                    yield _delivery(message, outside, life, refused)
            with runtime.resting():
                await back.wait()
            back = anyio.Event()
            await runtime.rest(outside.again)


def _delivery(message: Message[Any], outside: Outside, life: Life, back: Callable[[str], None]) -> Delivery[Any]:
    def acknowledged() -> None:
        outside.waiting.pop(message.id, None)
        outside.acknowledged[message.id] += 1

    def refused() -> None:
        outside.refused[message.id] += 1
        back(message.id)

    async def ack(reply: Message[Any] | None) -> None:
        await life.operation("source.ack", acknowledged)

    async def nack(error: Exception) -> None:
        await life.operation("source.nack", refused)

    return Delivery(message, ack, nack)


class Target(Producer):
    """Collects what is sent, in `outside.sent`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "crashing"
    outside: Any

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        outside: Outside = self.outside
        life = outside.life

        async def send(message: Message[Any]) -> None:
            await life.operation("sink.send", lambda: outside.sent.append(message))

        yield send


async def live(
    flow: Callable[[Outside], Routes],
    outside: Outside,
    *crashes: Crash,
    patience: float = 10_000.0,
    until: Callable[[], bool] | None = None,
) -> Life:
    """One life: until a crash is its death, or `until` holds, or `patience` seconds are over, by an orderly stop."""
    life = outside.life = Life(outside, crashes)
    routes = flow(outside)
    routes = routes_of(*([routes] if isinstance(routes, Flow | Route) else routes))
    outside.births += 1
    chance = Random(outside.births)  # else letters of two lives would have the same ids
    service = Service(
        routes, setup_for(Run(events=outside.events), store=MortalStore(outside, life), now=wall, random=chance)
    )
    life.kill = service.force
    try:
        async with service.started():
            if until is None:
                await anyio.sleep(patience)
            while until is not None and not until():
                await anyio.sleep(0.01)
    except* Death:
        assert life.ended
    life.ended = True
    outside.letters = await outside.store.letters.list()
    return life


async def lives(
    flow: Callable[[Outside], Routes],
    outside: Outside,
    crashes: Iterable[Crash] = (),
    *,
    down: float = 0.0,
    patience: float = 10_000.0,
    until: Callable[[], bool] | None = None,
) -> None:
    """A life for each crash, `down` seconds between them, and a last one that nothing disturbs."""
    for crash in crashes:
        await live(flow, outside, crash, patience=patience, until=until)
        await anyio.sleep(down)
    await live(flow, outside, patience=patience, until=until)


async def every_crash(
    flow: Callable[[Outside], Routes],
    outside: Callable[[], Outside],
    check: Callable[[Outside], Any],
    *,
    kinds: Iterable[Kind] = KINDS,
    down: float = 0.0,
    patience: float = 10_000.0,
    until: Callable[[Outside], bool] | None = None,
) -> int:
    """Let the process crash at its first operation, at its second, and so on, each time in a new `outside`.

    After each crash and the life that follows it `check`, plain or async, must hold. Returns how many crashes there
    were.
    """
    crashes = 0
    for kind in kinds:
        for at in count(1):
            world = outside()
            done = None if until is None else partial(until, world)
            life = await live(flow, world, Crash(at, kind), patience=patience, until=done)
            await anyio.sleep(down)
            await live(flow, world, patience=patience, until=done)
            try:
                checked = check(world)
                if isawaitable(checked):
                    await checked
            except Exception as error:
                error.add_note(f"operation {at}: {world.crashed}; sent {world.ids}, waiting {list(world.waiting)}")
                raise
            crashes += len(world.crashed)
            if life.count < at:
                break
    return crashes
