"""Trying again: exponential backoff with full jitter, in the runtime's time and chance."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import anyio

from .callables import name_of
from .discretion import concerns
from .events import Retrying
from .message import Message
from .remedy import Remedy
from .route import Retry, again, rules_for
from .step import Runtime

R = TypeVar("R")
E = TypeVar("E", bound=Exception)

_ATTEMPTS = "__routekit_attempts__"


async def retrying(
    failed: Exception,
    attempt: Callable[[int], Awaitable[R]],
    rules: Sequence[Retry],
    runtime: Runtime,
    message: Message[Any],
) -> R:
    """The result of `await attempt(n)` for n = 2, 3, ..., until it returns or no rule allows another try.

    The caller has made the first try, which `failed`: so all this costs nothing while all goes well. The last error is
    raised. Each retry is told as a `Retrying` event; the errors are about the `message`.
    """
    number = 1
    while True:
        rule = again(rules, failed, number)
        if rule is None:
            raise counted(failed, number)
        wait = rule.wait(number, runtime.random)
        concerns(failed, message)
        runtime.emit(Retrying(runtime.route, message.id, number, wait, failed))
        await anyio.sleep(wait)
        number += 1
        try:
            return await attempt(number)
        except Exception as error:
            failed = error


def remedies_of(rules: Sequence[Retry], kind: type[Exception], scope: str) -> Sequence[Remedy]:
    """What these rules do about an error of that class, for `explain-errors`."""
    asked = rules_for(rules, kind)
    last = next((number for number, rule in enumerate(asked, 1) if rule.when is None), len(asked))
    return [Remedy("retry", scope, _said(rule), when=_when(rule)) for rule in asked[:last] if rule.attempts]


def _when(rule: Retry) -> str:
    return "" if rule.when is None else name_of(rule.when)


def classes_of(rules: Sequence[Retry]) -> Sequence[type[Exception]]:
    """The classes that these rules tell apart, for `explain-errors`."""
    named = [kinds for rule in rules for kinds in (rule.on, rule.never)]
    return [kind for kinds in named for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]


def _said(rule: Retry) -> str:
    """A rule in words: how often, and how long at most before each."""
    waits = [f"{rule.longest(number):.3g} s" for number in range(1, min(rule.attempts, 4) + 1)]
    if rule.attempts > 4:
        waits[3:] = ["...", f"{rule.longest(rule.attempts):.3g} s"]
    return f"{rule.attempts} time{'s' if rule.attempts > 1 else ''}, after at most {', '.join(waits)}"


def counted(error: E, attempts: int) -> E:
    """The error, which knows how often had been tried when it was the last."""
    with suppress(AttributeError):  # an exception with slots keeps no count
        setattr(error, _ATTEMPTS, attempts)
    return error


def attempts_of(error: Exception) -> int:
    """How often had been tried when this error was the last."""
    return getattr(error, _ATTEMPTS, 1)
