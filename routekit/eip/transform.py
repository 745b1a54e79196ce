"""Message Translator: the body becomes what a function makes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import Coro, Own, arity, name_of
from ..conduct import PLAIN
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Transform(Step[T, U]):
    """EIP "Message Translator"."""

    conduct = PLAIN

    function: Callable[..., Any]

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        function, with_message = self.function, arity(self.function) == 2

        def handle(message: Message[T]) -> Awaitable[Message[Any] | None]:
            body = function(message.body, message) if with_message else function(message.body)
            if type(body) is Coro:
                return Own(wait(message, body), handle)
            return proceed(message.with_body(body))

        async def wait(message: Message[T], body: Awaitable[U]) -> Message[Any] | None:
            return await proceed(message.with_body(await body))

        return handle

    @property
    def label(self) -> str:
        return f"transform({name_of(self.function)})"
