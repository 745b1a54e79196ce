"""Messages for tests of functions and fragments: with all that the engine would have noted on them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from ..letter import Letter, packed
from ..message import NO_HEADERS, Message, Meta
from ..runtime.failure import failure_of

T = TypeVar("T")


def a_message(
    body: T,
    headers: Mapping[str, Any] = NO_HEADERS,
    *,
    id: str = "message-1",
    attempt: int = 1,
    error: Exception | None = None,
    route: str = "test",
    source: str = "test:",
    received: float = 0.0,
) -> Message[T]:
    """A message as a step would get it: `a_message(order, {"file.name": "a.csv"}, attempt=2)`.

    `error` is what a rescue branch finds, `received` wall time in seconds since 1970. Put into a route, it keeps body,
    headers and id; the rest is the engine's.
    """
    meta = Meta(route=route, source=source, received=received, attempt=attempt, error=error)
    return Message(body, headers, id, meta)


def a_letter(
    body: object,
    error: Exception,
    headers: Mapping[str, Any] = NO_HEADERS,
    *,
    id: str = "message-1",
    attempts: int = 1,
    route: str = "test",
    source: str = "test:",
    step: str = "",
    when: float = 0.0,
) -> Message[Letter]:
    """The message that a branch of `dead_letters(...)` would get for a body that failed with that error."""
    failure = failure_of(error)
    letter = Letter(
        id="letter-1",
        message_id=id,
        route=route,
        source=source,
        step=step or (failure.step if failure else "source"),
        place=str(failure.place) if failure else "test.py:1",
        error=type(error).__name__,
        reason=str(error),
        attempts=attempts,
        when=when,
        body=packed(body),
        headers={name: packed(value) for name, value in headers.items()},
    )
    return a_message(letter, headers, id=id, attempt=attempts, error=error, route=route, source=source)
