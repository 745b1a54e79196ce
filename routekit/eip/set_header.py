"""Set a header, to a value or to what a function makes of the message."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ..callables import Coro, Own, calling
from ..conduct import PLAIN
from ..errors import DefinitionError
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class SetHeader(Step[T, T]):
    """Headers are data: nothing in the engine obeys them."""

    conduct = PLAIN

    name: str
    value: Any
    word = "set_header"

    def __post_init__(self) -> None:
        if not isinstance(cast("object", self.name), str) or not self.name:
            raise DefinitionError(f"a header is named {self.name!r}", hint="write a text")

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        name, value = self.name, self.value
        if not callable(value):
            return lambda message: proceed(message.with_header(name, value))
        call = calling(value)

        def handle(message: Message[T]) -> Awaitable[Message[Any] | None]:
            made = call(message)
            if type(made) is Coro:
                return Own(wait(message, made), handle)
            return proceed(message.with_header(name, made))

        async def wait(message: Message[T], made: Awaitable[object]) -> Message[Any] | None:
            return await proceed(message.with_header(name, await made))

        return handle

    @property
    def label(self) -> str:
        return f"set_header({self.name})"
