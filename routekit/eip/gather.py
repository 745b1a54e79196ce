"""Composed Message Processor: a branch runs for each part, then the list of results goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN, Conduct
from ..message import Message
from ..parts import PartRunner, Splitting
from ..remedy import Remedy
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")


@dataclass(frozen=True)
class Gather(Step[T, list[Any]]):
    """EIP "Composed Message Processor". Results are in the order of the parts; parts that ended early are left out."""

    how: Splitting
    each: Chain

    def bind(self, proceed: Handler[list[Any]], runtime: Runtime) -> Handler[T]:
        runner = PartRunner(self.how, runtime.bind(self.each, finish, "each"), runtime)

        async def handle(message: Message[T]) -> Message[Any] | None:
            results: list[tuple[int, Any]] = []
            await runner.run(message, lambda index, reply: results.append((index, reply.body)))
            results.sort(key=lambda result: result[0])
            return await proceed(message.with_body([body for _, body in results]))

        return handle

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("each", self.each), *self.how.branches())

    def waits_for(self) -> Mapping[str, Reply]:
        return {"each": "used"}

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return self.how.remedies(kind, "gather") if within == "each" else ()

    def behaves(self) -> Conduct:
        return PLAIN if self.how.parallel == 1 else Conduct(scatters=f"parallel={self.how.parallel}")

    @property
    def label(self) -> str:
        return f"gather({self.how.label})"
