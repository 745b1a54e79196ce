"""Work that many want at once: one does it, and all get what came of it."""

from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


@dataclass(eq=False)
class _Attempt(Generic[T]):
    value: T | None = None
    error: Exception | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


class Joint(Generic[T]):
    """At most one attempt at a time; who comes while it is under way shares it, and so does not wait for a row of them.

    An attempt is not cut off when the one who began it is cancelled, so it has to end by itself.
    """

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._attempt: _Attempt[T] | None = None

    async def do(self) -> T:
        """What the work gives; raises what it raised."""
        attempt = self._attempt
        if attempt is not None:
            await attempt.done.wait()
        else:
            attempt = self._attempt = _Attempt()
            with anyio.CancelScope(shield=True):
                try:
                    attempt.value = await self._work()
                except Exception as error:  # everybody who waits has to hear of it
                    attempt.error = error
                finally:
                    self._attempt = None
                    attempt.done.set()
        if attempt.error is not None:
            raise copy(attempt.error) from attempt.error  # one for each: they must not share a traceback
        return attempt.value  # pyright: ignore[reportReturnType]  # without an error there is one
