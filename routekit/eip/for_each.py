"""For each part of a message a branch runs, then the tally of what became of them goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN, Conduct
from ..message import Message
from ..parts import PartRunner, Splitting, Tally
from ..remedy import Remedy
from ..step import Chain, Handler, Runtime, Step, finish

T = TypeVar("T")


@dataclass(frozen=True)
class ForEach(Step[T, Tally]):
    """As `gather`, but results are counted and not kept: for files of any size."""

    how: Splitting
    each: Chain
    word = "for_each"

    def bind(self, proceed: Handler[Tally], runtime: Runtime) -> Handler[T]:
        runner = PartRunner(self.how, runtime.bind(self.each, finish, "each"), runtime, timed=True)

        async def handle(message: Message[T]) -> Message[Any] | None:
            return await proceed(message.with_body(await runner.run(message)))

        return handle

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("each", self.each), *self.how.branches())

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return self.how.remedies(kind, "for_each") if within == "each" else ()

    def behaves(self) -> Conduct:
        return PLAIN if self.how.parallel == 1 else Conduct(scatters=f"parallel={self.how.parallel}")

    @property
    def label(self) -> str:
        return f"for_each({self.how.label})"
