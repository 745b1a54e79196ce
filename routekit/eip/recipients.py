"""Recipient List: the branches that a function names for each message get a copy of it; the message itself goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..branching import Branching, BranchRunner, names_of
from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..message import Message
from ..passage import Passage
from ..remedy import Remedy
from ..step import Chain, Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Recipients(Step[T, T]):
    """EIP "Recipient List".

    Data only picks among the branches that the author has declared: an unknown name rejects the message before any
    branch has run. A name that is given twice counts once.
    """

    conduct = PLAIN

    choose: Callable[..., Any]
    how: Branching
    leads = "aside"

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        runner, choose, known = BranchRunner(self.how, runtime), calling(self.choose), self.how.branches

        async def handle(message: Message[T]) -> Message[Any] | None:
            names = names_of(await called(choose, message), known)
            if names:
                await runner.run(message, tuple(dict.fromkeys(names)))
            return await proceed(message)

        return handle

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.choose,)

    def explained(self, passage: Passage) -> str:
        return ", ".join(passage.branches) or ("" if passage.error else "none")

    @property
    def label(self) -> str:
        return f"recipients({', '.join(filter(None, (name_of(self.choose), self.how.label)))})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return self.how.drawn()

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return self.how.remedies(within, "recipients")
