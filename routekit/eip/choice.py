"""Content-Based Router: the first branch whose predicate holds takes the message."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..message import Message
from ..passage import Passage
from ..step import Chain, Handler, Reply, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Choice(Step[T, U]):
    """EIP "Content-Based Router". What a branch gives goes on after the choice."""

    conduct = PLAIN

    cases: tuple[tuple[Callable[..., Any], Chain], ...]
    otherwise: Chain

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        cases = [
            (calling(predicate), runtime.bind(branch, proceed, f"when({name_of(predicate)})"))
            for predicate, branch in self.cases
        ]
        otherwise = runtime.bind(self.otherwise, proceed, "otherwise")

        async def handle(message: Message[T]) -> Message[Any] | None:
            for predicate, branch in cases:
                if await called(predicate, message):
                    return await branch(message)
            return await otherwise(message)

        return handle

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return [predicate for predicate, _ in self.cases]

    def explained(self, passage: Passage) -> str:
        labels = [f"when({name_of(predicate)})" for predicate, _ in self.cases]
        chains = dict(zip([*labels, "otherwise"], [*(chain for _, chain in self.cases), self.otherwise], strict=True))
        unseen = [label for label, chain in chains.items() if not chain.steps]
        taken = passage.branches[:1] or (unseen if len(unseen) == 1 and passage.error is None else ())
        if not taken:
            return ""
        number = labels.index(taken[0]) + 1 if taken[0] in labels else 0
        return f"when {number} of {len(labels)}: {taken[0][5:-1]}" if number else taken[0]

    def branches(self) -> Sequence[tuple[str, Chain]]:
        cases = [(f"when {name_of(predicate)}", branch) for predicate, branch in self.cases]
        return (*cases, ("otherwise", self.otherwise))

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "on" for label, _ in self.branches()}
