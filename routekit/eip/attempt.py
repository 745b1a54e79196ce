"""Attempt: a branch that may fail, with branches that rescue it and one that runs whatever happens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio

from ..isolation import apart
from ..message import Message
from ..retrying import retrying
from ..route import Retry
from ..step import Chain, Handler, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Attempt(Step[T, U]):
    """Try, catch and finally as a scope.

    A rescue branch gets the message as it came to the attempt, with the error in `message.meta.error`; what it gives
    goes on. Of several classes that fit, the nearest to the error's own counts. What comes after the attempt is not
    part of it: a failure there is never rescued or retried here.
    """

    body: Chain
    rescue: Mapping[type[Exception], Chain] = field(default_factory=dict[type[Exception], Chain])
    finally_: Chain | None = None
    retry: tuple[Retry, ...] = ()

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        body = runtime.bind(self.body, finish, "attempt")
        rescues = {
            kind: runtime.bind(branch, finish, f"rescue {kind.__name__}") for kind, branch in self.rescue.items()
        }
        last = None if self.finally_ is None else runtime.bind(self.finally_, finish, "finally")

        async def patient(message: Message[T]) -> Message[Any] | None:
            try:
                return await body(apart(message))
            except Exception as error:
                return await retrying(error, lambda _: body(apart(message)), self.retry, runtime, message.id)

        async def tried(message: Message[T]) -> Message[Any] | None:
            try:
                return await patient(message)
            except Exception as error:
                rescue = _nearest(rescues, error)
                if rescue is None:
                    raise
                return await rescue(apart(message).with_meta(message.meta.with_error(error)))

        async def closed(message: Message[T]) -> Message[Any] | None:
            if last is None:
                return await tried(message)
            try:
                return await tried(message)
            finally:
                with anyio.CancelScope(shield=True):  # finally is finally, also when the service stops
                    await last(message)

        async def handle(message: Message[T]) -> Message[Any] | None:
            reply = await closed(message)
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        return handle

    def branches(self) -> Sequence[tuple[str, Chain]]:
        rescues = [(f"rescue {kind.__name__}", branch) for kind, branch in self.rescue.items()]
        last = [] if self.finally_ is None else [("finally", self.finally_)]
        return (("attempt", self.body), *rescues, *last)


def _nearest(rescues: Mapping[type[Exception], Handler[Any]], error: Exception) -> Handler[Any] | None:
    """The rescue for the class nearest to the error's own, as Python orders its ancestors."""
    return next((rescues[kind] for kind in type(error).__mro__ if kind in rescues), None)
