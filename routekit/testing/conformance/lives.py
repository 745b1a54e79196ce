"""The lives of a service on the bench: what a test does with one, and what it sees of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from ...letter import Letter
from ...message import Message
from ...runtime.service import Service
from ...store import Store
from ...tasks import together
from ..endpoints import Inlet

TRIED = "tried"
"""The name of the route with the endpoint that is tried."""

_ANSWERS = 1.0
"""Seconds in which an answer that is on its way arrives."""


class Outside(Protocol):
    """How a life brings messages to the outside."""

    async def put(self, message: Message[Any]) -> Message[Any] | None: ...


class Around(Protocol):
    """What a life knows of the bench that it stands on."""

    patience: float
    listening: bool

    @property
    def trial(self) -> Outside: ...

    @property
    def store(self) -> Store: ...

    async def soon(self, condition: Callable[[], bool], what: str) -> None: ...


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

    def __init__(self, bench: Around, service: Service) -> None:
        self._bench = bench
        self.service = service
        self.degraded: list[Exception] = []
        self.killed = False
        self.told = 0
        """How many events of its route told of an error."""
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

    def troubles(self) -> int:
        """How often somebody was told that something is wrong: by dead letters, refusals, or an event with an error."""
        counts = self.service.counts()[TRIED]
        return counts.dead + counts.refused + self.told

    async def letters(self) -> Sequence[Letter]:
        """The dead letters so far."""
        return await self._bench.store.letters.list()


class SourceLife(Life):
    """A life in which the source that is tried hands its messages to the test."""

    def __init__(self, bench: Around, service: Service, *, auto: bool) -> None:
        super().__init__(bench, service)
        self.auto = auto
        self.taken: list[Taken] = []
        self._read = 0
        self.callers: TaskGroup | None = None
        self.calls: list[Given] = []

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
            self.calls.append(given)
            self.callers.start_soon(self._call, given)
        else:
            await self._bench.trial.put(message)
            given.done.set()
        return given

    async def _call(self, given: Given) -> None:
        given.error = ConnectionAbortedError("there was no answer")
        try:
            given.reply = await self._bench.trial.put(given.message)
            given.error = None
        except Exception as error:  # of whatever kind: it is how the outside is told
            given.error = error
        finally:
            given.done.set()

    async def answers(self) -> None:
        """Give the last answers a moment to arrive."""
        with anyio.move_on_after(_ANSWERS):
            for call in self.calls:
                await call.done.wait()

    @property
    def bodies(self) -> list[Any]:
        """The bodies that have arrived, in order."""
        return [taken.message.body for taken in self.taken]


class SinkLife(Life):
    """A life in which the test sends to the sink that is tried."""

    def __init__(self, bench: Around, service: Service, inlet: Inlet) -> None:
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


async def outcome(sending: Awaitable[Any]) -> Exception | None:
    """The error that it raises, or None."""
    try:
        await sending
    except Exception as error:  # whatever it is, it is the outcome
        return error
    return None
