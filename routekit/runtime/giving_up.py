"""Giving up a message: the letter that keeps it, and the ways that the route's policy sends it."""

from typing import Any
from uuid import UUID

from ..events import DeadLettered
from ..letter import Letter, packed
from ..message import Message
from ..route import REFUSE, Policy, Route
from ..step import Chain, finish
from .binding import GiveUp, RouteRuntime
from .failure import failure_of


def giving_up(route: Route, policy: Policy, answers: bool, runtime: RouteRuntime) -> GiveUp | None:
    """Where messages of this route go when they fail for good; None when they go back to their source."""
    channel = policy.dead_letter
    if channel == REFUSE or (channel is None and answers):
        return None
    if isinstance(channel, Chain):
        handler = runtime.bind(channel, finish, "dead_letter")

        async def send(letter: Letter, message: Message[Any]) -> None:
            await handler(Message(letter, message.headers, message.id, message.meta))
    else:

        async def send(letter: Letter, message: Message[Any]) -> None:
            await runtime.store.letters.add(letter)

    async def give_up(message: Message[Any], error: Exception) -> None:
        letter = letter_of(route, message, error, runtime)
        await send(letter, message)
        runtime.emit(DeadLettered(route.name, message.id, letter.step, error))

    return give_up


def letter_of(route: Route, message: Message[Any], error: Exception, runtime: RouteRuntime) -> Letter:
    """The letter about a message, with its original body and the step that failed."""
    failure = failure_of(error)
    return Letter(
        id=UUID(int=runtime.random.getrandbits(128)).hex[:12],
        message_id=message.id,
        route=route.name,
        source=str(route.source),
        step=failure.step if failure else "source",
        place=str(failure.place if failure else route.place),
        error=type(error).__name__,
        reason=str(error),
        attempts=message.meta.attempt,
        when=runtime.now(),
        body=packed(message.body),
        headers={name: packed(value) for name, value in message.headers.items()},
    )
