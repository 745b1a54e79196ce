"""Idempotent Receiver: a message whose key was done before ends here, acknowledged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling, name_of
from ..claims import Claims
from ..conduct import Conduct
from ..demands import amount
from ..keeping import name_checked
from ..keys import key_text
from ..message import Message
from ..passage import Passage
from ..step import Handler, Onward, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Idempotent(Step[T, T]):
    """EIP "Idempotent Receiver".

    The key is claimed for `lease` seconds, the rest of the route runs, then the key is done; if the rest fails, the
    claim is released. A crash in between leaves a claim that runs out: the message is processed again, not skipped.
    A twin that is in flight is waited for: what becomes of it decides. A key that was done is forgotten after
    `remember` seconds; None: never.
    """

    shares = True

    name: str
    key: Callable[..., Any]
    lease: float = 300.0
    remember: float | None = 7_776_000.0

    def __post_init__(self) -> None:
        name_checked(self.name, "idempotent")
        amount(f"idempotent '{self.name}': lease", self.lease)
        if self.remember is not None:
            amount(f"idempotent '{self.name}': remember", self.remember)

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        key_of = calling(self.key)
        claims = Claims(self.name, self.lease, runtime, remember=self.remember)

        async def handle(message: Message[T]) -> Message[Any] | None:
            key = key_text(await called(key_of, message), self.key)
            return await claims.once(key, lambda: proceed(message))

        return handle

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.key,)

    def explained(self, passage: Passage) -> str:
        return "" if passage.error else "a new key" if passage.on else "its key was done before"

    def behaves(self) -> Conduct:
        return Conduct(drops="those whose key was done before", knows=name_of(self.key))

    @property
    def label(self) -> str:
        return f"idempotent({self.name})"

    @property
    def onward(self) -> Onward:
        return "done"

    def state(self) -> str | None:
        return self.name
