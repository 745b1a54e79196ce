"""Message Expiration: a message has a time after which it is no use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio

from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..errors import BodyError, Expired
from ..message import Message
from ..passage import Passage
from ..step import Handler, Runtime, Step

T = TypeVar("T")

_END = 1e11
"""A time after this, in the year 5138, was meant in milliseconds."""


@dataclass(frozen=True)
class Expire(Step[T, T]):
    """EIP "Message Expiration".

    The time becomes the deadline of the message for the rest of the route, unless it has an earlier one; a rest that
    is not done by then is cancelled.
    """

    conduct = PLAIN

    at: Callable[..., Any]

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        time_of = calling(self.at)

        async def handle(message: Message[T]) -> Message[Any] | None:
            at = self._seconds(await called(time_of, message))
            if at is None:
                return await proceed(message)
            left = at - runtime.now()
            if left <= 0:
                raise Expired(f"the message expired at {_said(at)}, {-left:.3g} s ago")
            deadline = anyio.current_time() + left
            if message.meta.deadline is not None and message.meta.deadline <= deadline:
                return await proceed(message)
            with anyio.CancelScope(deadline=deadline):
                return await proceed(message.with_meta(message.meta.changed(deadline=deadline)))
            raise Expired(f"not done by {_said(at)}, when the message expired")

        return handle

    def _seconds(self, at: object) -> float | None:
        """A time as seconds since 1970."""
        if at is None:
            return None
        seconds = at.timestamp() if isinstance(at, datetime) and at.tzinfo is not None else at
        if isinstance(seconds, int | float) and 0 < seconds < _END and not isinstance(seconds, bool):
            return seconds
        hint = "give a datetime with a time zone, seconds (not milliseconds) since 1970, or None"
        raise BodyError(f"{name_of(self.at)} gave {at!r} as the time to expire", hint=hint)

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.at,)

    def explained(self, passage: Passage) -> str:
        return "expired" if isinstance(passage.error, Expired) else "in time" if passage.on else ""

    @property
    def label(self) -> str:
        return f"expire({name_of(self.at)})"


def _said(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
