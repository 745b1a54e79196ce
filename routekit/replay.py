"""Replay: a dead letter goes through its route again, with its body and headers, as they came or were edited.

A whole message enters at the start, a part where parts do, so that it is not taken apart again.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from pydantic import ConfigDict

from .endpoint import Consumer
from .errors import UnknownName, did_you_mean
from .events import Event, RouteDegraded
from .letter import Letter, kind_named, unpacked
from .message import Delivery, Message
from .route import ALWAYS, REFUSE, Policy, Route
from .runtime.recording import Recording, recording_is
from .runtime.service import Service, Setup
from .scopes import policy_of, scopes_of
from .step import Runtime, Target

Confirm = Callable[[], Awaitable[None]]
"""What is done when the route has done all that the letter caused; the letter is not done if it raises."""


@dataclass(eq=False)
class _Turn:
    """One letter on its way, and what became of it."""

    letter: Letter
    confirm: Confirm
    told: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None

    def delivery(self) -> Delivery[Any]:
        """The letter as a source gives it."""
        headers = {name: unpacked(value) for name, value in self.letter.headers.items()}
        return Delivery(Message(unpacked(self.letter.body), headers, self.letter.message_id), self._ack, self.fail)

    def recording(self) -> Recording:
        """What was recorded of the letter's message; nothing if it was edited: its calls are others then."""
        letter = self.letter
        return Recording(letter.message_id, letter.when, {} if letter.edits else dict(letter.effects))

    async def fail(self, error: Exception) -> None:
        """It has failed; what it was told first counts."""
        if not self.told.is_set():
            self.error = error
            self.told.set()

    async def _ack(self, reply: Message[Any] | None) -> None:
        try:
            await self.confirm()
        except Exception as error:  # of whatever kind: who waits for the letter has to be told
            await self.fail(error)
            raise
        self.told.set()


class _Letters(Consumer):
    """A source of the letters that are handed to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme: ClassVar[str] = "letter"
    turns: MemoryObjectReceiveStream[Any]
    recalls: bool = False
    """Whether what the letters know of their effects is not done again."""

    def uri(self) -> str:
        return "letter:"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        async for turn in self.turns:
            recording_is(turn.recording() if self.recalls else None)  # the reader's context is that of the generator
            yield turn.delivery()


class Way:
    """The way of letters through their route, while it runs for them."""

    def __init__(self) -> None:
        self._give, self.turns = anyio.create_memory_object_stream[_Turn](0)
        self._turn: _Turn | None = None
        self._giving: anyio.CancelScope | None = None
        self.away: Exception | None = None
        """Why the route could not start, or no longer runs: a source or sink of it is away."""

    async def take(self, letter: Letter, confirm: Confirm) -> Exception | None:
        """Run the route on a letter; None once it is done and `confirm` has returned, else what failed."""
        if self.away is not None:
            return self.away
        self._turn = _Turn(letter, confirm)
        with anyio.CancelScope() as self._giving:
            await self._give.send(self._turn)
        await self._turn.told.wait()
        return self._turn.error

    def lose(self, error: Exception) -> None:
        """The route is away: whoever waits for it need not."""
        self.away = error
        if self._turn is not None and not self._turn.told.is_set():
            self._turn.error = error
            self._turn.told.set()
            if self._giving is not None:
                self._giving.cancel()

    def close(self) -> None:
        """No more letters come."""
        self._give.close()
        self.turns.close()


@asynccontextmanager
async def again(like: Letter, routes: Sequence[Route], setup: Setup) -> AsyncGenerator[Way]:
    """The route of a letter, with the routes that it calls, running for letters that enter it where this one does.

    No new letter is written when one fails again. Raises UnknownName if there is no such route any more.
    """
    route = next((route for route in routes if route.name == like.route), None)
    if route is None:
        known = [route.name for route in routes]
        raise UnknownName(f"letter {like.id} is of route '{like.route}'", hint=did_you_mean(like.route, known))
    way = Way()

    def watch(event: Event) -> None:
        setup.watch(event)
        if isinstance(event, RouteDegraded):
            way.lose(event.error)

    inner = [_awake(other) for other in routes if _internal(other, setup) and other is not route]
    durable = policy_of(scopes_of(route, setup.policy)).durable == "store"
    service = Service([_for_letters(route, like, way, durable), *inner], replace(setup, watch=watch))
    try:
        async with service.started():
            yield way
            if way.away is not None:
                service.force()  # it would be tried again and again until the other side is back
    finally:
        way.close()


async def replay(
    letter: Letter, routes: Sequence[Route], setup: Setup, confirm: Confirm | None = None
) -> Exception | None:
    """Run the letter's route on it, with the routes that it calls; None if it is done now, else what failed.

    `confirm` is awaited once all is done. No new letter is written when it fails again. It fails too if a source or
    sink is away.
    """
    async with again(letter, routes, setup) as way:
        return await way.take(letter, confirm or _nothing)


def _for_letters(route: Route, like: Letter, way: Way, durable: bool) -> Route:
    """The route with letters as its source.

    Nothing is journaled for them: they are in the store until they are done, and their messages' ids are those of
    messages that are finished. What the journal had recorded of them is in the letters.
    """
    source = Target(_Letters(turns=way.turns, recalls=durable))
    policy = replace(route.policy or Policy(), dead_letter=REFUSE, runs=ALWAYS, concurrency=1, durable="none")
    made = replace(route, source=source, policy=policy, entry=like.entry)
    if not like.entry:
        return made
    return replace(made, body=kind_named(like.kind), codec=None)  # the source's type is not that of its parts


def _awake(route: Route) -> Route:
    """The route as one that always runs: who asks for a replay wants it now, outside its hours too."""
    return replace(route, policy=replace(route.policy or Policy(), runs=ALWAYS))


def _internal(route: Route, setup: Setup) -> bool:
    return setup.catalog.source(route.source).internal


async def _nothing() -> None:
    pass
