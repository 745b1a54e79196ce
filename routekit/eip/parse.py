"""Parse: the body is decoded, if a codec is given, and checked into a type."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN
from ..errors import BodyError
from ..fitting import fitting
from ..message import Message
from ..step import CodecChoice, Handler, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Parse(Step[T, U]):
    """A translator at the edge; a body that does not fit is refused with column and reason, and not retried."""

    conduct = PLAIN

    type: Any
    codec: CodecChoice | None = None

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        fit = fitting(self.type, None if self.codec is None else runtime.codec(self.codec))

        def handle(message: Message[T]) -> Awaitable[Message[Any] | None]:
            try:
                body = fit(message.body)
            except BodyError as error:
                if error.row is None and "row" in message.headers:
                    raise BodyError(error.reason, row=message.headers["row"], column=error.column) from error
                raise
            return proceed(message.with_body(body))

        return handle

    @property
    def label(self) -> str:
        return f"parse({getattr(self.type, '__name__', self.type)})"
