"""Content Enricher with a source: take one message from it, and go on with that in the body."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ..answers import Answer
from ..conduct import Conduct
from ..demands import amount
from ..errors import DefinitionError, Unanswered
from ..message import Delivery, Message
from ..step import Handler, Onward, Runtime, Step, Target

T = TypeVar("T")
U = TypeVar("U")

_AT_ONCE = 30.0
"""Seconds that a source gets to say that it has nothing, where no waiting is wanted."""


@dataclass(frozen=True)
class PollEnrich(Step[T, U]):
    """EIP "Content Enricher" with a polling consumer.

    What was polled is acknowledged when the rest of the route has returned, and refused if it failed. Until then no
    other message of the route polls: a source is read once at a time, and what is in flight is its own to know.
    """

    conduct = Conduct(varies="what it polls may be another one the second time")

    source: Target
    timeout: float
    answer: Answer
    word = "poll_enrich"
    raises = (Unanswered,)

    def __post_init__(self) -> None:
        amount("poll_enrich: timeout", self.timeout, least=0)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        read = runtime.reader(self.source)
        codec = None if self.source.codec is None else runtime.codec(self.source.codec)
        take, answer, timeout = self.answer.taking(codec), self.answer, self.timeout
        lock = anyio.Lock()

        async def handle(message: Message[T]) -> Message[Any] | None:
            async with lock:
                scope = anyio.CancelScope()
                async with aclosing(read(idle=None if timeout else scope.cancel)) as deliveries:
                    delivery = await _polled(deliveries, scope, timeout or _AT_ONCE)
                    if delivery is not None:
                        return await used(message, delivery)
            came = f"{self.source} had nothing" + (f" within {timeout} s" if timeout else "")
            error = Unanswered(came, hint="give missing=... if that is fine")
            return await proceed(await answer.without(message, error))

        async def used(message: Message[T], delivery: Delivery[Any]) -> Message[Any] | None:
            try:
                if delivery.error is not None:
                    raise delivery.error  # noqa: TRY301 - it goes the way of every other failure
                reply = await proceed(await take(message, delivery.message.body))
            except Exception as error:
                await _refused(delivery, error)
                raise
            if delivery.ack is not None:
                await delivery.ack(None)
            return reply

        return handle

    def problems(self, runtime: Runtime) -> Iterable[Exception]:
        if runtime.durable:
            found = f"{self.label}: what it takes would be done before the journal knows of it"
            yield DefinitionError(found, hint="poll in a route of its own, which is not durable: .to('direct:...')")

    @property
    def onward(self) -> Onward:
        return "done"

    @property
    def label(self) -> str:
        return f"poll_enrich {self.source}"


async def _polled(
    deliveries: AsyncGenerator[Delivery[Any]], scope: anyio.CancelScope, patience: float
) -> Delivery[Any] | None:
    """The next delivery, also if it came together with the cancellation: it is ours then."""
    scope.deadline = anyio.current_time() + patience
    with scope:
        return await anext(deliveries, None)
    return None


async def _refused(delivery: Delivery[Any], error: Exception) -> None:
    """Tell the source; if it cannot be told it brings the message again, and the failure itself is what counts."""
    if delivery.nack is None:
        return
    try:
        await delivery.nack(error)
    except Exception as worse:
        error.add_note(f"and its source could not be told that it was refused: {worse}")
