"""Multicast: every branch gets a copy of the message; the message itself goes on when all have ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..branching import Branching, BranchRunner
from ..conduct import PLAIN
from ..message import Message
from ..remedy import Remedy
from ..step import Chain, Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Multicast(Step[T, T]):
    """EIP "Publish-Subscribe Channel" to branches that the route knows.

    The copies have ids of their own, `parent/branch-1`, so that they never collapse in a store.
    """

    conduct = PLAIN

    how: Branching
    leads = "aside"

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        runner, names = BranchRunner(self.how, runtime), tuple(self.how.branches)

        async def handle(message: Message[T]) -> Message[Any] | None:
            await runner.run(message, names)
            return await proceed(message)

        return handle

    @property
    def label(self) -> str:
        return f"multicast({self.how.label})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return self.how.drawn()

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return self.how.remedies(within, "multicast")
