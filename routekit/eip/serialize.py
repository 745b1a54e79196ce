"""Serialize: the body becomes bytes, written by a codec; the counterpart of `parse`."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN
from ..message import Message
from ..step import CodecChoice, Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Serialize(Step[T, bytes]):
    """A translator at the edge; a body that the codec cannot write is refused, and not retried."""

    conduct = PLAIN

    codec: CodecChoice

    def bind(self, proceed: Handler[bytes], runtime: Runtime) -> Handler[T]:
        encode = runtime.codec(self.codec).encode

        def handle(message: Message[T]) -> Awaitable[Message[Any] | None]:
            return proceed(message.with_body(encode(message.body)))

        return handle

    @property
    def label(self) -> str:
        name = (
            self.codec if isinstance(self.codec, str) else getattr(self.codec, "name", None) or dict(self.codec)["name"]
        )
        return f"serialize({name})"
