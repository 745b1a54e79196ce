"""Timeout: a branch that may take so many seconds, and is cancelled when it takes longer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ..errors import DefinitionError, TimedOut
from ..message import Message
from ..step import Chain, Handler, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Timeout(Step[T, U]):
    """What follows the branch is not part of it. The message's own deadline counts too, if it is sooner."""

    body: Chain
    seconds: float

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise DefinitionError(f"seconds is {self.seconds}", hint="it must be more than 0")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        body = runtime.bind(self.body, finish, "timeout")

        async def handle(message: Message[T]) -> Message[Any] | None:
            reply = await self._in_time(body, message)
            return None if reply is None else await proceed(reply)

        return handle

    async def _in_time(self, body: Handler[T], message: Message[T]) -> Message[Any] | None:
        end = anyio.current_time() + self.seconds
        if message.meta.deadline is not None and message.meta.deadline <= end:
            return await body(message)  # it is cancelled by its deadline anyway
        with anyio.CancelScope(deadline=end):
            return await body(message)
        raise TimedOut(f"not done within {self.seconds:g} s, and cancelled")

    @property
    def label(self) -> str:
        return f"timeout({self.seconds:g} s)"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("timeout", self.body),)
