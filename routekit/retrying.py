"""Trying again: exponential backoff with full jitter, in the runtime's time and chance."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import anyio

from .events import Retrying
from .route import Retry, retry_for
from .step import Runtime

R = TypeVar("R")
E = TypeVar("E", bound=Exception)

_ATTEMPTS = "__routekit_attempts__"


async def retrying(
    failed: Exception, attempt: Callable[[int], Awaitable[R]], rules: Sequence[Retry], runtime: Runtime, message_id: str
) -> R:
    """The result of `await attempt(n)` for n = 2, 3, ..., until it returns or no rule allows another try.

    The caller has made the first try, which `failed`: so all this costs nothing while all goes well. The last error is
    raised. Each retry is told as a `Retrying` event.
    """
    number = 1
    while True:
        rule = retry_for(rules, failed)
        if rule is None or number > rule.attempts:
            raise counted(failed, number)
        wait = rule.wait(number, runtime.random)
        runtime.emit(Retrying(runtime.route, message_id, number, wait, failed))
        await anyio.sleep(wait)
        number += 1
        try:
            return await attempt(number)
        except Exception as error:
            failed = error


def counted(error: E, attempts: int) -> E:
    """The error, which knows how often had been tried when it was the last."""
    with suppress(AttributeError):  # an exception with slots keeps no count
        setattr(error, _ATTEMPTS, attempts)
    return error


def attempts_of(error: Exception) -> int:
    """How often had been tried when this error was the last."""
    return getattr(error, _ATTEMPTS, 1)
