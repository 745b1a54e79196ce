"""Idempotent Receiver: a message whose key was done before ends here, acknowledged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling
from ..claims import Claims
from ..keys import key_text
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Idempotent(Step[T, T]):
    """EIP "Idempotent Receiver".

    The key is claimed for `lease` seconds, the rest of the route runs, then the key is done; if the rest fails, the
    claim is released. A crash in between leaves a claim that runs out: the message is processed again, not skipped.
    A twin that is in flight is waited for: what becomes of it decides.
    """

    name: str
    key: Callable[..., Any]
    lease: float = 300.0

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        key_of = calling(self.key)
        claims = Claims(self.name, self.lease, runtime)

        async def handle(message: Message[T]) -> Message[Any] | None:
            key = key_text(await called(key_of, message), self.key)
            return await claims.once(key, lambda: proceed(message))

        return handle

    @property
    def label(self) -> str:
        return f"idempotent({self.name})"

    def state(self) -> str | None:
        return self.name
