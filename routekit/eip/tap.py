"""Wire Tap: a branch sees a copy of the message on the side; the message itself goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ..conduct import PLAIN
from ..demands import one_of
from ..isolation import apart
from ..message import Message
from ..remedy import Remedy
from ..step import Chain, Handler, Runtime, Step, finish

T = TypeVar("T")


@dataclass(frozen=True)
class Tap(Step[T, T]):
    """EIP "Wire Tap".

    The branch is awaited before the message goes on. `on_error="fail"`: its failure is the message's failure.
    `on_error="dead_letter"`: a failure there becomes a dead letter, and the message goes on.
    """

    conduct = PLAIN

    branch: Chain
    on_error: Literal["fail", "dead_letter"] = "fail"
    leads = "aside"

    def __post_init__(self) -> None:
        one_of("on_error", self.on_error, ("fail", "dead_letter"))

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        aside = runtime.bind(self.branch, finish, "tap")

        async def handle(message: Message[T]) -> Message[Any] | None:
            await aside(apart(message))
            return await proceed(message)

        if self.on_error == "fail":
            return handle
        entry = runtime.entry(aside)  # what is replayed is the branch, not what the message did besides

        async def lenient(message: Message[T]) -> Message[Any] | None:
            copy = apart(message)
            try:
                await aside(copy)
            except Exception as error:
                await runtime.give_up(message, error, entry=entry)
            return await proceed(message)

        return lenient

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("tap", self.branch),)

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        lenient = within == "tap" and self.on_error == "dead_letter"
        return [Remedy("rescue", "tap", "it becomes a dead letter, the message goes on")] if lenient else ()
