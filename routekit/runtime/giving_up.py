"""Giving up a message: the letter that keeps it, and the ways that the route's policy sends it."""

from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from typing import Any
from uuid import UUID

from ..discretion import discreet, said
from ..endpoint import Source
from ..events import Counts, DeadLettered
from ..letter import Letter, kind_of, packed
from ..message import Message
from ..rescuing import causes, following
from ..route import REFUSE, Policy, Route
from ..step import Chain, Handler, finish
from .alerting import Alerts
from .binding import GiveUp, RouteRuntime
from .failure import failure_of
from .history import told
from .hooks import Hooks
from .recording import Recording, recording

_CAUSES = 10
"""Errors behind an error that its letter names."""


def giving_up(route: Route, policy: Policy, runtime: RouteRuntime, counts: Counts) -> GiveUp:
    """How messages and parts of this route become dead letters: in the channel of the policy, else in the store."""
    usual = runtime.bind(policy.dead_letter, finish, "dead_letter") if isinstance(policy.dead_letter, Chain) else None
    hooks, alerts = Hooks(policy, runtime), Alerts(runtime)

    async def give_up(message: Message[Any], error: Exception, channel: Handler[Any] | None, entry: int) -> None:
        letter = await hooks.letter(letter_of(route, message, error, runtime, entry), error)
        way = channel or usual
        try:
            if way is None:
                await runtime.store.letters.add(letter)
            else:
                await way(Message(letter, message.headers, message.id, message.meta.with_error(error)))
        except Exception as worse:
            following(worse, error)
            raise
        if channel is None:  # else the author has said what to do with such a part
            counts.dead += 1
            runtime.emit(DeadLettered(route.name, message.id, letter.step, error))
        if way is None:
            await alerts.kept(letter)

    return give_up


def takes_back(policy: Policy, source: Source) -> bool:
    """Whether a failed message goes back to its source rather than to the dead letters."""
    if policy.durable == "store":  # the source has been told
        return False
    return policy.dead_letter == REFUSE or (policy.dead_letter is None and source.takes_back())


def letter_of(route: Route, message: Message[Any], error: Exception, runtime: RouteRuntime, entry: int = 0) -> Letter:
    """The letter about a message, with its original body and the step that failed."""
    failure = failure_of(error)
    body = packed(message.body)
    headers = _packed_headers(message)
    got = None if failure is None or failure.message is None else _got(failure.message, body, headers)
    known = recording()
    return Letter(
        id=UUID(int=runtime.random.getrandbits(128)).hex[:12] if known is None else _id_of(message, entry, known),
        message_id=message.id,
        route=route.name,
        source=str(route.source),
        step=failure.step if failure else "source",
        place=str(failure.place if failure else route.place),
        error=type(error).__name__,
        reason=said(error),
        attempts=message.meta.attempt,
        when=runtime.now(),
        body=body,
        headers=headers,
        entry=entry,
        causes=[discreet(f"{type(cause).__name__}: {cause}", error) for cause in causes(error)[:_CAUSES]],
        history=told(message),
        kind=kind_of(message.body) if entry else "",
        current=got and got[0],
        current_headers=got and got[1],
        effects={} if known is None else dict(known.effects),
    )


def _id_of(message: Message[Any], entry: int, known: Recording) -> str:
    """The same at each try of a durable route, so that a crash behind the letter does not make another one."""
    what = f"{message.meta.route}\n{known.id}\n{message.id}\n{entry}\n{known.born!r}"
    return blake2b(what.encode(errors="replace"), digest_size=6).hexdigest()


def _got(message: Message[Any], body: Any, headers: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """Body and headers as the failing step got them; None if they are those that came, or cannot be kept."""
    if isinstance(message.body, Iterator | AsyncIterator):  # nothing may read on in it, it may have no end
        return None
    try:
        got = packed(message.body), _packed_headers(message)
    except (ValueError, RecursionError):  # a circle, say: the letter is kept without it
        return None
    return None if got == (body, headers) else got


def _packed_headers(message: Message[Any]) -> dict[str, Any]:
    return {name: packed(value) for name, value in message.headers.items()}
