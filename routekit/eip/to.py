"""Send the message to an endpoint; it goes on unchanged once it is delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN
from ..message import Message
from ..remedy import Remedy
from ..retrying import classes_of, remedies_of, retrying
from ..route import Retry
from ..step import OWN, Handler, Runtime, Step, Target

T = TypeVar("T")


@dataclass(frozen=True)
class To(Step[T, T]):
    """EIP "Message Endpoint". Raises what the endpoint raises, after the retries that are allowed here."""

    conduct = PLAIN

    target: Target
    retry: tuple[Retry, ...] = ()
    recorded = False

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        send = runtime.once(runtime.sender(self.target), answered=False, then=proceed)

        async def handle(message: Message[T]) -> Message[Any] | None:
            await send(message)
            return await proceed(message)

        async def patient(message: Message[T]) -> Message[Any] | None:
            try:
                await send(message)
            except Exception as error:
                await retrying(error, lambda _: send(message), self.retry, runtime, message)
            return await proceed(message)

        return patient if self.retry else handle

    @property
    def label(self) -> str:
        return f"to {self.target}"

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return remedies_of(self.retry, kind, "this step") if within == OWN else ()

    def classes(self) -> Sequence[type[Exception]]:
        return classes_of(self.retry)

    def targets(self) -> Sequence[Target]:
        return (self.target,)
