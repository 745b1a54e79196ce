"""Splitter: the rest of the route runs once for each part of a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN, Conduct
from ..message import Message
from ..parts import PartRunner, Splitting
from ..remedy import Remedy
from ..step import REST, Chain, Handler, Onward, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Split(Step[T, U]):
    """EIP "Splitter". The message is done when all its parts are; it is its own reply."""

    how: Splitting

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        runner = PartRunner(self.how, proceed, runtime)

        async def handle(message: Message[T]) -> Message[Any] | None:
            await runner.run(message)
            return message

        return handle

    def behaves(self) -> Conduct:
        return PLAIN if self.how.parallel == 1 else Conduct(order="no")

    @property
    def label(self) -> str:
        return f"split({self.how.label})"

    @property
    def onward(self) -> Onward:
        return "parts"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return self.how.branches()

    @property
    def settles(self) -> bool:
        return self.how.settles

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return self.how.remedies(kind, "split") if within == REST else ()
