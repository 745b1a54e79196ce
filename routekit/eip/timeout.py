"""Timeout: a branch that may take so many seconds, and is cancelled when it takes longer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ..conduct import PLAIN
from ..demands import amount
from ..errors import TimedOut
from ..message import Message
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Timeout(Step[T, U]):
    """What follows the branch is not part of it. A deadline of the message that is not later counts instead."""

    conduct = PLAIN

    body: Chain
    seconds: float

    def __post_init__(self) -> None:
        amount("seconds", self.seconds)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        body = runtime.bind(self.body, finish, "timeout")

        async def in_time(message: Message[T]) -> Message[Any] | None:
            with anyio.move_on_after(self.seconds):
                return await body(message)
            raise TimedOut(f"not done within {self.seconds:g} s, and cancelled")

        async def handle(message: Message[T]) -> Message[Any] | None:
            reply = await in_time(message)
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        return handle

    @property
    def label(self) -> str:
        return f"timeout({self.seconds:g} s)"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("timeout", self.body),)

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "passed" for label, _ in self.branches()}
