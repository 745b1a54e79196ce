"""Message Filter: pass on the messages that satisfy a predicate; the others end here, acknowledged."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import Coro, Own, arity, name_of
from ..conduct import Conduct
from ..message import Message
from ..passage import Passage
from ..step import Handler, Runtime, Step, ended

T = TypeVar("T")


@dataclass(frozen=True)
class Filter(Step[T, T]):
    """EIP "Message Filter"."""

    conduct = Conduct(drops="those for which the predicate is false")

    predicate: Callable[..., Any]

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        wanted, with_message = self.predicate, arity(self.predicate) == 2

        def handle(message: Message[T]) -> Awaitable[Message[Any] | None]:
            verdict = wanted(message.body, message) if with_message else wanted(message.body)
            if type(verdict) is Coro:
                return Own(decide(message, verdict), handle)
            return proceed(message) if verdict else ended()

        async def decide(message: Message[T], verdict: Awaitable[object]) -> Message[Any] | None:
            return await proceed(message) if await verdict else None

        return handle

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.predicate,)

    def explained(self, passage: Passage) -> str:
        return "true" if passage.on else "" if passage.error else "false"

    @property
    def label(self) -> str:
        return f"filter({name_of(self.predicate)})"
