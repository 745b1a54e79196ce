"""Replay: a dead letter goes through its route again, with its original body and headers.

A whole message enters at the start, a part where parts do, so that it is not taken apart again.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import anyio
from pydantic import ConfigDict

from .endpoint import Consumer
from .errors import UnknownName, did_you_mean
from .events import Event, RouteDegraded
from .letter import Letter, kind_named, unpacked
from .message import Delivery, Message
from .route import ALWAYS, REFUSE, Policy, Route
from .runtime.service import Service, Setup
from .step import Runtime, Target


class _Letters(Consumer):
    """A source of one letter; keeps what became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme: ClassVar[str] = "letter"
    letter: Letter
    outcome: Any  # the caller's own list: one that pydantic checks would be a copy
    told: anyio.Event

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        headers = {name: unpacked(value) for name, value in self.letter.headers.items()}
        message = Message(unpacked(self.letter.body), headers, self.letter.message_id)

        async def ack(reply: Message[Any] | None) -> None:
            self.outcome.append(None)
            self.told.set()

        async def nack(error: Exception) -> None:
            self.outcome.append(error)
            self.told.set()

        yield Delivery(message, ack, nack)


async def replay(letter: Letter, routes: Sequence[Route], setup: Setup) -> Exception | None:
    """Run the letter's route on it, with the routes that it calls; None if it is done now, else what failed.

    No new letter is written when it fails again: the old one stays. It fails too if a source or sink is away.
    """
    route = next((route for route in routes if route.name == letter.route), None)
    if route is None:
        known = [route.name for route in routes]
        raise UnknownName(f"letter {letter.id} is of route '{letter.route}'", hint=did_you_mean(letter.route, known))
    outcome: list[Exception | None] = []
    told = anyio.Event()
    source = Target(_Letters(letter=letter, outcome=outcome, told=told))
    policy = replace(route.policy or Policy(), dead_letter=REFUSE, runs=ALWAYS)
    inner = [_awake(other) for other in routes if _internal(other, setup) and other is not route]
    degraded: list[Exception] = []

    def watch(event: Event) -> None:
        setup.watch(event)
        if isinstance(event, RouteDegraded):
            degraded.append(event.error)
            told.set()

    again = replace(route, source=source, policy=policy, entry=letter.entry)
    if letter.entry:
        again = replace(again, body=kind_named(letter.kind), codec=None)  # the source's type is not that of its parts
    service = Service([again, *inner], replace(setup, watch=watch))
    async with service.started():
        await told.wait()
        if not outcome:
            service.force()  # it would be tried again and again until the other side is back
    return outcome[0] if outcome else degraded[0]


def _awake(route: Route) -> Route:
    """The route as one that always runs: who asks for a replay wants it now, outside its hours too."""
    return replace(route, policy=replace(route.policy or Policy(), runs=ALWAYS))


def _internal(route: Route, setup: Setup) -> bool:
    return setup.catalog.source(route.source).internal
